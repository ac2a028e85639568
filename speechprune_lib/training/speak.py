"""Stage 1, `speak`: texts -> varied 16 kHz speech in 30 s windows, with the exact time of every word.

Speech comes in shards of half an hour, each made by a child process (flite ends its process on a rare unit: that
sentence is then skipped and the shard begun again). A shard is complete or absent; a rerun makes those missing.

The first shards speak a file of passages each, one a clip, each speaker with a voice of its own. Then come the everyday
sentences, then WordNet's, both mixed with invented facts; a clip of theirs fills one to three windows.
"""

# pyright: basic
from __future__ import annotations

import json
import multiprocessing as mp
import random
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from ..files import write_whole
from ..synthesis.speaking.speech import Speech
from .passages import Passage, passage_files, read_passages
from .sound import coloured, recorded
from .texts import Fact, everyday_sentences, facts, wordnet_sentences
from .voices import Drawn, draw

WINDOWS_PER_SHARD = 60
CLIP_WINDOWS = (1, 1, 2, 3)  # a clip of sentences fills one of these numbers of windows
EVERYDAY_SHARDS, WORDNET_SHARDS = 6, 180
SENTENCES_PER_SHARD = 450  # a shard speaks fewer, so no two shards share one before the lists wrap
FACT_SHARE = 0.3  # of all sentences


def all_shards() -> int:
    """More than 100 hours."""
    return len(passage_files()) + EVERYDAY_SHARDS + WORDNET_SHARDS


PASSAGES_COUNT = 8
"""Times that a passage's sentences are counted, for people speak as in them, not as in a dictionary's definitions."""


def counted_texts() -> list[str]:
    """Every sentence that the plan of all shards draws from, spoken yet or not, but those of held-out passages."""
    spoken = [sentence for file in passage_files() for one in read_passages(file)[1:] for _, sentence in one.turns]
    return [
        *wordnet_sentences()[: WORDNET_SHARDS * SENTENCES_PER_SHARD],
        *everyday_sentences(),
    ] + spoken * PASSAGES_COUNT


@dataclass(frozen=True)
class Said:
    """What a shard says: by default the training speech."""

    shard: int
    test_of: str | None = None
    """For a test, a group of voices (`voices.GROUPS`): the held-out passage of file number `shard` alone, by them."""

    def clips(self, mouth: _Mouth) -> Iterator[tuple[np.ndarray, dict]]:
        if self.test_of is not None:
            rng = random.Random(f"{self.test_of}/{self.shard}")
            return _spoken_passages(rng, read_passages(passage_files()[self.shard])[:1], mouth, self.test_of)
        rng = random.Random(1000 + self.shard)
        if self.shard < len(passage_files()):
            return _spoken_passages(rng, read_passages(passage_files()[self.shard]), mouth)
        return _spoken_sentences(rng, self.shard, mouth)


def speak(out: Path, shards: range, workers: int, test_of: str | None = None) -> None:
    """Write `shard_NNN.npy` (int16 windows) and `shard_NNN.json` (clips) for every shard not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    missing = [s for s in shards if not (out / f"shard_{s:03}.json").exists()]
    with ThreadPoolExecutor(workers) as pool:
        said = (Said(shard, test_of) for shard in missing)
        list(tqdm(pool.map(lambda one: _until_done(out, one), said), total=len(missing), desc="shards spoken"))


def _until_done(out: Path, said: Said) -> None:
    skip: set[str] = set()
    saying = out / f"shard_{said.shard:03}.saying"
    while True:
        child = mp.get_context("spawn").Process(target=_speak_shard, args=(out, said, skip, saying))
        child.start()
        child.join()
        if child.exitcode == 0:
            saying.unlink(missing_ok=True)
            return
        text = saying.read_text() if saying.exists() else ""
        if not text or text in skip:
            raise RuntimeError(f"shard {said.shard} failed with exit code {child.exitcode} at {text!r}")
        skip.add(text)


def _speak_shard(out: Path, said: Said, skip: set[str], saying: Path) -> None:
    windows, clips = [], []
    for samples, clip in said.clips(_Mouth(skip, saying)):
        count = -(-len(samples) // WINDOW_SAMPLES)
        clips.append({"first_window": len(windows), "windows": count, "samples": len(samples), **clip})
        padded = np.zeros(count * WINDOW_SAMPLES, np.int16)
        padded[: len(samples)] = np.clip(samples * 32767, -32768, 32767)
        windows += list(padded.reshape(count, WINDOW_SAMPLES))
    np.save(out / f"shard_{said.shard:03}.npy", np.stack(windows))
    write_whole(out / f"shard_{said.shard:03}.json", json.dumps(clips))


@dataclass(frozen=True)
class _Mouth:
    """Says sentences, and leaves word of the one it is at, should the engine end the process."""

    skip: set[str]
    saying: Path

    def say(self, drawn: Drawn, sentence: str) -> Speech | None:
        if sentence in self.skip:
            return None
        self.saying.write_text(sentence)
        try:
            speech = drawn.speaker.say(sentence)
        except (ValueError, UnicodeEncodeError):
            return None  # the engine splits this text into other words than we do
        return replace(speech, samples=coloured(speech.samples, drawn.gain, drawn.tilt))


class _Clip:
    """Speech put together sentence by sentence, with short pauses, and the time of every word."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.samples, self.spoken = rng, np.zeros(0, np.float32), []

    def add(self, speech: Speech, voice: str, said: Fact, limit: int = sys.maxsize) -> bool:
        """Whether it still fitted into `limit` samples."""
        pause = np.zeros(int(self.rng.uniform(0.05, 0.5) * SAMPLE_RATE_HZ), np.float32)
        if len(self.samples) + len(speech.samples) + len(pause) > limit:
            return False
        offset = len(self.samples) / SAMPLE_RATE_HZ
        timed = [(w, round(offset + s, 3), round(offset + e, 3)) for w, s, e in speech.words]
        self.spoken.append({**asdict(said), "voice": voice, "words": timed})
        self.samples = np.concatenate([self.samples, speech.samples, pause])
        return True

    def finished(self, **facts) -> tuple[np.ndarray, dict]:
        return recorded(self.rng, self.samples), {"sentences": self.spoken, **facts}


def _sentences(shard: int) -> tuple[str, ...]:
    """The sentences that a shard begins with, and all others of its kind after them."""
    number = shard - len(passage_files())
    everyday = number < EVERYDAY_SHARDS
    sentences = everyday_sentences() if everyday else wordnet_sentences()
    start = (number - EVERYDAY_SHARDS * (not everyday)) * SENTENCES_PER_SHARD % len(sentences)
    return sentences[start:] + sentences[:start]


def _texts(rng: random.Random, sentences):
    invented = facts(rng)
    for sentence in sentences:
        while rng.random() < FACT_SHARE:
            yield next(invented)
        yield Fact(sentence, "", "")


def _spoken_sentences(rng: random.Random, shard: int, mouth: _Mouth) -> Iterator[tuple[np.ndarray, dict]]:
    source, windows = _texts(rng, _sentences(shard)), 0
    while windows < WINDOWS_PER_SHARD:
        count = min(rng.choice(CLIP_WINDOWS), WINDOWS_PER_SHARD - windows)
        clip, drawn = _Clip(rng), draw(rng)
        for said in source:
            if rng.random() < 0.35:
                drawn = draw(rng)
            speech = mouth.say(drawn, said.sentence)
            if speech and not clip.add(speech, drawn.name, said, count * WINDOW_SAMPLES):
                break
        else:
            raise RuntimeError("the texts ran out")
        windows += count
        yield clip.finished()


def _spoken_passages(
    rng: random.Random, passages: Sequence[Passage], mouth: _Mouth, group: str = "known"
) -> Iterator[tuple[np.ndarray, dict]]:
    for passage in passages:
        clip = _Clip(rng)
        cast = {speaker: draw(rng, group) for speaker in dict.fromkeys(speaker for speaker, _ in passage.turns)}
        for speaker, sentence in passage.turns:
            speech = mouth.say(cast[speaker], sentence)
            if speech:
                clip.add(speech, cast[speaker].name, Fact(sentence, "", ""))
        yield clip.finished(questions=[asdict(question) for question in passage.questions])

"""Stage 1, `speak`: texts -> augmented 16 kHz speech in 30 s windows, with the exact time of every word.

Speech comes in shards of half an hour, each made by a child process (flite ends its process on a rare unit: that
sentence is then skipped and the shard begun again). A shard is complete or absent; a rerun makes those missing.

Shards from 0 speak WordNet's sentences and those from 38 the everyday ones, both mixed with invented facts; a clip of
theirs fills one to three windows. Shards from 42 speak a file of passages each, one a clip, each speaker with a voice.
"""

# pyright: basic
from __future__ import annotations

import json
import math
import multiprocessing as mp
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve, lfilter
from tqdm import tqdm

from ..audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from ..synthesis.speaking.speech import Speech
from ..synthesis.speaking.voices import Speaker
from .passages import Passage, passage_files, read_passages
from .texts import Fact, everyday_sentences, facts, wordnet_sentences

WINDOWS_PER_SHARD = 60
CLIP_WINDOWS = (1, 1, 2, 3)  # a clip of sentences fills one of these numbers of windows
EVERYDAY_FROM, PASSAGES_FROM = 38, 42
VOICES = ("slt", "slt", "rms", "rms", "awb", "awb", "kal16")  # kal16 is the hardest to understand
FACT_SHARE = 0.3  # of all sentences; the rest is WordNet's


def speak(out: Path, shards: range, workers: int) -> None:
    """Write `shard_NNN.npy` (int16 windows) and `shard_NNN.json` (clips) for every shard not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    missing = [s for s in shards if not (out / f"shard_{s:03}.json").exists()]
    with ThreadPoolExecutor(workers) as pool:
        list(tqdm(pool.map(lambda s: _until_done(out, s), missing), total=len(missing), desc="shards spoken"))


def _until_done(out: Path, shard: int) -> None:
    skip: set[str] = set()
    saying = out / f"shard_{shard:03}.saying"
    while True:
        child = mp.get_context("spawn").Process(target=_speak_shard, args=(out, shard, skip, saying))
        child.start()
        child.join()
        if child.exitcode == 0:
            saying.unlink(missing_ok=True)
            return
        text = saying.read_text() if saying.exists() else ""
        if not text or text in skip:
            raise RuntimeError(f"shard {shard} failed with exit code {child.exitcode} at {text!r}")
        skip.add(text)


def _speak_shard(out: Path, shard: int, skip: set[str], saying: Path) -> None:
    rng = random.Random(1000 + shard)
    mouth = _Mouth(skip, saying)
    spoken = _spoken_passages(rng, shard, mouth) if shard >= PASSAGES_FROM else _spoken_sentences(rng, shard, mouth)
    windows, clips = [], []
    for samples, clip in spoken:
        count = -(-len(samples) // WINDOW_SAMPLES)
        clips.append({"first_window": len(windows), "windows": count, "samples": len(samples), **clip})
        padded = np.zeros(count * WINDOW_SAMPLES, np.int16)
        padded[: len(samples)] = np.clip(samples * 32767, -32768, 32767)
        windows += list(padded.reshape(count, WINDOW_SAMPLES))
    np.save(out / f"shard_{shard:03}.npy", np.stack(windows))
    partial = out / f"shard_{shard:03}.json.part"
    partial.write_text(json.dumps(clips))
    os.replace(partial, out / f"shard_{shard:03}.json")


@dataclass(frozen=True)
class _Mouth:
    """Says sentences, and leaves word of the one it is at, should the engine end the process."""

    skip: set[str]
    saying: Path

    def say(self, drawn: tuple[Speaker, float, float], sentence: str) -> Speech | None:
        if sentence in self.skip:
            return None
        self.saying.write_text(sentence)
        try:
            speech = drawn[0].say(sentence)
        except (ValueError, UnicodeEncodeError):
            return None  # the engine splits this text into other words than we do
        return replace(speech, samples=_coloured(speech.samples, *drawn[1:]))


class _Clip:
    """Speech put together sentence by sentence, with short pauses, and the time of every word."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.samples, self.spoken = rng, np.zeros(0, np.float32), []

    def add(self, speech: Speech, voice: str, said: Fact, limit: float = math.inf) -> bool:
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
        return _room(self.rng, self.samples), {"sentences": self.spoken, **facts}


def _sentences(shard: int) -> tuple[str, ...]:
    """A shard speaks about 400 sentences, so no two shards share one before the lists wrap."""
    everyday = shard >= EVERYDAY_FROM
    sentences = everyday_sentences() if everyday else wordnet_sentences()
    start = (shard - EVERYDAY_FROM * everyday) * 450 % len(sentences)
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
        clip, drawn = _Clip(rng), _draw(rng)
        for said in source:
            if rng.random() < 0.35:
                drawn = _draw(rng)
            speech = mouth.say(drawn, said.sentence)
            if speech and not clip.add(speech, drawn[0].voice, said, count * WINDOW_SAMPLES):
                break
        else:
            raise RuntimeError("the texts ran out")
        windows += count
        yield clip.finished()


def _spoken_passages(rng: random.Random, shard: int, mouth: _Mouth) -> Iterator[tuple[np.ndarray, dict]]:
    for passage in read_passages(passage_files()[shard - PASSAGES_FROM]):
        clip, cast = _Clip(rng), _cast(rng, passage)
        for speaker, sentence in passage.turns:
            speech = mouth.say(cast[speaker], sentence)
            if speech:
                clip.add(speech, cast[speaker][0].voice, Fact(sentence, "", ""))
        yield clip.finished(questions=[asdict(question) for question in passage.questions])


def _cast(rng: random.Random, passage: Passage) -> dict[str, tuple[Speaker, float, float]]:
    return {speaker: _draw(rng) for speaker in dict.fromkeys(speaker for speaker, _ in passage.turns)}


def _draw(rng: random.Random) -> tuple[Speaker, float, float]:
    """A speaker, a gain and a spectral tilt."""
    voice = rng.choice(VOICES)
    stretch, resample = rng.uniform(0.85, 1.2), rng.uniform(0.86, 1.22 if voice != "slt" else 1.15)
    gain, tilt = 10 ** rng.uniform(-1.0, -0.15), rng.uniform(-0.5, 0.5)
    return Speaker(voice, stretch, resample), gain, tilt


def _coloured(samples: np.ndarray, gain: float, tilt: float) -> np.ndarray:
    samples = np.asarray(lfilter([1.0, tilt], [1.0], samples))
    return (samples / (np.abs(samples).max() + 1e-6) * gain).astype(np.float32)


def _room(rng: random.Random, samples: np.ndarray) -> np.ndarray:
    """A reverberant room in a third of the clips, then white noise at -90 to -40 dB."""
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.33:
        decay = rng.uniform(0.05, 0.3)
        taps = noise.standard_normal(int(0.4 * SAMPLE_RATE_HZ)) * np.exp(
            -np.arange(int(0.4 * SAMPLE_RATE_HZ)) / (decay * SAMPLE_RATE_HZ / 3)
        )
        taps = np.concatenate([[1.0], rng.uniform(0.02, 0.12) * taps])
        samples = fftconvolve(samples, taps)[: len(samples)]
        samples = samples / max(1.0, float(np.abs(samples).max()))
    return (samples + noise.standard_normal(len(samples)) * 10 ** rng.uniform(-4.5, -2.0)).astype(np.float32)

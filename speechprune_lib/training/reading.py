"""What the frames say of themselves: how well the connector reads passages that no stage trains on."""

# pyright: basic
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jiwer
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen2AudioEncoder

from ..audio import WINDOW_TOKENS, audio_tokens, windows
from ..benchmarks import Example
from ..models.mini.connector import VocabularyProjector
from ..models.mini.smoothing import smooth
from .corpus import Corpus
from .encode import features_of
from .labels import BLANK, frame_labels, timed_tokens
from .upper import UpperLayers, below, features_of_windows


@dataclass(frozen=True)
class Reading:
    """One recording: what was said, and what was read with the connector's smoothing over time, with one that charges
    every change of token the same, and without; frames named rightly, with the first.

    frames: how many could be right; 0 where nobody tells when the words are said.
    """

    said: str
    smoothed: str
    evenly: str
    framewise: str
    right: int
    frames: int


def hearing(
    corpus: Corpus,
    projector: VocabularyProjector,
    tokenizer: PreTrainedTokenizerBase,
    device: str = "cpu",
    upper: UpperLayers | None = None,
) -> dict[str, float | int | None]:
    """How well the corpus' held-out passages are heard, through unfrozen layers if there are any; see `summary`."""
    return summary(list(_readings(corpus, projector.to(device), tokenizer, device, upper)))


def summary(read: Sequence[Reading]) -> dict[str, float | int | None]:
    """Word error rates with the connector's smoothing, with the even one and without, the words that it puts in for every
    word said (insertions, smoothed), and the share of frames whose token is right, smoothed; None where the frames'
    tokens are not known. Case and punctuation do not count."""
    said = [one.said for one in read]
    words, rate, insertions = word_errors(said, [one.smoothed for one in read])
    frames = sum(one.frames for one in read)
    return {
        "words": words,
        "smoothed": rate,
        "smoothed_insertions": insertions,
        "smoothed_evenly": jiwer.wer(said, [one.evenly for one in read]),
        "frame_by_frame": jiwer.wer(said, [one.framewise for one in read]),
        "frame_accuracy": sum(one.right for one in read) / frames if frames else None,
    }


def word_errors(said: list[str], read: list[str]) -> tuple[int, float, float]:
    """Words said, and of these the shares that are read wrongly and that are put in."""
    counted = jiwer.process_words(said, read)
    words = counted.hits + counted.substitutions + counted.deletions
    return words, counted.wer, counted.insertions / words


def read_examples(
    examples: Iterable[Example],
    encoder: Qwen2AudioEncoder,
    projector: VocabularyProjector,
    tokenizer: PreTrainedTokenizerBase,
    device: str = "cpu",
) -> list[Reading]:
    """A benchmark's recordings as they are heard. Their words' times are not known."""
    readings = []
    for example in tqdm(examples, desc="recordings read"):
        parts = windows(example.waveform())
        features = torch.cat([features_of(encoder, [part], device) for part in parts])
        heard = (len(parts) - 1) * WINDOW_TOKENS + audio_tokens(len(parts[-1]))
        texts, _ = _read(projector, tokenizer, features, heard)
        readings.append(Reading(plain(example.transcript), *texts, right=0, frames=0))
    return readings


@torch.inference_mode()
def _readings(
    corpus: Corpus, projector: VocabularyProjector, tokenizer, device: str, upper: UpperLayers | None
) -> Iterator[Reading]:
    for shard in corpus.encoded(below(0 if upper is None else len(upper.layers))):
        frames = corpus.frames(shard)
        for clip in filter(corpus.is_held_out, corpus.clips(shard)):
            windows_of_clip = [(shard, window) for window in corpus.windows(clip)]
            features = features_of_windows(corpus, windows_of_clip, upper)
            spoken = features([*range(len(windows_of_clip))], device)
            texts, best = _read(projector, tokenizer, spoken, corpus.heard(clip, frames))
            said = plain(" ".join(word for s in clip["sentences"] for word, _, _ in s["words"]))
            right, frames_timed = _rightly(clip, best.cpu(), projector.token_ids.cpu(), tokenizer)
            yield Reading(said, *texts, right=right, frames=frames_timed)


@torch.inference_mode()
def _read(
    projector: VocabularyProjector, tokenizer: PreTrainedTokenizerBase, features: torch.Tensor, heard: int
) -> tuple[tuple[str, str, str], torch.Tensor]:
    """What the frames say: smoothed as the connector does, evenly, and each for itself; the class of every frame."""
    probability, classes = projector.candidates(features)
    weights = [projector.smoothed(probability, classes), smooth(probability, classes), probability]
    smoothed, evenly, framewise = (one.flatten(0, 1)[:heard] for one in weights)
    of_frame = classes.flatten(0, 1)[:heard]

    def text(one: torch.Tensor) -> str:
        return plain(str(tokenizer.decode(projector.reading(one, of_frame))))

    best = of_frame.gather(-1, smoothed.argmax(-1, keepdim=True)).squeeze(-1)
    return (text(smoothed), text(evenly), text(framewise)), best


def _rightly(clip: dict, best: torch.Tensor, token_ids: torch.Tensor, tokenizer) -> tuple[int, int]:
    """Frames whose class names the token being said, of how many; (0, 0) without a time for every word."""
    if any(len(s["words"]) != len(s["sentence"].split()) for s in clip["sentences"]):
        return 0, 0
    words = [tuple(w) for s in clip["sentences"] for w in s["words"]]
    labels = torch.from_numpy(frame_labels(timed_tokens(words, tokenizer), len(best)))
    named = torch.cat([torch.tensor([BLANK]), token_ids])[best]
    return int((named == labels).sum()), len(best)


def plain(text: str) -> str:
    """Lower case, without punctuation."""
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())

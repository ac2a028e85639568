"""What the frames say of themselves: how well the connector reads passages that no stage trains on."""

# pyright: basic
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen2AudioEncoder

from ..audio import WINDOW_TOKENS, audio_tokens, windows
from ..benchmarks import Example
from ..models.mini.connector import VocabularyProjector
from .corpus import Corpus
from .encode import features_of
from .labels import BLANK, frame_labels, timed_tokens


@dataclass(frozen=True)
class Reading:
    """One held-out passage: what was said, and what was read with smoothing over time and without; frames named rightly.

    frames: how many could be right; 0 where the engine does not tell when its words are said.
    """

    said: str
    smoothed: str
    framewise: str
    right: int
    frames: int


def hearing(
    corpus: Corpus, projector: VocabularyProjector, tokenizer: PreTrainedTokenizerBase, device: str = "cpu"
) -> dict[str, float | int | None]:
    """How well the corpus' held-out passages are heard; see `summary`."""
    return summary(list(_readings(corpus, projector.to(device), tokenizer, device)))


def summary(read: Sequence[Reading]) -> dict[str, float | int | None]:
    """Word error rates with the connector's smoothing and without, the words that it puts in for every word said
    (insertions, smoothed), and the share of frames whose token is right, smoothed; None where the frames' tokens are
    not known. Case and punctuation do not count."""
    said = [one.said for one in read]
    counted = jiwer.process_words(said, [one.smoothed for one in read])
    words, frames = counted.hits + counted.substitutions + counted.deletions, sum(one.frames for one in read)
    return {
        "words": words,
        "smoothed": counted.wer,
        "smoothed_insertions": counted.insertions / words,
        "frame_by_frame": jiwer.wer(said, [one.framewise for one in read]),
        "frame_accuracy": sum(one.right for one in read) / frames if frames else None,
    }


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
        read, framewise, _ = _read(projector, tokenizer, features, heard)
        readings.append(Reading(plain(example.transcript), read, framewise, 0, 0))
    return readings


def _readings(corpus: Corpus, projector: VocabularyProjector, tokenizer, device: str) -> Iterator[Reading]:
    for shard in corpus.encoded():
        features, frames = np.load(corpus.file(shard, "features.npy"), mmap_mode="r"), corpus.frames(shard)
        for clip in filter(corpus.is_held_out, corpus.clips(shard)):
            spoken = torch.from_numpy(features[corpus.windows(clip)]).to(device).float()
            smoothed, framewise, best = _read(projector, tokenizer, spoken, corpus.heard(clip, frames))
            said = plain(" ".join(word for s in clip["sentences"] for word, _, _ in s["words"]))
            right, frames_timed = _rightly(clip, best.cpu(), projector.token_ids.cpu(), tokenizer)
            yield Reading(said, smoothed, framewise, right, frames_timed)


@torch.inference_mode()
def _read(
    projector: VocabularyProjector, tokenizer: PreTrainedTokenizerBase, features: torch.Tensor, heard: int
) -> tuple[str, str, torch.Tensor]:
    """What the frames say, smoothed over time and each for itself, and the class of every frame, smoothed."""
    probability, classes = projector.candidates(features)
    smoothed, of_frame = projector.smoothed(probability, classes).flatten(0, 1)[:heard], classes.flatten(0, 1)[:heard]
    read, framewise = (
        plain(str(tokenizer.decode(projector.reading(weights, of_frame))))
        for weights in (smoothed, probability.flatten(0, 1)[:heard])
    )
    return read, framewise, of_frame.gather(-1, smoothed.argmax(-1, keepdim=True)).squeeze(-1)


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

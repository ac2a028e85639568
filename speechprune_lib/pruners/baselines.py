"""What SpeechPrune is measured against: the paper's Original, RAP and RAC, all of the audio, and an even stride.

Random draws come from Python's generator seeded with the text "seed total": the only one whose stream is promised to
stay the same across versions, and no device takes part. So two recordings of equal length get equal draws: who
averages over recordings should give each its own seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ..prompt import SpeechPrompt
from .base import Pruner, top_k


@dataclass(frozen=True, kw_only=True)
class Original(Pruner):
    """The first `budget` tokens, whatever the rate: the model as it comes, which hears 30 s (Table I, "Original")."""

    name: ClassVar[str] = "original"
    uses_rate: ClassVar[bool] = False

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return torch.arange(count)


@dataclass(frozen=True, kw_only=True)
class Everything(Pruner):
    """All audio tokens, whatever the rate and the budget (section IV-C, "complete, unpruned")."""

    name: ClassVar[str] = "everything"
    uses_rate: ClassVar[bool] = False

    def count(self, total: int, prune_rate: float) -> int:
        return total

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return torch.arange(count)


@dataclass(frozen=True, kw_only=True)
class RandomTokens(Pruner):
    """The paper's RAP: tokens anywhere, every subset of the size equally likely.

    The paper says "non-contiguous segments" without their length; here each token is drawn by itself. With one seed a
    higher rate keeps a subset of what a lower rate keeps, so that a curve over rates is not blurred by new draws.
    """

    name: ClassVar[str] = "rap"
    uses_seed: ClassVar[bool] = True

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        random = _random(seed, prompt.audio_tokens)
        return top_k(torch.tensor([random.random() for _ in range(prompt.audio_tokens)], dtype=torch.float64), count)


@dataclass(frozen=True, kw_only=True)
class RandomCrop(Pruner):
    """The paper's RAC: one unbroken stretch of exactly the size, every start equally likely."""

    name: ClassVar[str] = "rac"
    uses_seed: ClassVar[bool] = True

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        starts = prompt.audio_tokens - count + 1
        start = int(_random(seed, prompt.audio_tokens).random() * starts)
        return torch.arange(start, start + count)


@dataclass(frozen=True, kw_only=True)
class UniformStride(Pruner):
    """Evenly spaced tokens, the middle one of each of `count` equal stretches; not in the paper."""

    name: ClassVar[str] = "uniform"

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return (2 * torch.arange(count) + 1) * prompt.audio_tokens // (2 * count)


def _random(seed: int, total: int) -> Random:
    return Random(f"{seed} {total}")

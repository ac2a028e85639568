"""What every pruner is: a frozen value that looks at a prompt and decides which audio tokens survive."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from ..prompt import WINDOW_TOKENS, Plan, Positions, SpeechPrompt, all_finite, kept_count

TIE_DECIMALS = 9
"""Scores that agree to this many decimals tie: float noise differs between devices, and must not decide."""

NO_RANK = -1
"""Index of every token where the scores do not rank."""


@dataclass(frozen=True, kw_only=True)
class Pruner(ABC):
    """A method: `plan` fixes how many tokens stay, `choose` says which.

    `budget` is the number of tokens that prune rate 0 keeps, whatever the audio's length (the paper's 750, 30 s).
    `positions` is handed on to the plan. The class says whether its plans depend on the rate and on the seed, so that
    an evaluation need not repeat what cannot differ.
    """

    name: ClassVar[str]
    uses_rate: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = False

    budget: int = WINDOW_TOKENS
    positions: Positions = "original"

    def __post_init__(self) -> None:
        check_choice("positions", self.positions, Positions)
        if self.budget < 1:
            raise ValueError(f"budget is {self.budget}, expected at least one audio token, such as {WINDOW_TOKENS}")

    def plan(self, prompt: SpeechPrompt, prune_rate: float, seed: int = 0) -> Plan:
        """The audio tokens that survive; the same arguments give the same plan on any device.

        All of them where `count` leaves nothing to drop, without looking at the prompt any further. Raises ValueError
        for a prompt without audio, and what `kept_count` and `choose` raise.
        """
        total = prompt.audio_tokens
        if total == 0:
            raise ValueError("the prompt has no audio tokens to prune: prepare it with audio, or do not prune it")
        count = self.count(total, prune_rate)
        # the one place where the host waits for a GPU, if the tokens lie on one
        keep = torch.arange(total) if count == total else self.choose(prompt, count, seed).cpu()
        if len(keep) and int(keep[0]) == NO_RANK:
            raise ValueError("some of the tokens' scores are NaN: check the embeddings")
        return Plan(keep, total, self.positions)

    def count(self, total: int, prune_rate: float) -> int:
        """Tokens kept of `total`: the rate counts from the budget, as in Table I (0.2 keeps 600 of any long audio)."""
        return min(total, kept_count(self.budget, prune_rate if self.uses_rate else 0.0))

    @abstractmethod
    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        """Increasing indices, on any device, of `count` of the prompt's audio tokens; `count` is less than there are."""


def best_first(scores: Float[Tensor, "*rows tokens"]) -> Int[Tensor, "*rows tokens"]:
    """Indices along the last axis by falling score, where the scores lie; ties: the earliest token first.

    Scores that agree to `TIE_DECIMALS` tie. Raises ValueError for NaN on a CPU; elsewhere see `top_k`.
    """
    scores = as_float64(scores)
    if on_host(scores) and bool(scores.isnan().any()):
        raise ValueError(f"{int(scores.isnan().sum())} of {scores.numel()} scores are NaN: check the embeddings")
    return scores.round(decimals=TIE_DECIMALS).sort(dim=-1, descending=True, stable=True).indices


def top_k(scores: Float[Tensor, " tokens"], k: int) -> Int[Tensor, " kept"]:
    """Increasing indices of the `k` highest scores, where they lie; ties: the earliest token wins.

    Raises ValueError unless 0 <= k <= tokens, and for NaN on a CPU. On a GPU the indices then are `NO_RANK`, which
    `Pruner.plan` refuses: asking at once would make the host wait.
    """
    if not 0 <= k <= len(scores):
        raise ValueError(f"cannot choose {k} of {len(scores)} tokens")
    best = best_first(scores)[:k].sort().values
    return best if on_host(scores) else best.masked_fill(scores.isnan().any(), NO_RANK)


def as_float64(tensor: Float[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """Double precision where the tensor lies, or on the CPU if that device has none (Apple's MPS)."""
    tensor = tensor.detach()
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def check_choice(name: str, value: object, choices: Any) -> None:
    """Raise ValueError unless `value` is one of the `Literal` type's values."""
    if value not in get_args(choices):
        raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(repr, get_args(choices)))}")


def on_host(tensor: Tensor) -> bool:
    """Whether looking at a value costs nothing."""
    return tensor.device.type == "cpu"


def check_finite(what: str, tensor: Tensor) -> None:
    """On a CPU; elsewhere NaN and infinity reach the scores, and the plan is refused (see `top_k`)."""
    if on_host(tensor) and not all_finite(tensor):
        raise ValueError(f"{what} hold NaN or infinity: check the audio and the model's dtype")

"""SpeechPrune's phase 1 (arXiv 2412.12009, Eqs. 4-9): what in the audio resembles the question, second by second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from ..prompt import SpeechPrompt
from .base import TIE_DECIMALS, as_float64, best_first, check_choice, check_finite

BudgetRule = Literal["exact", "literal"]
LastFrame = Literal["scaled", "literal"]
Match = Literal["mean", "max"]


@dataclass(frozen=True)
class SimilarityPhase:
    """Phase 1, Eqs. 4-9: a budget for every frame, and each frame's tokens most similar to the question.

    A frame is `SpeechPrompt.frame_size` tokens: those of `frame_seconds`, or a group of tokens without time. `temperature` divides the frames' scores
    before the softmax of Eq. 6 (the paper's: 1). `budget_rule` "literal" is Eq. 7, and then **the plan may keep fewer
    tokens than asked for**; "exact" keeps exactly as many (see `frame_budget`). `last_frame` is what becomes of a last
    frame that is short (see `frame_scores`).

    Two departures from the paper, off by default, for models whose audio tokens are words: `match` "max" compares a
    token with the question's nearest token instead of with their mean (see `similarity`), and `frame_best` counts only
    so many of a frame's best tokens in its score (0: all, Eq. 5).
    """

    frame_seconds: float = 1.0
    temperature: float = 1.0
    budget_rule: BudgetRule = "exact"
    last_frame: LastFrame = "scaled"
    match: Match = "mean"
    frame_best: int = 0

    def __post_init__(self) -> None:
        check_choice("budget_rule", self.budget_rule, BudgetRule)
        check_choice("last_frame", self.last_frame, LastFrame)
        check_choice("match", self.match, Match)
        if self.frame_best < 0:
            raise ValueError(f"frame_best is {self.frame_best}, expected a number of tokens, or 0 for all of a frame")
        for name in ("frame_seconds", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a positive number")

    def select(self, prompt: SpeechPrompt, count: int) -> Int[Tensor, " kept"]:
        """Increasing indices of `count` audio tokens ("literal" budgets: at most `count`), or of all if they are fewer.

        Raises ValueError for a question without tokens, and if "literal" budgets come out all zero.
        """
        if count >= prompt.audio_tokens:
            return torch.arange(prompt.audio_tokens)
        scores = similarity(prompt.audio, prompt.question, self.match)
        frame_tokens = prompt.frame_size(self.frame_seconds)
        frames = frame_scores(scores, frame_tokens, self.last_frame, self.frame_best)
        sizes = frame_sizes(len(scores), frame_tokens)
        budgets = frame_budget(frames, sizes, count, self.temperature, self.budget_rule)
        if int(budgets.sum()) == 0:
            raise ValueError(
                f'the "literal" budget rule rounds {count} tokens over {len(budgets)} frames down to none at all: '
                'prune less, or use budget_rule="exact"'
            )
        return best_of_frames(scores, budgets, frame_tokens)


def similarity(
    audio: Float[Tensor, "audio dim"], question: Float[Tensor, "words question_dim"], match: Match = "mean"
) -> Float64[Tensor, " audio"]:
    """Cosine of each audio token to the question's tokens, averaged over them: mean(F, axis=1) of Eqs. 4 and 5.

    The mean over l of cos(s, t_l) is s/|s| times the mean of t_l/|t_l|: O(N D) instead of O(N L D), without F. "max",
    unlike Eq. 5, is the cosine to the nearest of the question's tokens, as in late interaction (ColBERT, arXiv
    2004.12832). A vector of norm zero has cosine 0 to everything. Raises ValueError for an empty question, unequal
    dims, NaN or infinity.
    """
    if len(question) == 0:
        raise ValueError("the question has no tokens, and phase 1 compares the audio with them: give its text")
    if audio.shape[1] != question.shape[1]:
        raise ValueError(
            f"the audio's embeddings have {audio.shape[1]} dimensions and the question's {question.shape[1]}: "
            "both must come from the same model, the audio after its projector"
        )
    check_finite("the audio's embeddings", audio)
    check_finite("the question's embeddings", question)
    if match == "max":
        return (_unit(audio) @ _unit(question).T).amax(1)
    # row by row and not as a matrix product, so that equal tokens score equally to the last bit
    return (_unit(audio) * _unit(question).mean(0)).sum(1)


def frame_sizes(tokens: int, frame_tokens: int) -> Int[Tensor, " frames"]:
    """Tokens in each of the ceil(tokens / frame_tokens) frames; only the last can be short."""
    starts = torch.arange(0, tokens, frame_tokens)
    return (tokens - starts).clamp(max=frame_tokens)


def frame_scores(
    token_scores: Float64[Tensor, " audio"], frame_tokens: int, last_frame: LastFrame = "scaled", best: int = 0
) -> Float64[Tensor, " frames"]:
    """Sum of its tokens' similarities for every frame (Eq. 5); `best`, unlike Eq. 5: of so many of its highest.

    A short last frame sums fewer cosines, which pulls its score towards 0 for no reason but its length. "scaled",
    unlike Eq. 5, multiplies its sum up to a whole frame's (its mean times the tokens counted); "literal" lets it be.
    """
    counted = min(best or frame_tokens, frame_tokens)
    ranked = _framed(token_scores, frame_tokens, -math.inf).sort(descending=True, dim=1).values[:, :counted]
    sums = ranked.masked_fill(ranked == -math.inf, 0.0).sum(1)
    if last_frame == "literal":
        return sums
    return sums * counted / frame_sizes(len(token_scores), frame_tokens).clamp(max=counted).to(sums)


def frame_budget(
    scores: Float64[Tensor, " frames"],
    sizes: Int[Tensor, " frames"],
    count: int,
    temperature: float = 1.0,
    rule: BudgetRule = "exact",
) -> Int[Tensor, " frames"]:
    """How many of `count` tokens each frame may keep: count * softmax(scores / temperature), made whole (Eqs. 6, 7).

    "literal" is Eq. 7's floor (and a frame cannot give more than its size), so that fewer than `count` may survive:
    up to one a frame is lost, and all that exceeds a frame. "exact", unlike Eq. 7, always hands out `count`: frames
    whose share reaches their size give all, the rest is shared anew among the others by the same softmax until no
    share exceeds its frame; then floors, and the last tokens go to the largest remainders (ties: the earliest frame).
    A share within 1e-9 of a whole number counts as that number. Raises ValueError if `count` exceeds all tokens.
    """
    scores, sizes = scores.cpu() / temperature, sizes.cpu()
    if not 0 <= count <= int(sizes.sum()):
        raise ValueError(f"cannot keep {count} of {int(sizes.sum())} tokens")
    if rule == "literal":
        return _shares(scores, count).floor().long().minimum(sizes)
    full = torch.zeros_like(sizes, dtype=torch.bool)
    while True:
        shares = _shares(scores.masked_fill(full, -math.inf), count - int(sizes[full].sum()))
        overflowing = ~full & (shares >= sizes)
        if not bool(overflowing.any()):
            break
        full |= overflowing
    budgets = torch.where(full, sizes, shares.floor().long())
    remainders = (shares - shares.floor()).masked_fill(full, -1.0)
    budgets[best_first(remainders)[: count - int(budgets.sum())]] += 1
    return budgets


def best_of_frames(
    token_scores: Float64[Tensor, " audio"], budgets: Int[Tensor, " frames"], frame_tokens: int
) -> Int[Tensor, " kept"]:
    """Increasing indices of each frame's best tokens, as many as its budget (Eqs. 8, 9); ties: the earliest wins."""
    ranked = best_first(_framed(token_scores, frame_tokens, -math.inf))
    ranked += frame_tokens * torch.arange(len(budgets))[:, None]
    return ranked[torch.arange(frame_tokens) < budgets[:, None]].sort().values


def _unit(vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
    return torch.nn.functional.normalize(as_float64(vectors), dim=1, eps=torch.finfo(torch.float64).tiny)


def _framed(token_scores: Float64[Tensor, " audio"], frame_tokens: int, fill: float) -> Float64[Tensor, "frames size"]:
    padding = -len(token_scores) % frame_tokens
    return torch.nn.functional.pad(token_scores, (0, padding), value=fill).reshape(-1, frame_tokens)


def _shares(scores: Float64[Tensor, " frames"], count: int) -> Float64[Tensor, " frames"]:
    """Eq. 6 times `count`, without float noise; a frame of score -inf gets nothing, even if all are such."""
    return (scores.softmax(0).nan_to_num(0.0) * count).round(decimals=TIE_DECIMALS)

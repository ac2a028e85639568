"""SpeechPrune's phase 1 (arXiv 2412.12009, Eqs. 4-9): what in the audio resembles the question, second by second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from ..prompt import SpeechPrompt, Text
from .base import as_float64, check_choice, check_finite, on_host
from .frames import BudgetRule, LastFrame, best_of_frames, frame_budget, frame_scores, frame_sizes

Centre = Literal["none", "audio", "both"]
Repeats = Literal["counted", "once"]

CACHED_NUMBERS, STREAMED_NUMBERS = 2**17, 2**24
"""Entries of the audio that are compared at a time: what a core's cache holds in double precision (1 MiB), and what
keeps a GPU busy (128 MiB)."""
SMALLEST = torch.finfo(torch.float64).tiny

SAME = 0.9
"""Cosine from which an audio token counts as its predecessor, said on."""
NOTHING = 1e-9
"""Share of a vector that is left after centring, below which it is rounding."""


@dataclass(frozen=True)
class SimilarityPhase:
    """Phase 1, Eqs. 4-9: a budget for every frame, and each frame's tokens most similar to the question.

    A frame is `SpeechPrompt.frame_size` tokens: those of `frame_seconds`, or a group of tokens without time. `temperature` divides the frames' scores
    before the softmax of Eq. 6 (the paper's: 1). `budget_rule` "literal" is Eq. 7, and then **the plan may keep fewer
    tokens than asked for**; "exact" keeps exactly as many (see `frame_budget`). `last_frame` is what becomes of a last
    frame that is short (see `frame_scores`).

    Departures from the paper, off by default: `match` "max" compares a token with the question's nearest token instead
    of with their mean, and "top3" with its three nearest (see `similarity`); `frame_best` counts only so many of a
    frame's best tokens in its score (0: all, Eq. 5); `repeats` "once" counts a token that lasts, such as a word that is
    said over several, once in it (see `frame_scores`); `centre` compares what is left without the clip's mean audio
    token ("audio"), and without the vocabulary's mean ("both": see `centred`); `text` compares with another text than the
    question: with its content words, or with it and its options (`SpeechPrompt.compared`).
    """

    frame_seconds: float = 1.0
    temperature: float = 1.0
    budget_rule: BudgetRule = "exact"
    last_frame: LastFrame = "scaled"
    match: str = "mean"
    frame_best: int = 0
    repeats: Repeats = "counted"
    centre: Centre = "none"
    text: Text = "question"

    def __post_init__(self) -> None:
        check_choice("budget_rule", self.budget_rule, BudgetRule)
        check_choice("last_frame", self.last_frame, LastFrame)
        check_choice("repeats", self.repeats, Repeats)
        check_choice("centre", self.centre, Centre)
        check_choice("text", self.text, Text)
        nearest(self.match)
        if self.frame_best < 0:
            raise ValueError(f"frame_best is {self.frame_best}, expected a number of tokens, or 0 for all of a frame")
        if self.frame_best and self.repeats == "once":
            raise ValueError(
                f"frame_best is {self.frame_best} with repeats='once', which counts no tokens: use one of both"
            )
        for name in ("frame_seconds", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a positive number")

    def select(self, prompt: SpeechPrompt, count: int) -> Int[Tensor, " kept"]:
        """Increasing indices of `count` audio tokens ("literal" budgets: at most `count`), or of all if they are fewer.

        Raises ValueError for a question without tokens, and if "literal" budgets come out all zero.
        """
        if count >= prompt.audio_tokens:
            return torch.arange(prompt.audio_tokens, device=prompt.embeddings.device)
        scores = self.similarity(prompt)
        frame_tokens = prompt.frame_size(self.frame_seconds)
        repeats = repeated(prompt.audio) if self.repeats == "once" else None
        frames = frame_scores(scores, frame_tokens, self.last_frame, self.frame_best, repeats)
        sizes = frame_sizes(len(scores), frame_tokens, scores.device)
        budgets = frame_budget(frames, sizes, count, self.temperature, self.budget_rule)
        kept = count if self.budget_rule == "exact" else int(budgets.sum())
        if kept == 0:
            raise ValueError(
                f'the "literal" budget rule rounds {count} tokens over {len(budgets)} frames down to none at all: '
                'prune less, or use budget_rule="exact"'
            )
        return best_of_frames(scores, budgets, frame_tokens, kept)

    def similarity(self, prompt: SpeechPrompt) -> Float64[Tensor, " audio"]:
        """What phase 1 goes by, of every audio token."""
        audio, words = prompt.audio, prompt.compared(self.text)
        if self.centre != "none":
            audio = centred(audio, as_float64(audio).mean(0))
        if self.centre == "both":
            if prompt.vocabulary_mean is None:
                raise ValueError("the prompt carries no vocabulary_mean, which centre='both' takes away: use 'audio'")
            words = centred(words, as_float64(prompt.vocabulary_mean()))
        return similarity(audio, words, self.match)


def similarity(
    audio: Float[Tensor, "audio dim"], question: Float[Tensor, "words question_dim"], match: str = "mean"
) -> Float64[Tensor, " audio"]:
    """Cosine of each audio token to the question's tokens, averaged over them: mean(F, axis=1) of Eqs. 4 and 5.

    The mean over l of cos(s, t_l) is s/|s| times the mean of t_l/|t_l|: O(N D) instead of O(N L D), without F. "max",
    unlike Eq. 5, is the cosine to the nearest of the question's tokens, as in late interaction (ColBERT, arXiv
    2004.12832), and "top3" the mean over the three nearest (all, if they are fewer). A vector of norm zero has cosine 0 to everything. Raises ValueError for an empty question, unequal
    dims, NaN or infinity.
    """
    if len(question) == 0:
        raise ValueError("the question has no tokens, and phase 1 compares the audio with them: give its text")
    if audio.shape[1] != question.shape[1]:
        raise ValueError(
            f"the audio's embeddings have {audio.shape[1]} dimensions and the question's {question.shape[1]}: "
            "both must come from the same model, the audio after its projector"
        )
    check_finite("the question's embeddings", question)
    words = _unit(question)
    numbers = CACHED_NUMBERS if on_host(audio) else STREAMED_NUMBERS
    parts = map(as_float64, audio.split(max(1, numbers // audio.shape[1])))
    counted = nearest(match)
    if counted:
        best = min(counted, len(words))
        scores = torch.cat([(_unit(part) @ words.T).topk(best, dim=1).values.mean(1) for part in parts])
    else:
        scores = torch.cat([_cosines(part, words.mean(0)) for part in parts])
    check_finite("the audio's embeddings", scores)  # NaN or infinity in a token makes its score NaN
    return scores


def nearest(match: str) -> int:
    """How many of the question's tokens a match counts: 0 (all) for "mean", 1 for "max", 3 for "top3"."""
    number = {"mean": "0", "max": "1"}.get(match, match.removeprefix("top"))
    if not number.isdecimal() or match in ("top0", number):
        raise ValueError(f"match is {match!r}, expected 'mean', 'max', or as many as in 'top3'")
    return int(number)


def centred(vectors: Float[Tensor, "rows dim"], mean: Float64[Tensor, " dim"]) -> Float64[Tensor, "rows dim"]:
    """The vectors without what they have in common, which cosines otherwise go by; what is left of nothing is zero."""
    whole = as_float64(vectors)
    left = whole - mean
    rounding = left.norm(dim=1, keepdim=True) <= NOTHING * whole.norm(dim=1, keepdim=True)
    return left.masked_fill(rounding, 0.0)


def repeated(audio: Float[Tensor, "audio dim"]) -> Bool[Tensor, " audio"]:
    """Which tokens say on what the one before them said: their cosine is at least `SAME`."""
    units = _unit(audio)
    alike = (units[1:] * units[:-1]).sum(1) >= SAME
    return torch.cat([alike.new_zeros(min(1, len(audio))), alike])


def _unit(vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
    return torch.nn.functional.normalize(as_float64(vectors), dim=1, eps=SMALLEST)


def _cosines(rows: Float64[Tensor, "rows dim"], vector: Float64[Tensor, " dim"]) -> Float64[Tensor, " rows"]:
    """Row by row and not as a matrix product, so that equal tokens score equally to the last bit."""
    return (rows * vector).sum(1) / torch.linalg.vector_norm(rows, dim=1).clamp(min=SMALLEST)

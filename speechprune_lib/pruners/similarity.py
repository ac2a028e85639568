"""SpeechPrune's phase 1 (arXiv 2412.12009, Eqs. 4-9): what in the audio resembles the question, second by second."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from ..prompt import SpeechPrompt, Text
from .base import TIE_DECIMALS, as_float64, best_first, check_choice, check_finite, on_host

BudgetRule = Literal["exact", "literal"]
LastFrame = Literal["scaled", "literal"]
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


def frame_sizes(tokens: int, frame_tokens: int, device: torch.device | None = None) -> Int[Tensor, " frames"]:
    """Tokens in each of the ceil(tokens / frame_tokens) frames; only the last can be short."""
    starts = torch.arange(0, tokens, frame_tokens, device=device)  # made there: a copy would make the host wait
    return (tokens - starts).clamp(max=frame_tokens)


def frame_scores(
    token_scores: Float64[Tensor, " audio"],
    frame_tokens: int,
    last_frame: LastFrame = "scaled",
    best: int = 0,
    repeats: Bool[Tensor, " audio"] | None = None,
) -> Float64[Tensor, " frames"]:
    """Sum of its tokens' similarities for every frame (Eq. 5); `best`, unlike Eq. 5: of so many of its highest.

    A short last frame sums fewer cosines, which pulls its score towards 0 for no reason but its length. "scaled",
    unlike Eq. 5, multiplies its sum up to a whole frame's (its mean times the tokens counted); "literal" lets it be.
    repeats (see `repeated`): tokens that say on what the one before them said weigh as much as one, all of them
    together, and the frame's weights are made to sum to its tokens again.
    """
    if repeats is not None:
        token_scores = token_scores * _weights(repeats, frame_tokens)
    counted = min(best or frame_tokens, frame_tokens)
    ranked = _framed(token_scores, frame_tokens, -math.inf).sort(descending=True, dim=1).values[:, :counted]
    sums = ranked.masked_fill(ranked == -math.inf, 0.0).sum(1)
    if last_frame == "literal":
        return sums
    return sums * counted / frame_sizes(len(token_scores), frame_tokens, sums.device).clamp(max=counted)


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
    A share within 1e-9 of a whole number counts as that number. Raises ValueError if `count` exceeds all tokens, where
    looking at their number costs nothing.
    """
    if on_host(sizes) and not 0 <= count <= int(sizes.sum()):
        raise ValueError(f"cannot keep {count} of {int(sizes.sum())} tokens")
    scores, sizes = scores / temperature, sizes.to(scores.device)
    if rule == "literal":
        return _shares(scores, count).floor().long().minimum(sizes)
    full = _full_frames(scores, sizes, count)
    shares = _shares(scores.masked_fill(full, -math.inf), count - (sizes * full).sum())
    budgets = torch.where(full, sizes, shares.floor().long())
    remainders = (shares - shares.floor()).masked_fill(full, -1.0)
    rank = torch.empty_like(sizes).scatter_(0, best_first(remainders), torch.arange(len(sizes), device=sizes.device))
    return budgets + (rank < count - budgets.sum())


def best_of_frames(
    token_scores: Float64[Tensor, " audio"], budgets: Int[Tensor, " frames"], frame_tokens: int, count: int
) -> Int[Tensor, " kept"]:
    """Increasing indices of each frame's best tokens, as many as its budget (Eqs. 8, 9); ties: the earliest wins.

    count: the budgets' sum, which the caller knows without waiting for them.
    """
    ranked = best_first(_framed(token_scores, frame_tokens, -math.inf))
    places = torch.arange(ranked.numel(), device=ranked.device).reshape(ranked.shape)
    dropped = places % frame_tokens >= budgets[:, None]
    return (
        (ranked + places - places % frame_tokens).masked_fill(dropped, ranked.numel()).flatten().sort().values[:count]
    )


def _full_frames(
    scores: Float64[Tensor, " frames"], sizes: Int[Tensor, " frames"], count: int
) -> Bool[Tensor, " frames"]:
    """The frames that give all: whose share of what the full ones before them leave reaches their size.

    In the order of share per token; there the first frame that is not full ends the search, and nothing asks a GPU.
    """
    order = best_first(scores - sizes.log())
    ranked, room = scores[order], sizes[order]
    left = count - (room.cumsum(0) - room)
    others = ranked.flip(0).logcumsumexp(0).flip(0)
    shares = (left * (ranked - others).exp()).round(decimals=TIE_DECIMALS)
    full = (shares >= room).long().cumprod(0).bool()
    return torch.zeros_like(full).scatter_(0, order, full)


def _weights(repeats: Bool[Tensor, " audio"], frame_tokens: int) -> Float64[Tensor, " audio"]:
    """Of every token in its frame's sum: 1 over the length of its run within the frame, times tokens a run."""
    places = torch.arange(len(repeats), device=repeats.device)
    frames = places // frame_tokens
    runs = ((~repeats) | (places % frame_tokens == 0)).long().cumsum(0) - 1
    ones = torch.ones(len(repeats), dtype=torch.float64, device=repeats.device)
    of_run = torch.zeros_like(ones).index_add_(0, runs, ones)[runs]
    of_frame = torch.zeros_like(ones).index_add_(0, frames, 1 / of_run)[frames]
    sizes = torch.zeros_like(ones).index_add_(0, frames, ones)[frames]
    return sizes / of_run / of_frame


def _unit(vectors: Float[Tensor, "rows dim"]) -> Float64[Tensor, "rows dim"]:
    return torch.nn.functional.normalize(as_float64(vectors), dim=1, eps=SMALLEST)


def _cosines(rows: Float64[Tensor, "rows dim"], vector: Float64[Tensor, " dim"]) -> Float64[Tensor, " rows"]:
    """Row by row and not as a matrix product, so that equal tokens score equally to the last bit."""
    return (rows * vector).sum(1) / torch.linalg.vector_norm(rows, dim=1).clamp(min=SMALLEST)


def _framed(token_scores: Float64[Tensor, " audio"], frame_tokens: int, fill: float) -> Float64[Tensor, "frames size"]:
    padding = -len(token_scores) % frame_tokens
    return torch.nn.functional.pad(token_scores, (0, padding), value=fill).reshape(-1, frame_tokens)


def _shares(scores: Float64[Tensor, " frames"], count: int | Int[Tensor, ""]) -> Float64[Tensor, " frames"]:
    """Eq. 6 times `count`, without float noise; a frame of score -inf gets nothing, even if all are such."""
    return (scores.softmax(0).nan_to_num(0.0) * count).round(decimals=TIE_DECIMALS)

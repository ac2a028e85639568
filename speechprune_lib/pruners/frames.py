"""Phase 1's frames: what each scores by its tokens, how many each may keep, and which those are (Eqs. 5 to 9)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from .base import TIE_DECIMALS, best_first, on_host

BudgetRule = Literal["exact", "literal"]
LastFrame = Literal["scaled", "literal"]


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
    Shares are rounded to nine decimals: what lies beyond is noise. Raises ValueError if `count` exceeds all tokens, where
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


def _framed(token_scores: Float64[Tensor, " audio"], frame_tokens: int, fill: float) -> Float64[Tensor, "frames size"]:
    padding = -len(token_scores) % frame_tokens
    return torch.nn.functional.pad(token_scores, (0, padding), value=fill).reshape(-1, frame_tokens)


def _shares(scores: Float64[Tensor, " frames"], count: int | Int[Tensor, ""]) -> Float64[Tensor, " frames"]:
    """Eq. 6 times `count`, without float noise; a frame of score -inf gets nothing, even if all are such."""
    return (scores.softmax(0).nan_to_num(0.0) * count).round(decimals=TIE_DECIMALS)

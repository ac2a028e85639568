"""What a frame says, given the frames around it: the forward-backward algorithm over the frames' best tokens.

Frame by frame, the connector wavers at the edges of a word ("later" begins like "layer"), and every wavering is a word
that nobody said. A token lasts several frames, so a change of token from one frame to the next is made to cost
something; the posterior of every frame then leans on the whole window.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

SWITCH = math.exp(-1)
"""Weight of changing the token between two frames, where staying weighs 1. Chosen on held-out training passages, by the
loss of their right replies: exp(-1) lowered it a little, exp(-4) raised it, though the frames' own reading then has the
fewest wrong words: a frame that is made sure of the wrong word no longer tells of the right one."""


def smooth(
    probability: Float[Tensor, "batch frames top"],
    classes: Int[Tensor, "batch frames top"],
    change: float | Callable[[Tensor, Tensor], Tensor] = SWITCH,
) -> Float[Tensor, "batch frames top"]:
    """Posteriors of a chain whose states are each frame's candidates: weight of a path = the product of its frames'
    probabilities and of `change` for every change of class. `change` = 1 returns the probabilities (normalized).

    change: one weight for all, or a function of the classes before and after (`Transitions`). Rabiner, "A tutorial on
    hidden Markov models" (1989), section III.A, with every step normalized.
    """
    before, after = classes[:, :-1, :, None], classes[:, 1:, None, :]
    if callable(change):
        weights = change(*torch.broadcast_tensors(before, after)).to(probability)
    else:
        weights = torch.where(before == after, 1.0, change).to(probability)
    forward = [_normalized(probability[:, 0])]
    for step, now in zip(weights.unbind(1), probability[:, 1:].unbind(1), strict=True):
        forward.append(_normalized(now * torch.einsum("bi,bij->bj", forward[-1], step)))
    backward = [torch.ones_like(forward[0])]
    for step, later in zip(weights.flip(1).unbind(1), probability[:, 1:].flip(1).unbind(1), strict=True):
        backward.append(_normalized(torch.einsum("bij,bj->bi", step, later * backward[-1])))
    return _normalized(torch.stack(forward, 1) * torch.stack(backward[::-1], 1))


def _normalized(weights: Float[Tensor, "*shape top"]) -> Float[Tensor, "*shape top"]:
    return weights / weights.sum(-1, keepdim=True)

"""How often one token follows another in speech: what the smoothing over time weighs a change of token by."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .smoothing import SWITCH


class Transitions(nn.Module):
    """Weight of going from one class to another between two frames, where staying weighs 1.

    `SWITCH` times the probability that the class comes next: of the pairs counted in training, or, with few counts, of
    the class by itself (Dirichlet-smoothed bigrams, MacKay & Peto 1995, Eq. 15). Without pairs, `SWITCH` alone.
    """

    pairs: Tensor
    counts: Tensor
    frequency: Tensor

    PRIOR = 20.0
    """How many counts the class by itself weighs as; 5 gives the same word error rate on held-out passages."""

    def __init__(self, classes: int, pairs: int) -> None:
        super().__init__()
        self.classes = classes
        self.register_buffer("pairs", torch.zeros(pairs, dtype=torch.long))  # first * classes + second, ascending
        self.register_buffer("counts", torch.zeros(pairs, dtype=torch.int32))  # whole numbers, past half precision
        self.register_buffer("frequency", torch.zeros(classes if pairs else 0, dtype=torch.int32))  # of every class

    def forward(self, before: Int[Tensor, "*shape"], after: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Weights for pairs of classes; equal ones weigh 1."""
        weight = torch.full(before.shape, SWITCH, device=before.device)
        if len(self.pairs):
            weight = weight * self.probability(before, after)
        return torch.where(before == after, 1.0, weight)

    def probability(self, before: Int[Tensor, "*shape"], after: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """That `after` is the next class, given that `before` ends."""
        key = before * self.classes + after
        place = torch.searchsorted(self.pairs, key).clamp(max=len(self.pairs) - 1)
        count = torch.where(self.pairs[place] == key, self.counts[place].float(), 0.0)
        alone = (self.frequency.float() + 1) / (self.frequency.float() + 1).sum()
        return (count + self.PRIOR * alone[after]) / (self.frequency[before].float() + self.PRIOR)

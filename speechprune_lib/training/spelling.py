"""Output rows that know how their token is spelled, so that a token spoken rarely learns from those spelled alike.

A row is a free vector plus the mean of the vectors of its letter groups (one to four letters, the word's border being
one), as in fastText (Bojanowski et al. 2017, arXiv 1607.04606, section 3.2). After training only the sums are kept.
"""

# pyright: basic
from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

LONGEST_GROUP = 4
BUCKETS = 30_000


def letter_groups(token: str) -> list[int]:
    """Buckets of a token's letter groups; a leading blank is a border of the word like any other letter."""
    text = token.lower()
    groups = {text[i : i + n] for n in range(1, LONGEST_GROUP + 1) for i in range(len(text) - n + 1)} | {f"<{text}"}
    return sorted({zlib.crc32(group.encode()) % BUCKETS for group in groups})


class Spelling(nn.Module):
    """(rows, dim) to add to the output rows: a class's letter groups, averaged; class 0, "no word", has none."""

    def __init__(self, tokens: Sequence[str], dim: int) -> None:
        super().__init__()
        groups = [[], *map(letter_groups, tokens)]
        self.sizes = torch.tensor([len(g) for g in groups])
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.groups = torch.tensor([bucket for g in groups for bucket in g])
        self.vectors = nn.EmbeddingBag(BUCKETS, dim, mode="mean")
        nn.init.zeros_(self.vectors.weight)  # begin as rows that do not know

    def forward(self, classes: Tensor) -> Tensor:
        starts, sizes = self.starts[classes.cpu()], self.sizes[classes.cpu()]
        within = torch.arange(int(sizes.sum())) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
        picked = self.groups[starts.repeat_interleave(sizes) + within]
        offsets = sizes.cumsum(0) - sizes
        device = self.vectors.weight.device
        return self.vectors(picked.to(device), offsets.to(device))

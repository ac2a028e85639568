"""The cached features of a corpus' windows, by row."""

# pyright: basic
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .corpus import ENCODED, Corpus


class Features:
    """Random access to what is cached of all windows: the encoder's features, or another file of every shard."""

    def __init__(self, corpus: Corpus, windows: list[tuple[int, int]], suffix: str = ENCODED) -> None:
        shards = sorted({shard for shard, _ in windows})
        if missing := [str(shard) for shard in shards if not corpus.file(shard, suffix).exists()]:
            raise FileNotFoundError(f"no {suffix} of the shards {', '.join(missing[:5])} in {corpus.root}: encode them")
        self._windows = windows
        self._shards = {shard: np.load(corpus.file(shard, suffix), mmap_mode="r") for shard in shards}

    def __call__(self, rows: list[int], device: str) -> Tensor:
        """(rows, frames, width), in float32."""
        picked = [self._shards[shard][window] for shard, window in (self._windows[r] for r in rows)]
        return torch.from_numpy(np.stack(picked)).to(device).float()

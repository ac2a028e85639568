"""The training corpus on disk: shards of 30 s windows, their clips and features."""

# pyright: basic
from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..audio import WINDOW_TOKENS

ENCODED = "features.npy"


@dataclass(frozen=True)
class Corpus:
    """A folder of shards. `file(3, "json")` is `shard_003.json`; a file under its final name is complete."""

    root: Path

    def file(self, shard: int, suffix: str) -> Path:
        return self.root / f"shard_{shard:03}.{suffix}"

    def clips(self, shard: int) -> list[dict]:
        return json.loads(self.file(shard, "json").read_text())

    def spoken(self, shards: Sequence[int] | None = None) -> Iterator[int]:
        """Shards in order: those that are there, or the named ones, waiting for every one still being spoken."""
        for shard in (
            shards if shards is not None else sorted(int(file.stem[-3:]) for file in self.root.glob("shard_???.json"))
        ):
            while not self.file(shard, "json").exists():
                time.sleep(2)
            yield shard

    @staticmethod
    def is_held_out(clip: dict) -> bool:
        """Never trained on, by no stage: the first passage of every shard of passages."""
        return "questions" in clip and clip["first_window"] == 0

    @staticmethod
    def windows(clip: dict) -> range:
        """The windows of its shard that a clip fills."""
        return range(clip["first_window"], clip["first_window"] + clip["windows"])

    def frames(self, shard: int) -> np.ndarray:
        """How many of every window's 750 frames are speech."""
        return np.load(self.file(shard, "frames.npy"))

    @staticmethod
    def heard(clip: dict, frames: np.ndarray) -> int:
        """Frames of a clip that are speech, by those of its shard's windows."""
        return (clip["windows"] - 1) * WINDOW_TOKENS + int(frames[Corpus.windows(clip)[-1]])

    def encoded(self, suffix: str = ENCODED) -> list[int]:
        """Shards that have the encoder's features, or another file that is made of their speech."""
        return [shard for shard in self.spoken() if self.file(shard, suffix).exists()]

"""Benchmarks: readers that turn published files into `Example`s, and `BENCHMARKS`, the table of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from . import spiral
from .base import BenchmarkError, Example, benchmark_hash

__all__ = ["BENCHMARKS", "BenchmarkError", "Example", "benchmark_hash", "load_benchmark"]

MINI_FOLDER = Path(__file__).parents[2] / "data" / "spiral-mini"

AUDIO_HINT = (
    "SPIRAL's authors publish the recordings at duke.box.com/v/spiral-dataset, under no stated licence: unpack them "
    "beside the annotations, or read without them (need_audio=False)"
)

Reader = Callable[[str, Path | None, bool], list[Example]]


def _spiral_mini(split: str, root: Path | None, need_audio: bool) -> list[Example]:
    folder = MINI_FOLDER if root is None else root
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no SPIRAL-mini at {folder}: it lies in the repository, not in an installed package; clone the repository "
            f"or pass root="
        )
    known = sorted(path.stem for path in folder.glob("*.jsonl"))
    if split not in known:
        raise BenchmarkError(f"SPIRAL-mini in {folder} has no split {split!r}, expected one of {known}")
    hint = "restore it from the repository, or build it again from texts/"
    audio_root = folder if need_audio else None
    return spiral.read(folder / f"{split}.jsonl", split=split, audio_root=audio_root, audio_hint=hint)


def _published(file: str) -> Reader:
    def read(split: str, root: Path | None, need_audio: bool) -> list[Example]:
        if root is None:
            raise BenchmarkError(f"SPIRAL is not part of this project: pass root=, the folder that holds {file}")
        if split != "test":
            raise BenchmarkError(f"SPIRAL has no split {split!r}, expected 'test', which is all of {file}")
        audio_root = root if need_audio else None
        return spiral.read(root / file, split=split, audio_root=audio_root, audio_hint=AUDIO_HINT)

    return read


BENCHMARKS: dict[str, Reader] = {
    "spiral-mini": _spiral_mini,
    "spiral": _published("data.jsonl"),
    "spiral-h": _published("data_h.jsonl"),
}


def load_benchmark(
    name: str = "spiral-mini", split: str = "test", root: str | Path | None = None, *, need_audio: bool = True
) -> list[Example]:
    """The examples of a benchmark in `BENCHMARKS`.

    root: the folder of its files (SPIRAL-mini's default is the repository's). need_audio: False reads the annotations
    alone, for what can be said without recordings. Raises BenchmarkError or FileNotFoundError, naming the place.
    """
    if name not in BENCHMARKS:
        raise BenchmarkError(f"no benchmark is called {name!r}, expected one of {sorted(BENCHMARKS)}")
    return BENCHMARKS[name](split, None if root is None else Path(root), need_audio)

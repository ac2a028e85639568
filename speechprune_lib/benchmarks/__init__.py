"""Benchmarks: readers that turn published files into `Example`s, and `BENCHMARKS`, the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from . import audiollms, spiral
from .base import BenchmarkError, Example, benchmark_hash
from .spiral_check import ANNOTATIONS, HARD_ANNOTATIONS, where_the_wavs_are

__all__ = ["BENCHMARKS", "BenchmarkError", "Example", "benchmark_hash", "load_benchmark", "stream_benchmark"]

MINI_FOLDER = Path(__file__).parents[2] / "data" / "spiral-mini"

Reader = Callable[[str, Path | None, bool], Iterable[Example]]


def _spiral_mini(split: str, root: Path | None, need_audio: bool) -> Iterator[Example]:
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


def _spiral(file: str) -> Reader:
    def read(split: str, root: Path | None, need_audio: bool) -> Iterator[Example]:
        _refuse_other_splits("SPIRAL", split, f"all of {file}")
        folder = _fetched(file) if root is None else root
        hint = f"{where_the_wavs_are(folder)}; or read without them (need_audio=False)"
        return spiral.read(folder / file, split=split, audio_root=folder if need_audio else None, audio_hint=hint)

    return read


def _respoken(split: str, root: Path | None, need_audio: bool) -> Iterator[Example]:
    _refuse_other_splits("SPIRAL, re-spoken,", split, "all of it")
    if root is None:
        raise BenchmarkError("SPIRAL, re-spoken, is made on your own computer: `speechprune respeak`, then pass root=")
    return _spiral_mini(split, root, need_audio)


def _fetched(file: str) -> Path:
    from .fetch import default_folder  # what downloads is slow to load

    folder = default_folder()
    if not (folder / file).is_file():
        raise BenchmarkError(
            f"SPIRAL is not part of this project, and {folder} does not hold {file}: `speechprune fetch spiral` gets "
            "it, or pass root=, the folder that holds it"
        )
    return folder


def _audiollms(name: str, data_set: str, kind: str) -> Reader:
    def read(split: str, root: Path | None, need_audio: bool) -> Iterator[Example]:
        _refuse_other_splits(name, split, "all that is published")
        if root is None:
            raise BenchmarkError(
                f"{name} is not part of this project: pass root=, the folder of Hugging Face's data set {data_set} "
                f"(hf download --repo-type dataset {data_set} --local-dir FOLDER)"
            )
        return audiollms.read(root, name=name, kind=kind, split=split, need_audio=need_audio)

    return read


def _refuse_other_splits(name: str, split: str, whole: str) -> None:
    if split != "test":
        raise BenchmarkError(f"{name} has no split {split!r}, expected 'test', which is {whole}")


BENCHMARKS: dict[str, Reader] = {
    "spiral-mini": _spiral_mini,
    "spiral": _spiral(ANNOTATIONS),
    "spiral-h": _spiral(HARD_ANNOTATIONS),
    "spiral-respoken": _respoken,
    "dream-tts": _audiollms("dream-tts", "AudioLLMs/dream_tts_mcq_test", kind="dialogue"),
    "cn-college-listen": _audiollms("cn-college-listen", "AudioLLMs/cn_college_listen_mcq_test", kind="listening test"),
}


def stream_benchmark(
    name: str = "spiral-mini", split: str = "test", root: str | Path | None = None, *, need_audio: bool = True
) -> Iterator[Example]:
    """The examples of a benchmark in `BENCHMARKS`, one at a time: memory does not grow with the benchmark.

    root: the folder of its files (SPIRAL-mini's default is the repository's, SPIRAL's what `fetch_spiral` fills).
    need_audio: False reads the annotations alone, for what can be said without recordings. Raises BenchmarkError or
    FileNotFoundError naming the place: at once for names and folders, on the way for what the files hold.
    """
    if name not in BENCHMARKS:
        raise BenchmarkError(f"no benchmark is called {name!r}, expected one of {sorted(BENCHMARKS)}")
    return iter(BENCHMARKS[name](split, None if root is None else Path(root), need_audio))


def load_benchmark(
    name: str = "spiral-mini", split: str = "test", root: str | Path | None = None, *, need_audio: bool = True
) -> list[Example]:
    """All examples of a benchmark at once; arguments and errors as of `stream_benchmark`."""
    return list(stream_benchmark(name, split, root, need_audio=need_audio))

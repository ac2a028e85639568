"""The paper's voices: readers of LibriTTS's train-clean-100, women and men by turns, as references for StyleTTS 2."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Literal

from ...audio import duration_seconds
from .voices import Speaker

Gender = Literal["female", "male"]

SUBSET = "train-clean-100"
LISTS = ("speakers.tsv", "SPEAKERS.txt")
"""LibriTTS's lists of its readers, the newer one first. Their first fields are the same, between tabs or "|"."""

READER = re.compile(r"(\d+)\s*[\t|]\s*([FM])\s*[\t|]\s*([\w-]+)")
PASSED = re.compile(r"\s*$|;|READER\b")
"""Blank lines, SPEAKERS.txt's comments, and the head of speakers.tsv."""

REFERENCE_SECONDS = 8.0


def libritts_cast(folder: Path, speakers: int = 12, seed: int = 0) -> tuple[Speaker, ...]:
    """A cast drawn from LibriTTS's train-clean-100, women and men by turns, for StyleTTS 2.

    folder: the corpus as unpacked, with train-clean-100/READER/CHAPTER/*.wav beside speakers.tsv (READER, GENDER, SUBSET
    and NAME between tabs) or SPEAKERS.txt (ID | SEX | SUBSET | MINUTES | NAME, comments after ";"). speakers: an even
    number, so that neighbours are balanced around the cast's end too. A reader's reference is the recording nearest
    8 s: one of 4 to 12 s wherever there is such. A seed draws the same readers on every machine, and a larger cast begins
    with the smaller. Unlike the paper's, which are not stated. Raises FileNotFoundError for no list or no recordings,
    ValueError for a list that cannot be read and for too few readers.
    """
    if speakers < 2 or speakers % 2:
        raise ValueError(f"a cast of {speakers} speakers is not half women, expected an even number from 2")
    folder = folder.resolve()  # the voices' paths are then the same from wherever a build goes on
    gender_of = _readers(folder)
    recordings = {reader: _recordings(folder, reader) for reader in sorted(gender_of, key=int)}
    if not any(recordings.values()):
        raise FileNotFoundError(
            f"no recordings {folder / SUBSET}/READER/CHAPTER/*.wav of listed readers: unpack LibriTTS's {SUBSET} there"
        )
    heard = [reader for reader, paths in recordings.items() if paths]
    women, men = (
        _drawn([reader for reader in heard if gender_of[reader] == gender], gender, speakers // 2, seed)
        for gender in ("female", "male")
    )
    by_turns = [reader for pair in zip(women, men, strict=True) for reader in pair]
    return tuple(
        Speaker(str(_reference(recordings[reader])), gender=gender_of[reader], engine="styletts2")
        for reader in by_turns
    )


def _readers(folder: Path) -> dict[str, Gender]:
    """Those of train-clean-100, by the corpus's own list."""
    path = next((folder / name for name in LISTS if (folder / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"no {' or '.join(LISTS)} in {folder}: give LibriTTS's own folder, which holds it beside {SUBSET}"
        )
    readers: dict[str, Gender] = {}
    for number, line in enumerate(path.read_text("utf8").splitlines(), start=1):
        if PASSED.match(line):
            continue
        fields = READER.match(line)
        if fields is None:
            raise ValueError(
                f"{path}, line {number}: {line!r} is no reader, expected a number, F or M, and a subset between tabs "
                f'or "|": unpack the list again'
            )
        reader, sex, subset = fields.groups()
        if subset == SUBSET:
            readers[reader] = "female" if sex == "F" else "male"
    return readers


def _recordings(folder: Path, reader: str) -> list[Path]:
    return list((folder / SUBSET / reader).glob("*/*.wav"))


def _drawn(readers: list[str], gender: Gender, count: int, seed: int) -> list[str]:
    if len(readers) < count:
        raise ValueError(
            f"{len(readers)} {gender} readers of {SUBSET} have recordings, expected {count} for a cast of {2 * count}: "
            f"unpack more of it, or ask for fewer speakers"
        )
    return Random(f"{seed} {gender}").sample(readers, len(readers))[:count]  # all, so that fewer are the first of more


def _reference(recordings: list[Path]) -> Path:
    """The recording nearest 8 s; of two as near, the first by name."""
    return min(recordings, key=lambda path: (abs(duration_seconds(path) - REFERENCE_SECONDS), path.name, path))

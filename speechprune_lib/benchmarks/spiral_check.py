"""Are SPIRAL's recordings, which its users get by hand, all there and what the annotations speak of?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..audio import AudioError, duration_seconds
from . import spiral

ANNOTATIONS, HARD_ANNOTATIONS = "data.jsonl", "data_h.jsonl"
"""All questions, and those of SPIRAL-H, which are among them."""

WORDS_PER_SECOND = (1.0, 4.5)
"""Slowest and fastest plausible speech, pauses included; the paper's mean of 87.89 s means 2.2."""

SHOWN = 5

Verdict = Literal["fine", "missing", "unreadable", "implausible"]


@dataclass(frozen=True)
class _Found:
    """One question's recording: `folders` are those it might lie in; 0 seconds where it has no readable header."""

    identity: str
    folders: tuple[Path, ...]
    path: Path | None
    seconds: float
    verdict: Verdict


@dataclass(frozen=True)
class SpiralCheck:
    """What `check_spiral` found; `str()` of it is for reading.

    `questions` and (readable) `recordings` are counts, `seconds` all recordings together. Ids of questions: `missing`
    have no recording, `unreadable` a damaged one, `implausible` one whose length in seconds does not fit its words.
    `unknown` are recordings that no question is about.
    """

    folder: Path
    questions: int
    recordings: int
    seconds: float
    missing: tuple[str, ...]
    unreadable: tuple[str, ...]
    implausible: tuple[tuple[str, float], ...]
    unknown: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """Every question can be asked; unknown recordings do no harm."""
        return not (self.missing or self.unreadable or self.implausible)

    def __str__(self) -> str:
        mean = f", {self.seconds / self.recordings:.2f} s each" if self.recordings else ""
        lines = [f"{self.folder}: {self.questions} questions, {self.recordings} recordings{mean}"]
        slowest, fastest = WORDS_PER_SECOND
        lengths = tuple(f"{identity} ({seconds:.1f} s)" for identity, seconds in self.implausible)
        for what, names in (
            ("without a recording", self.missing),
            ("with a damaged recording", self.unreadable),
            (f"with a recording of less than {slowest:g} or more than {fastest:g} words a second", lengths),
            ("recordings that no question is about", tuple(path.name for path in self.unknown)),
        ):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                lines.append(f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}")
        return "\n".join(lines if self.complete else [*lines, where_the_wavs_are(self.folder)])


def where_the_wavs_are(folder: Path) -> str:
    """How to get the recordings into `folder`, where the annotations lie."""
    return (
        "SPIRAL's authors publish the recordings at https://duke.box.com/v/spiral-dataset, under no stated licence: "
        f"download that folder in a browser and unpack it so that {folder / 'wavs' / 'lecture_0.wav'} is one of them"
    )


def check_spiral(root: str | Path) -> SpiralCheck:
    """Compare the recordings under `root` with `root/data.jsonl`: by name, and by the length that their headers state.

    Raises FileNotFoundError without annotations, and BenchmarkError naming file and line where they are damaged.
    """
    root = Path(root)
    found = [_judge(record, root) for _, record in spiral.records(root / ANNOTATIONS)]
    folders = {folder for one in found for folder in one.folders}
    unknown = {path for folder in folders for path in folder.glob("*.wav")} - {one.path for one in found}

    def ids(verdict: Verdict) -> tuple[str, ...]:
        return tuple(one.identity for one in found if one.verdict == verdict)

    return SpiralCheck(
        folder=root,
        questions=len(found),
        recordings=sum(one.seconds > 0 for one in found),
        seconds=float(sum(one.seconds for one in found)),
        missing=ids("missing"),
        unreadable=ids("unreadable"),
        implausible=tuple((one.identity, one.seconds) for one in found if one.verdict == "implausible"),
        unknown=tuple(sorted(unknown)),
    )


def _judge(record: spiral.Record, root: Path) -> _Found:
    identity, combined = record.metadata.id, record.audio_data.combined
    folders = tuple(place.parent for place in spiral.places(combined, root))
    path = spiral.find_audio(combined, root)
    if path is None:
        return _Found(identity, folders, None, 0.0, "missing")
    try:
        seconds = duration_seconds(path)
    except AudioError:
        return _Found(identity, folders, path, 0.0, "unreadable")
    slowest, fastest = WORDS_PER_SECOND
    words = sum(len(sentence.split()) for sentence in combined.sentences)
    fits = slowest * seconds <= words <= fastest * seconds
    return _Found(identity, folders, path, seconds, "fine" if fits else "implausible")

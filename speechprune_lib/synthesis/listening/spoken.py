"""Spoken clips out of a built benchmark's split: who says what, with which voice, and when.

Lines are the builder's: SPIRAL's format, and the `times`, `voices` and `duration` that SPIRAL's own files lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import ascii_uppercase

from pydantic import BaseModel, Field, ValidationError, model_validator

from ...complaints import first_complaint
from ...files import numbered_lines


class SpokenError(ValueError):
    """A split cannot be used; the message says where (file:line), what is missing or wrong, and the way out."""


@dataclass(frozen=True)
class Turn:
    """What one speaker says until another one speaks; times in seconds of the recording."""

    speaker: str
    voice: str
    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class SpokenClip:
    """One question and its recording, which other questions may share; the file need not exist.

    key_start_s: when the key sentence begins, None where the recording does not hold the answer. letter: the right
    option's, None for an open question.
    """

    id: str
    kind: str
    topic: str
    audio: Path
    turns: tuple[Turn, ...]
    duration_s: float
    key_start_s: float | None
    letter: str | None


def read_spoken(folder: str | Path, split: str) -> Iterator[SpokenClip]:
    """The clips of `folder/split.jsonl`, line by line. Raises FileNotFoundError, and SpokenError naming the line."""
    folder = Path(folder)
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.jsonl"))) or "none"
        raise FileNotFoundError(f"no split {split!r} in {folder}, which has: {known}")
    line_of: dict[str, int] = {}
    for number, line in numbered_lines(path):
        clip = _clip(line, folder, f"{path}:{number}")
        first = line_of.setdefault(clip.id, number)
        if first != number:
            raise SpokenError(f"{path}:{number}: id {clip.id!r} is already that of line {first}")
        yield clip
    if not line_of:
        raise SpokenError(f"{path} holds no clips, expected one JSON object a line: build the benchmark again")


class _Said(BaseModel):
    speaker: str
    text: list[str]


class _Question(BaseModel):
    choices: list[str] = []
    correct_answer: str | None = None

    @model_validator(mode="after")
    def _answerable(self) -> _Question:
        if self.choices and self.correct_answer not in self.choices:
            raise ValueError(f"the right answer {self.correct_answer!r} is none of the choices {self.choices}")
        return self

    @property
    def letter(self) -> str | None:
        return ascii_uppercase[self.choices.index(self.correct_answer or "")] if self.choices else None


class _Metadata(BaseModel):
    id: str = Field(min_length=1)
    transcript_type: str
    main_topic: str


class _Key(BaseModel):
    indices: tuple[int, int]


class _Combined(BaseModel):
    audio_files: list[str] = Field(min_length=1, max_length=1)
    audio_folder: str
    voices: dict[str, str]
    sentences: list[str] = Field(min_length=1)
    times: list[tuple[float, float]]
    duration: float = Field(gt=0, allow_inf_nan=False)


class _Audio(BaseModel):
    key_sentences: _Key | None = None
    combined: _Combined


class _Line(BaseModel):
    transcript: list[_Said]
    test_question: _Question
    metadata: _Metadata
    audio_data: _Audio

    @model_validator(mode="after")
    def _fits_together(self) -> _Line:
        combined, key = self.audio_data.combined, self.audio_data.key_sentences
        if combined.sentences != [sentence for said in self.transcript for sentence in said.text]:
            raise ValueError("the spoken sentences are not the transcript's")
        if len(combined.times) != len(combined.sentences):
            raise ValueError(f"{len(combined.times)} times for {len(combined.sentences)} sentences")
        if any(not 0 <= start < end for start, end in combined.times):
            raise ValueError("a sentence's times are not 0 <= start < end")
        if key is not None and not 0 <= key.indices[0] < len(combined.sentences):
            raise ValueError(f"the key sentence {key.indices[0]} is none of the {len(combined.sentences)} sentences")
        if lacking := sorted({said.speaker for said in self.transcript} - combined.voices.keys()):
            raise ValueError(f"no voice is named for {', '.join(lacking)}")
        return self


def _clip(line: bytes, folder: Path, where: str) -> SpokenClip:
    try:
        record = _Line.model_validate_json(line)
    except ValidationError as error:
        raise SpokenError(
            f"{where}: {first_complaint(error)}; expected a line of the builder: build the benchmark again"
        ) from error
    combined, key = record.audio_data.combined, record.audio_data.key_sentences
    return SpokenClip(
        id=record.metadata.id,
        kind=record.metadata.transcript_type,
        topic=record.metadata.main_topic,
        audio=folder / combined.audio_folder / combined.audio_files[0],
        turns=tuple(_turns(record)),
        duration_s=combined.duration,
        key_start_s=None if key is None else combined.times[key.indices[0]][0],
        letter=record.test_question.letter,
    )


def _turns(record: _Line) -> Iterator[Turn]:
    combined = record.audio_data.combined
    speakers = [said.speaker for said in record.transcript for _ in said.text]
    spoken = zip(speakers, combined.sentences, combined.times, strict=True)
    for speaker, group in groupby(spoken, key=lambda said: said[0]):
        _, sentences, times = zip(*group, strict=True)
        yield Turn(speaker, combined.voices[speaker], " ".join(sentences), times[0][0], times[-1][1])

"""Reader of SPIRAL's JSON lines, as its authors publish them and as this project's builder writes them.

The builder adds what the published files lack: `times` (start, end in seconds of every sentence) and `duration`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..audio import duration_seconds
from ..complaints import first_complaint
from ..files import numbered_lines
from ..paper import CLIP_SECONDS
from .base import BenchmarkError, Example
from .choices import answer_index, strip_labels

Span = tuple[float, float]

WORDS_PER_SECOND = 194.9 / CLIP_SECONDS
"""SPIRAL's mean words a recording (counted in its annotations) over its mean length (printed in the paper): a pace to
assume where only the annotations are at hand."""


class Question(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    question: str = Field(min_length=1)
    choices: list[str] = []
    correct_answer: str = ""
    reference_answers: list[str] = []


class Metadata(BaseModel):
    id: str = Field(min_length=1)
    transcript_type: str


class KeySentences(BaseModel):
    """`indices` is half-open: sentences[first:stop] hold the answer."""

    indices: tuple[int, int]


class Combined(BaseModel):
    audio_files: list[str] = Field(min_length=1, max_length=1)
    audio_folder: str
    sentences: list[str] = Field(min_length=1)
    times: list[Span] | None = None
    duration: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class AudioData(BaseModel):
    """`key_sentences` is None where the recording does not hold the answer (SPIRAL-mini's "absent" questions)."""

    key_sentences: KeySentences | None
    combined: Combined

    @model_validator(mode="after")
    def _fits_together(self) -> AudioData:
        first, stop = self.indices
        sentences, times = len(self.combined.sentences), self.combined.times
        if self.key_sentences is not None and not 0 <= first < stop <= sentences:
            raise ValueError(f"key sentences {first}:{stop} do not lie within the {sentences} sentences")
        if times is not None and len(times) != sentences:
            raise ValueError(f"{len(times)} times for {sentences} sentences")
        if times is not None and any(not 0 <= start <= end for start, end in times):
            raise ValueError("a sentence's times are not 0 <= start <= end")
        return self

    @property
    def indices(self) -> tuple[int, int]:
        return (0, 0) if self.key_sentences is None else self.key_sentences.indices


class Record(BaseModel):
    """One line; what the reader does not use (prompts_used, topics, single key wavs, ...) is not looked at."""

    test_question: Question
    metadata: Metadata
    audio_data: AudioData


def read(
    annotations: Path,
    *,
    split: str,
    audio_root: Path | None,
    audio_hint: str = "",
    words_per_second: float | None = None,
) -> Iterator[Example]:
    """The examples of one .jsonl file, in its order, one at a time: of those gone by only the ids stay in memory.

    Recordings are looked for under `audio_root` as `places` says; None leaves them out; `audio_hint` says in the error
    where to get a missing one. Key spans come from stored times; without them from word counts spread over the
    recording's length; without a length they stay empty, unless `words_per_second` is assumed. Raises
    FileNotFoundError at once, and, on the way, BenchmarkError naming file and line.
    """
    _refuse_missing(annotations)
    return _examples(annotations, split, audio_root, audio_hint, words_per_second)


def records(annotations: Path) -> Iterator[tuple[int, Record]]:
    """Line numbers (from 1) and records, one at a time; empty lines pass. Raises as `read` does."""
    _refuse_missing(annotations)
    return _records(annotations)


def places(combined: Combined, root: Path) -> tuple[Path, ...]:
    """Where a recording may lie: `audio_folder/file`, `last part of audio_folder/file`, or `file`."""
    file, folder = combined.audio_files[0], Path(combined.audio_folder)
    return root / folder / file, root / folder.name / file, root / file


def find_audio(combined: Combined, root: Path) -> Path | None:
    """The first of the `places` that is a file."""
    return next((path for path in places(combined, root) if path.is_file()), None)


def _refuse_missing(annotations: Path) -> None:
    if not annotations.is_file():
        raise FileNotFoundError(f"no annotations at {annotations}: check the folder and the split")


def _examples(
    annotations: Path, split: str, audio_root: Path | None, audio_hint: str, pace: float | None
) -> Iterator[Example]:
    line_of: dict[str, int] = {}
    for number, record in _records(annotations):
        identity = record.metadata.id
        if identity in line_of:
            raise BenchmarkError(f"{annotations}:{number}: id {identity!r} is already that of line {line_of[identity]}")
        line_of[identity] = number
        try:
            example = _example(record, split, audio_root, audio_hint, pace)
        except (ValueError, FileNotFoundError) as error:
            raise BenchmarkError(f"{annotations}:{number}: {error}") from error
        yield example
    if not line_of:
        raise BenchmarkError(f"{annotations} holds no examples, expected one JSON object a line")


def _records(annotations: Path) -> Iterator[tuple[int, Record]]:
    for number, line in numbered_lines(annotations):
        yield number, _record(line, f"{annotations}:{number}")


def _record(line: bytes, where: str) -> Record:
    try:
        return Record.model_validate(json.loads(line))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{where}: not a line of JSON ({error})") from error
    except ValidationError as error:
        raise BenchmarkError(f"{where}: {first_complaint(error)}; expected SPIRAL's format") from error


def _example(record: Record, split: str, audio_root: Path | None, audio_hint: str, pace: float | None) -> Example:
    question, combined = record.test_question, record.audio_data.combined
    audio_path = None if audio_root is None else _existing_audio(combined, audio_root, audio_hint)
    duration_s = combined.duration
    if duration_s is None and audio_path is not None:
        duration_s = duration_seconds(audio_path)
    times = combined.times
    if times is None:
        times = _spread_words(combined.sentences, duration_s, pace)
    first, stop = record.audio_data.indices
    is_open = not question.choices
    return Example(
        id=record.metadata.id,
        audio_path=audio_path,
        question=question.question,
        choices=strip_labels(question.choices),
        answer=None if is_open else answer_index(question.choices, question.correct_answer),
        transcript=" ".join(combined.sentences),
        key_spans=tuple((times or [])[first:stop]),
        kind=record.metadata.transcript_type,
        duration_s=duration_s,
        split=split,
        spans_estimated=combined.times is None and times is not None,
        references=tuple(question.reference_answers) if is_open else (),
    )


def _existing_audio(combined: Combined, root: Path, hint: str) -> Path:
    path = find_audio(combined, root)
    if path is None:
        raise FileNotFoundError(f"no recording at {places(combined, root)[0]}; {hint or 'check the folder'}")
    return path


def _spread_words(sentences: list[str], duration_s: float | None, pace: float | None) -> list[Span] | None:
    """Times as if every word took equally long and nobody paused: over the recording, or at an assumed pace."""
    ends = list(accumulate(len(sentence.split()) for sentence in sentences))
    if duration_s is not None:
        seconds_a_word = duration_s / max(1, ends[-1])
    elif pace is not None:
        seconds_a_word = 1 / pace
    else:
        return None
    return list(pairwise(seconds_a_word * words for words in (0, *ends)))

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
from .base import BenchmarkError, Example
from .choices import answer_index, strip_labels

Span = tuple[float, float]


class Question(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    question: str = Field(min_length=1)
    choices: list[str]
    correct_answer: str


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
    key_sentences: KeySentences
    combined: Combined

    @model_validator(mode="after")
    def _fits_together(self) -> AudioData:
        first, stop = self.key_sentences.indices
        sentences, times = len(self.combined.sentences), self.combined.times
        if not 0 <= first < stop <= sentences:
            raise ValueError(f"key sentences {first}:{stop} do not lie within the {sentences} sentences")
        if times is not None and len(times) != sentences:
            raise ValueError(f"{len(times)} times for {sentences} sentences")
        if times is not None and any(not 0 <= start <= end for start, end in times):
            raise ValueError("a sentence's times are not 0 <= start <= end")
        return self


class Record(BaseModel):
    """One line; what the reader does not use (prompts_used, topics, single key wavs, ...) is not looked at."""

    test_question: Question
    metadata: Metadata
    audio_data: AudioData


def read(annotations: Path, *, split: str, audio_root: Path | None, audio_hint: str = "") -> list[Example]:
    """The examples of one .jsonl file, in its order.

    Recordings are looked for under `audio_root` as `audio_folder/file`, `last part of audio_folder/file` or `file`;
    None leaves them out; `audio_hint` says in the error where to get a missing one. Key spans come from stored times;
    without them from word counts spread over the recording's length; without a length they stay empty. Raises
    FileNotFoundError, and BenchmarkError naming file and line.
    """
    examples: list[Example] = []
    line_of: dict[str, int] = {}
    for number, record in _records(annotations):
        identity = record.metadata.id
        if identity in line_of:
            raise BenchmarkError(f"{annotations}:{number}: id {identity!r} is already that of line {line_of[identity]}")
        line_of[identity] = number
        try:
            examples.append(_example(record, split, audio_root, audio_hint))
        except (ValueError, FileNotFoundError) as error:
            raise BenchmarkError(f"{annotations}:{number}: {error}") from error
    if not examples:
        raise BenchmarkError(f"{annotations} holds no examples, expected one JSON object a line")
    return examples


def _records(annotations: Path) -> Iterator[tuple[int, Record]]:
    if not annotations.is_file():
        raise FileNotFoundError(f"no annotations at {annotations}: check the folder and the split")
    with annotations.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, _record(line, f"{annotations}:{number}")


def _record(line: str, where: str) -> Record:
    try:
        return Record.model_validate(json.loads(line))
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"{where}: not a line of JSON ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise BenchmarkError(f"{where}: {place}: {first['msg']}; expected SPIRAL's format") from error


def _example(record: Record, split: str, audio_root: Path | None, audio_hint: str) -> Example:
    question, combined = record.test_question, record.audio_data.combined
    audio_path = None if audio_root is None else _find_audio(combined, audio_root, audio_hint)
    duration_s = combined.duration
    if duration_s is None and audio_path is not None:
        duration_s = duration_seconds(audio_path)
    times = combined.times
    if times is None and duration_s is not None:
        times = _spread_words(combined.sentences, duration_s)
    first, stop = record.audio_data.key_sentences.indices
    return Example(
        id=record.metadata.id,
        audio_path=audio_path,
        question=question.question,
        choices=strip_labels(question.choices),
        answer=answer_index(question.choices, question.correct_answer),
        transcript=" ".join(combined.sentences),
        key_spans=tuple((times or [])[first:stop]),
        kind=record.metadata.transcript_type,
        duration_s=duration_s,
        split=split,
        spans_estimated=combined.times is None and times is not None,
    )


def _find_audio(combined: Combined, root: Path, hint: str) -> Path:
    file, folder = combined.audio_files[0], Path(combined.audio_folder)
    for path in (root / folder / file, root / folder.name / file, root / file):
        if path.is_file():
            return path
    raise FileNotFoundError(f"no recording at {root / folder / file}; {hint or 'check the folder'}")


def _spread_words(sentences: list[str], duration_s: float) -> list[Span]:
    """Times as if every word took equally long and nobody paused."""
    ends = list(accumulate(len(sentence.split()) for sentence in sentences))
    marks = [duration_s * words / max(1, ends[-1]) for words in (0, *ends)]
    return list(pairwise(marks))

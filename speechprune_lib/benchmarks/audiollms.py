"""Reader of DREAM-TTS and CN-College-Listen as AudioBench's authors publish them: listening tests in parquet files.

Both (`dream_tts_mcq_test`, `cn_college_listen_mcq_test`) have, as AudioBench's loader (arXiv 2406.16020) and its
published logs show, the columns `context` (a whole sound file: {bytes, path}), `instruction` (the question), `choices`
(one text: "(A) Eat out;", "(B) Cook dinner;", ... line by line) and `answer` (the option as printed). That is all this
reader relies on; where there is no `choices`, the options are looked for in `instruction`. Transcripts and times of
key sentences are not published.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import soundfile
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..complaints import first_complaint
from ..packages import needed
from .base import BenchmarkError, Example
from .choices import answer_index, split_options, strip_labels

MIN_SECONDS = 60.0
"""The paper asks only about recordings longer than this (Section IV-D)."""

COLUMNS = ("context.bytes", "instruction", "answer")
OPTIONAL_COLUMN = "choices"
AUDIO_FOLDER = "audio"
HASH_DIGITS = 24
READ_BYTES = 1 << 20


class Question(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    instruction: str = Field(min_length=1)
    choices: str | None = None
    answer: str


def read(root: Path, *, name: str, kind: str, split: str, need_audio: bool) -> Iterator[Example]:
    """The questions about recordings over `MIN_SECONDS`, of all .parquet files in `root/data` or `root`, one at a time.

    A row group is in memory at a time. The recordings are written once to `audio/` beside their parquet file, named by
    their content, unless `need_audio` is False. Ids are the benchmark's `name`, the file's stem and the record's number
    in it, from 0. Raises FileNotFoundError at once, and, on the way, BenchmarkError naming file and record, and
    ModuleNotFoundError without pyarrow; a short recording's question is not looked at.
    """
    folder = root / "data" if (root / "data").is_dir() else root
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"no .parquet files in {folder}: check the folder, or download the data set again")
    return _examples(files, name, kind, split, need_audio)


def _examples(files: list[Path], name: str, kind: str, split: str, need_audio: bool) -> Iterator[Example]:
    empty = True
    for file in files:
        audio_folder = file.parent / AUDIO_FOLDER if need_audio else None
        for number, row in enumerate(_rows(file)):
            try:
                example = _example(row, f"{name}-{file.stem}-{number}", kind, split, audio_folder)
            except ValueError as error:
                raise BenchmarkError(f"{file}: record {number}: {error}") from error
            if example is not None:
                empty = False
                yield example
    if empty:
        raise BenchmarkError(f"{files[0].parent} holds no recording over {MIN_SECONDS:g} s: check the folder")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    arrow, parquet = (needed(name, "a parquet file", "parquet") for name in ("pyarrow", "pyarrow.parquet"))
    try:
        with parquet.ParquetFile(file, buffer_size=READ_BYTES, pre_buffer=False) as table:
            for batch in table.iter_batches(1, columns=_columns(table.schema_arrow, file), use_threads=False):
                yield batch.to_pylist()[0]
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise BenchmarkError(
            f"{file} is damaged or no parquet file ({reason}): download it again (a few lines of text in its place are "
            "a Git LFS pointer)"
        ) from error


def _columns(schema: Any, file: Path) -> list[str]:
    held = {part.name for name in schema.names for part in schema.field(name).flatten()}
    missing = [column for column in COLUMNS if column not in held]
    if missing:
        raise BenchmarkError(f"{file} has the columns {sorted(held)}, expected {', '.join(COLUMNS)}")
    return [column for column in (*COLUMNS, OPTIONAL_COLUMN) if column in held]


def _example(row: dict[str, Any], identity: str, kind: str, split: str, audio_folder: Path | None) -> Example | None:
    """None for a recording that is too short."""
    sound = (row["context"] or {}).get("bytes")
    if not isinstance(sound, bytes) or not sound:
        raise ValueError("context.bytes is empty, expected a sound file")
    duration_s, suffix = _header(sound)
    if duration_s <= MIN_SECONDS:
        return None
    question, printed, answer = _question(row)
    return Example(
        id=identity,
        audio_path=None if audio_folder is None else _unpacked(sound, suffix, audio_folder),
        question=question,
        choices=strip_labels(printed),
        answer=answer_index(printed, answer),
        transcript="",
        key_spans=(),
        kind=kind,
        duration_s=duration_s,
        split=split,
    )


def _header(sound: bytes) -> tuple[float, str]:
    """Seconds, and the suffix that a file of this kind has."""
    try:
        info = soundfile.info(io.BytesIO(sound))
    except soundfile.LibsndfileError as error:
        raise ValueError(f"context.bytes cannot be decoded, expected a sound file ({error})") from error
    return float(info.duration), f".{info.format.lower()}"


def _question(row: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    """The question, its options as printed, and the right one as printed."""
    try:
        record = Question.model_validate(row)
    except ValidationError as error:
        raise ValueError(first_complaint(error)) from error
    question, printed = split_options(f"{record.instruction}\n{record.choices or ''}")
    if not question:
        raise ValueError(f"no question stands before the options in {record.instruction!r}")
    return question, printed, record.answer


def _unpacked(sound: bytes, suffix: str, folder: Path) -> Path:
    """The sound as a file, written if missing, whole or not at all; questions about one recording share it."""
    path = folder / f"{hashlib.sha256(sound).hexdigest()[:HASH_DIGITS]}{suffix}"
    if not path.is_file():
        folder.mkdir(exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix="unpacking-") as temporary:
            part = Path(temporary) / path.name
            part.write_bytes(sound)
            part.replace(path)
    return path

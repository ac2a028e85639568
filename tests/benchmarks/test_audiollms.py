"""DREAM-TTS and CN-College-Listen, on small parquet files in their schema."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechprune_lib.benchmarks import BenchmarkError, Example, load_benchmark, stream_benchmark

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

RATE_HZ = 1000
CHOICES = "(A) Today;\n(B) Tomorrow;\n(C) On Friday."


def tone(seconds: float, hertz: float = 100, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(
        file, np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ), RATE_HZ, format=kind
    )
    return file.getvalue()


LONG, SHORT = tone(61), tone(60)


def row(sound: bytes | None = LONG, **changes: object) -> dict:
    """One record as published; a column changed to `...` is left out."""
    context = {"bytes": sound, "path": "../../escape.wav"}
    columns = {"context": context, "instruction": "When does he leave?", "choices": CHOICES, "answer": "(B) Tomorrow;"}
    return {name: value for name, value in (columns | changes).items() if value is not ...}


def write(folder: Path, *rows: dict, file: str = "test-00000-of-00001.parquet", **options: object) -> Path:
    (folder / "data").mkdir(exist_ok=True)
    parquet.write_table(arrow.Table.from_pylist(list(rows)), folder / "data" / file, **options)
    return folder


def test_a_record_becomes_an_example(tmp_path) -> None:
    (example,) = load_benchmark("dream-tts", root=write(tmp_path, row()))
    assert example == Example(
        id="dream-tts-test-00000-of-00001-0",
        audio_path=example.audio_path,
        question="When does he leave?",
        choices=("Today;", "Tomorrow;", "On Friday."),
        answer=1,
        transcript="",
        key_spans=(),
        kind="dialogue",
        duration_s=61.0,
        split="test",
    )
    assert example.audio_path is not None and example.audio_path.read_bytes() == LONG
    assert example.audio_path.parent == tmp_path / "data" / "audio"
    assert len(example.waveform()) == 61 * 16_000


def test_only_recordings_over_a_minute_count(tmp_path) -> None:
    write(tmp_path, row(SHORT, answer="of no matter"), row(), row(tone(60.5, kind="FLAC")))
    examples = load_benchmark("cn-college-listen", root=tmp_path)
    assert [example.id[-2:] for example in examples] == ["-1", "-2"]
    assert [example.audio_path and example.audio_path.suffix for example in examples] == [".wav", ".flac"]
    write(tmp_path, row(SHORT))
    with pytest.raises(BenchmarkError, match="no recording over 60 s"):
        load_benchmark("cn-college-listen", root=tmp_path)


def test_options_within_the_question_are_found(tmp_path) -> None:
    text = "When does he leave? (A) Today (B) Tomorrow"
    write(tmp_path, row(instruction=text, choices=..., answer="(A) Today"))
    (example,) = load_benchmark("dream-tts", root=tmp_path)
    assert (example.question, example.choices, example.answer) == ("When does he leave?", ("Today", "Tomorrow"), 0)


def test_recordings_are_written_once_and_shared(tmp_path) -> None:
    write(tmp_path, row(), row(instruction="Where to?"), file="a.parquet")
    write(tmp_path, row(), row(tone(62)), file="b.parquet")
    first = [example.audio_path for example in load_benchmark("dream-tts", root=tmp_path)]
    assert first[0] == first[1] == first[2] != first[3]
    assert sorted((tmp_path / "data" / "audio").iterdir()) == sorted({path for path in first if path})
    written = [path.stat().st_mtime_ns for path in first if path]
    assert [example.audio_path for example in load_benchmark("dream-tts", root=tmp_path)] == first
    assert [path.stat().st_mtime_ns for path in first if path] == written


def test_without_recordings_nothing_is_written(tmp_path) -> None:
    (example,) = load_benchmark("dream-tts", root=write(tmp_path, row()), need_audio=False)
    assert (example.audio_path, example.duration_s) == (None, 61.0)
    assert not (tmp_path / "data" / "audio").exists()


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (row(None), r"context\.bytes is empty"),
        (row(b"no sound"), r"context\.bytes cannot be decoded"),
        (row(context=None), r"context\.bytes is empty"),
        (row(instruction=None), "instruction: Input should be a valid string"),
        (row(instruction=" "), "instruction: .*at least 1 character"),
        (row(choices=None), "no options .* found none"),
        (row(choices="(A) Today;\n(C) Tomorrow;"), "no options .* found AC"),
        (row(choices="(A) Today\n(B) Today", answer="(A) Today"), "expected two or more different texts"),
        (row(instruction="(A) x", choices="(B) y"), "no question stands before the options"),
        (row(answer="(D) Never"), r"'\(D\) Never' is not exactly one of the choices"),
        (row(answer=None), "answer: Input should be a valid string"),
    ],
)
def test_malformed_records_are_named(tmp_path, record: dict, message: str) -> None:
    write(tmp_path, row(), record)
    with pytest.raises(BenchmarkError, match=rf"test-00000-of-00001\.parquet: record 1: .*{message}"):
        load_benchmark("dream-tts", root=tmp_path)


@pytest.mark.parametrize("column", ["context", "instruction", "answer"])
def test_missing_columns_are_named(tmp_path, column: str) -> None:
    write(tmp_path, row(**{column: ...}))
    with pytest.raises(BenchmarkError, match=rf"\.parquet has the columns .*, expected .*{column}"):
        load_benchmark("dream-tts", root=tmp_path)


def test_damaged_files_are_named(tmp_path) -> None:
    path = write(tmp_path, row()) / "data" / "test-00000-of-00001.parquet"
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        whole[:middle],
        whole[:4] + bytes(100) + whole[104:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(BenchmarkError, match=r"00001\.parquet is damaged or no parquet file .*download it again"):
            load_benchmark("dream-tts", root=tmp_path)


def test_reading_is_lazy_and_holds_one_row_group(tmp_path) -> None:
    rows = [row(tone(61, hertz), instruction=f"Question {hertz}?") for hertz in range(100, 140)]
    write(tmp_path, *rows, row(answer="(D) Never"), row_group_size=2, compression="none")
    size = (tmp_path / "data" / "test-00000-of-00001.parquet").stat().st_size
    before, held, seen = arrow.total_allocated_bytes(), 0, 0
    with pytest.raises(BenchmarkError, match="record 40"):
        for _ in stream_benchmark("dream-tts", root=tmp_path, need_audio=False):
            held, seen = max(held, arrow.total_allocated_bytes() - before), seen + 1
    assert seen == 40 and held < size / 4


def test_wrong_places_and_splits_say_the_way_out(tmp_path) -> None:
    with pytest.raises(BenchmarkError, match=r"pass root=.* AudioLLMs/cn_college_listen_mcq_test"):
        stream_benchmark("cn-college-listen")
    with pytest.raises(BenchmarkError, match="dream-tts has no split 'dev', expected 'test'"):
        stream_benchmark("dream-tts", "dev", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no \.parquet files"):
        stream_benchmark("dream-tts", root=tmp_path)

"""SPIRAL's format, on tiny files; its published annotations where SPIRAL_DIR points to them."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections import Counter
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechprune_lib.benchmarks import (
    BENCHMARKS,
    BenchmarkError,
    Example,
    benchmark_hash,
    load_benchmark,
    stream_benchmark,
)

SENTENCES = ["Good morning all.", "The kiln is now green.", "It was red before.", "Any questions at all today?"]
TIMES = [[0.0, 1.0], [1.2, 2.5], [2.7, 3.5], [3.9, 5.5]]
RECORD = {
    "transcript": [{"speaker": "spk_1", "text": SENTENCES}],
    "original_key_sentence": SENTENCES[1],
    "test_question": {
        "question": "What colour is the kiln?",
        "choices": ["A. Red", "B. Green", "C. Blue", "D. White"],
        "correct_answer": "B. Green",
    },
    "metadata": {"main_topic": "Clay", "subtopic": "Kilns", "transcript_type": "lecture", "id": "lecture_0"},
    "audio_data": {
        "key_sentences": {"speaker": "spk_1", "text": SENTENCES[1], "indices": [1, 2], "audio_file": "key.wav"},
        "combined": {"audio_files": ["lecture_0.wav"], "audio_folder": "spiral/wavs", "sentences": SENTENCES},
    },
}


def changed(*path_and_value, record=RECORD) -> dict:
    """A copy of the record with one value replaced, or, where the value is `...`, removed."""
    *path, last, value = path_and_value
    copy = deepcopy(record)
    place = copy
    for step in path:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


def timed(identity: str = "lecture_0") -> dict:
    record = changed("audio_data", "combined", "times", TIMES)
    record["audio_data"]["combined"] |= {"duration": 6.0, "audio_files": [f"{identity}.wav"], "audio_folder": "audio"}
    return changed("metadata", "id", identity, record=record)


def write(folder: Path, *records: dict, file: str = "data.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def write_clip(path: Path, seconds: float = 6.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(seconds * 8000)), 8000)
    return path


def test_a_published_item_becomes_an_example(tmp_path) -> None:
    clip = write_clip(write(tmp_path, RECORD) / "spiral" / "wavs" / "lecture_0.wav")
    assert load_benchmark("spiral", root=str(tmp_path)) == [
        Example(
            id="lecture_0",
            audio_path=clip,
            question="What colour is the kiln?",
            choices=("Red", "Green", "Blue", "White"),
            answer=1,
            transcript="Good morning all. The kiln is now green. It was red before. Any questions at all today?",
            key_spans=((6 * 3 / 17, 6 * 8 / 17),),  # words 4 to 8 of 17, in a clip of 6 s
            kind="lecture",
            duration_s=6.0,
            split="test",
            spans_estimated=True,
        )
    ]


@pytest.mark.parametrize("place", ["wavs/lecture_0.wav", "lecture_0.wav"])
def test_recordings_may_lie_higher_up(tmp_path, place: str) -> None:
    clip = write_clip(write(tmp_path, RECORD) / place)
    assert load_benchmark("spiral", root=tmp_path)[0].audio_path == clip


def test_without_recordings_or_times_no_spans_are_invented(tmp_path) -> None:
    (example,) = load_benchmark("spiral-h", root=write(tmp_path, RECORD, file="data_h.jsonl"), need_audio=False)
    assert (example.audio_path, example.duration_s, example.key_spans, example.spans_estimated) == (
        None,
        None,
        (),
        False,
    )


def test_stored_times_are_taken_over(tmp_path) -> None:
    records = [timed("a"), changed("audio_data", "key_sentences", "indices", [1, 3], record=timed("b"))]
    write(tmp_path, *records, file="dev.jsonl")
    for identity in ("a", "b"):
        write_clip(tmp_path / "audio" / f"{identity}.wav")
    first, second = load_benchmark("spiral-mini", split="dev", root=tmp_path)
    assert first.key_spans == ((1.2, 2.5),) and second.key_spans == ((1.2, 2.5), (2.7, 3.5))
    assert (first.duration_s, first.spans_estimated, first.split) == (6.0, False, "dev")
    assert [example.id for example in (first, second)] == ["a", "b"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (changed("test_question", "correct_answer", "B. Red"), "'B. Red' is not exactly one of the choices"),
        (changed("test_question", "choices", ["A. Green", "B. Green"]), "expected two or more different texts"),
        (changed("test_question", "choices", ["B. Green"]), "expected two or more different texts"),
        (changed("test_question", "choices", ["A. Red", "B. Green", ""]), "expected two or more different texts"),
        (changed("test_question", "question", " "), r"test_question\.question: .*at least 1 character"),
        (changed("metadata", "id", ...), r"metadata\.id: Field required"),
        (changed("test_question", ...), "test_question: Field required"),
        (changed("audio_data", "combined", "audio_files", []), r"audio_files: .*at least 1 item"),
        (changed("audio_data", "combined", "audio_files", ["a.wav", "b.wav"]), "audio_files: .*at most 1 item"),
        (changed("audio_data", "key_sentences", "indices", [3, 5]), "3:5 do not lie within the 4 sentences"),
        (changed("audio_data", "key_sentences", "indices", [2, 2]), "2:2 do not lie within"),
        (changed("audio_data", "combined", "times", TIMES[:3]), "3 times for 4 sentences"),
        (changed("audio_data", "combined", "times", [[2, 1], *TIMES[1:]]), "0 <= start <= end"),
        (changed("audio_data", "combined", "duration", 0), "duration: .*greater than 0"),
        ([1, 2], r"the item: .*got \[1, 2\]; expected SPIRAL's format"),
    ],
)
def test_malformed_lines_are_named(tmp_path, record, message: str) -> None:
    write(tmp_path, changed("metadata", "id", "fine"), record)
    with pytest.raises(BenchmarkError, match=rf"data\.jsonl:2: .*{message}"):
        load_benchmark("spiral", root=tmp_path, need_audio=False)


def test_duplicate_ids_name_both_lines(tmp_path) -> None:
    write(tmp_path, RECORD, changed("metadata", "id", "other"), RECORD)
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:3: id 'lecture_0' is already that of line 1"):
        load_benchmark("spiral", root=tmp_path, need_audio=False)


def test_what_is_no_json_is_named_and_blank_lines_pass(tmp_path) -> None:
    path = write(tmp_path, RECORD) / "data.jsonl"
    path.write_text("\n" + path.read_text() + "{oops\n")
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:3: not a line of JSON"):
        load_benchmark("spiral", root=tmp_path, need_audio=False)
    path.write_text("\n")
    with pytest.raises(BenchmarkError, match="holds no examples"):
        load_benchmark("spiral", root=tmp_path)


@pytest.mark.parametrize("kept", [1, 60, -20])
def test_a_truncated_line_is_named(tmp_path, kept: int) -> None:
    path = write(tmp_path, RECORD, changed("metadata", "id", "cut")) / "data.jsonl"
    whole, cut = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(whole + cut[:kept])
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:2: not a line of JSON"):
        load_benchmark("spiral", root=tmp_path, need_audio=False)


def test_a_line_cut_within_a_letter_is_named(tmp_path) -> None:
    path = write(tmp_path, RECORD) / "data.jsonl"
    path.write_bytes(path.read_bytes() + b'{"transcript": "caf\xc3')
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:2: not a line of JSON"):
        load_benchmark("spiral", root=tmp_path, need_audio=False)


def test_reading_is_lazy(tmp_path) -> None:
    path = write(tmp_path, RECORD) / "data.jsonl"
    path.write_text(path.read_text() + "{oops\n")
    examples = stream_benchmark("spiral", root=tmp_path, need_audio=False)
    assert next(examples).id == "lecture_0"
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:2"):
        next(examples)


def test_wrong_places_are_told_before_the_first_example_is_asked_for(tmp_path) -> None:
    for name in ("spiral-mini", "spiral"):
        with pytest.raises((BenchmarkError, FileNotFoundError)):
            stream_benchmark(name, root=tmp_path)


def test_memory_does_not_grow_with_the_file(tmp_path) -> None:
    line = json.dumps(changed("audio_data", "combined", "sentences", [*SENTENCES, "And so on. " * 500])) + "\n"
    lines = [line.replace('"lecture_0"', f'"lecture_{number}"') for number in range(2000)]
    (tmp_path / "data.jsonl").write_text("".join(lines))
    tracemalloc.start()
    count = sum(1 for _ in stream_benchmark("spiral", root=tmp_path, need_audio=False))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2000 and peak < (tmp_path / "data.jsonl").stat().st_size / 8


def test_missing_recordings_say_where_to_get_them(tmp_path) -> None:
    write(tmp_path, RECORD)
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:1: no recording .*duke\.box\.com.* no stated licence"):
        load_benchmark("spiral", root=tmp_path)
    write(tmp_path, timed(), file="test.jsonl")
    with pytest.raises(BenchmarkError, match=r"test\.jsonl:1: no recording .*restore it from the repository"):
        load_benchmark("spiral-mini", root=tmp_path)


def test_a_damaged_recording_is_named(tmp_path) -> None:
    (write(tmp_path, RECORD) / "lecture_0.wav").write_text("no sound")
    with pytest.raises(BenchmarkError, match=r"data\.jsonl:1: cannot decode .*lecture_0\.wav"):
        load_benchmark("spiral", root=tmp_path)


def test_what_was_fetched_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPEECHPRUNE_CACHE", str(tmp_path))
    write(tmp_path / "spiral", RECORD)
    assert [example.id for example in load_benchmark("spiral", need_audio=False)] == ["lecture_0"]
    with pytest.raises(BenchmarkError, match=r"does not hold data_h\.jsonl: `speechprune fetch spiral`"):
        load_benchmark("spiral-h", need_audio=False)


def test_wrong_names_splits_and_folders(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPEECHPRUNE_CACHE", str(tmp_path / "empty"))
    write(tmp_path, timed(), file="dev.jsonl")
    for name, split, root, message in [
        (
            "spiral-maxi",
            "test",
            None,
            r"'spiral-maxi', expected one of \['cn-coll.*, 'spiral-mini', 'spiral-respoken'\]",
        ),
        ("spiral", "test", None, "pass root="),
        ("spiral", "dev", tmp_path, "no split 'dev'"),
        ("spiral-mini", "train", tmp_path, r"no split 'train', expected one of \['dev'\]"),
    ]:
        with pytest.raises(BenchmarkError, match=message):
            load_benchmark(name, split=split, root=root)
    with pytest.raises(FileNotFoundError, match="no annotations"):
        load_benchmark("spiral", root=tmp_path)
    with pytest.raises(FileNotFoundError, match="clone the repository"):
        load_benchmark(root=tmp_path / "nowhere")
    assert set(BENCHMARKS) == {"spiral-mini", "spiral", "spiral-h", "spiral-respoken", "dream-tts", "cn-college-listen"}


def test_the_hash_follows_content_not_place(tmp_path) -> None:
    def examples(folder: str, *records: dict) -> list[Example]:
        write(tmp_path / folder, *records, file="test.jsonl")
        for identity in ("a", "b"):
            write_clip(tmp_path / folder / "audio" / f"{identity}.wav")
        return load_benchmark(root=tmp_path / folder)

    one = examples("one", timed("a"), timed("b"))
    reference = benchmark_hash(one)
    assert len(reference) == 64
    assert benchmark_hash(examples("two", timed("b"), timed("a"))) == reference
    asked = changed("test_question", "question", "Which colour has the kiln?", record=timed("a"))
    assert benchmark_hash(examples("three", asked, timed("b"))) != reference
    assert benchmark_hash(one[:1]) != reference
    write_clip(tmp_path / "one" / "audio" / "b.wav", seconds=6.5)
    assert benchmark_hash(one) != reference


@pytest.mark.skipif("SPIRAL_DIR" not in os.environ, reason="SPIRAL_DIR does not name a copy of SPIRAL's annotations")
def test_published_annotations() -> None:
    root = os.environ["SPIRAL_DIR"]
    examples = load_benchmark("spiral", root=root, need_audio=False)
    assert len(examples) == 1012
    assert Counter("ABCD"[example.answer] for example in examples) == {"A": 125, "B": 603, "C": 271, "D": 13}
    assert Counter(example.kind for example in examples) == {"lecture": 350, "conversation": 338, "meeting": 324}
    hard = load_benchmark("spiral-h", root=root, need_audio=False)
    assert len(hard) == 401 and {example.id for example in hard} < {example.id for example in examples}

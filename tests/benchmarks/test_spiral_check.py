"""Recordings beside SPIRAL's annotations: missing, damaged, of the wrong length, unknown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechprune_lib.benchmarks.spiral_check import SpiralCheck, check_spiral

WORDS = 60


def annotate(folder: Path, *ids: str) -> Path:
    with (folder / "data.jsonl").open("w") as file:
        for identity in ids:
            combined = {
                "audio_files": [f"{identity}.wav"],
                "audio_folder": "spiral/wavs",
                "sentences": ["word " * 20] * (WORDS // 20),
            }
            record = {
                "test_question": {"question": "Which?", "choices": ["A. a", "B. b"], "correct_answer": "A. a"},
                "metadata": {"id": identity, "transcript_type": "lecture"},
                "audio_data": {"key_sentences": {"indices": [0, 1]}, "combined": combined},
            }
            file.write(json.dumps(record) + "\n")
    return folder


def clip(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(round(seconds * 1000)), 1000)
    return path


def test_a_whole_benchmark_is_complete(tmp_path) -> None:
    annotate(tmp_path, "lecture_0", "meeting_0")
    clip(tmp_path / "wavs" / "lecture_0.wav", 30)
    clip(tmp_path / "wavs" / "meeting_0.wav", 20)
    check = check_spiral(str(tmp_path))
    assert check == SpiralCheck(tmp_path, 2, 2, 50.0, (), (), (), ())
    assert check.complete and str(check) == f"{tmp_path}: 2 questions, 2 recordings, 25.00 s each"


def test_everything_wrong_is_named(tmp_path) -> None:
    annotate(tmp_path, "fine", "gone", "damaged", "empty", "cut", "endless", "slowest", "fastest")
    wavs = tmp_path / "spiral" / "wavs"
    clip(wavs / "fine.wav", 30)
    (wavs / "damaged.wav").write_text("no sound")
    clip(wavs / "empty.wav", 0)
    clip(wavs / "cut.wav", 13)  # 60 words in less than 60 / 4.5 = 13.3 s
    clip(wavs / "endless.wav", 61)
    clip(wavs / "slowest.wav", 60)
    clip(wavs / "fastest.wav", 13.4)
    extra = clip(wavs / "lecture_999.wav", 30)
    clip(tmp_path / "spiral" / "key_wavs" / "fine_key.wav", 5)
    check = check_spiral(tmp_path)
    assert check.missing == ("gone",) and check.unreadable == ("damaged",) and check.unknown == (extra,)
    assert check.implausible == (("empty", 0.0), ("cut", 13.0), ("endless", 61.0))
    assert (check.questions, check.recordings, check.complete) == (8, 5, False)
    told = str(check).splitlines()
    assert told[1:3] == ["1 without a recording: gone", "1 with a damaged recording: damaged"]
    assert told[3].endswith("more than 4.5 words a second: empty (0.0 s), cut (13.0 s), endless (61.0 s)")
    assert told[4] == "1 recordings that no question is about: lecture_999.wav"
    assert "duke.box.com/v/spiral-dataset, under no stated licence" in told[5]


def test_long_lists_are_counted_not_printed(tmp_path) -> None:
    told = str(check_spiral(annotate(tmp_path, *(f"lecture_{number}" for number in range(9)))))
    assert told.startswith(f"{tmp_path}: 9 questions, 0 recordings\n9 without a recording: lecture_0, ")
    assert "lecture_4 and 4 more\n" in told and str(tmp_path / "wavs" / "lecture_0.wav") in told


def test_without_annotations_there_is_nothing_to_check(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no annotations"):
        check_spiral(tmp_path)

"""What recordings are, counted by hand, and on SPIRAL's own where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from speechprune_lib.audit.makeup import count_makeup, read_makeup, write_makeup

COMMITTED = Path(__file__).resolve().parents[2] / "data" / "results" / "spiral_makeup.json"


def line(number: int, kind: str, topic: tuple[str, str], speakers: list[str], words: str) -> str:
    described = {"id": f"item{number}", "transcript_type": kind, "main_topic": topic[0], "subtopic": topic[1]}
    sound = {"audio_files": ["a.wav"], "audio_folder": "wavs", "sentences": [words, "the end"]}
    record = {
        "test_question": {"question": "What?", "choices": ["A. x", "B. y"], "correct_answer": "A. x"},
        "metadata": described,
        "audio_data": {"key_sentences": {"indices": [0, 1]}, "combined": sound},
        "transcript": [{"speaker": speaker, "text": ["words"]} for speaker in speakers],
    }
    return json.dumps(record)


def test_counted_by_hand(tmp_path: Path) -> None:
    lines = [
        line(0, "lecture", ("Art", "Old"), ["a"], "one two"),
        line(1, "lecture", ("Art", "New"), ["a", "b", "a"], "one"),
        line(2, "meeting", ("Cars", "New"), ["a", "b"], "one two three"),
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    made = count_makeup(tmp_path / "data.jsonl")
    assert (made.kinds, made.speakers) == ({"lecture": 2, "meeting": 1}, {1: 1, 2: 2})
    assert (made.main_topics, made.subtopics, made.words) == (2, 2, 4.0)
    write_makeup(made, tmp_path / "made.json")
    assert read_makeup(tmp_path / "made.json") == made


@pytest.mark.skipif("SPIRAL_DIR" not in os.environ, reason="needs SPIRAL's annotations in $SPIRAL_DIR")
def test_what_is_committed_is_what_spiral_gives() -> None:
    counted = count_makeup(Path(os.environ["SPIRAL_DIR"]) / "data.jsonl")
    assert counted.model_dump(exclude={"card"}) == read_makeup(COMMITTED).model_dump(exclude={"card"})
    assert counted.card.benchmark_hash == read_makeup(COMMITTED).card.benchmark_hash


def test_what_is_committed_adds_up() -> None:
    made = read_makeup(COMMITTED)
    assert sum(made.kinds.values()) == sum(made.speakers.values()) == 1012
    assert made.kinds["lecture"] == made.speakers[1]  # lectures have one speaker, nothing else has

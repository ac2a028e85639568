"""The benchmark that this project ships: its files fit its schema, its hashes, and what its README promises."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from speechprune_lib import fairness, load_benchmark
from speechprune_lib.training.voices import VOICES

FOLDER = Path(__file__).resolve().parents[1] / "data" / "spiral-mini"
SPLITS = {"test": 96, "dev": 48, "long": 24, "open": 24, "absent": 48}
LARGEST_BYTES = 60_000_000


def records(split: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text("utf8").splitlines()]


@pytest.mark.parametrize("split", SPLITS)
def test_every_line_fits_the_schema(split):
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / "schema.json").read_text("utf8")))
    for record in records(split):
        validator.validate(record)
    assert len(records(split)) == SPLITS[split]


def test_every_recording_is_the_one_that_was_made():
    told = {
        r["audio_data"]["combined"]["audio_files"][0]: r["audio_data"]["combined"] for s in SPLITS for r in records(s)
    }
    assert sorted(told) == sorted(path.name for path in (FOLDER / "audio").iterdir())
    for name, combined in told.items():
        assert hashlib.sha256((FOLDER / "audio" / name).read_bytes()).hexdigest() == combined["sha256"], name


def test_data_without_the_model_stays_small():
    data = FOLDER.parent
    files = [path for path in data.rglob("*") if path.is_file() and "models" not in path.parts]
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES


@pytest.mark.parametrize(("split", "of_each"), [("test", 32), ("dev", 16)])
def test_kinds_letters_lengths_and_places_are_balanced(split, of_each):
    examples = load_benchmark("spiral-mini", split)
    assert set(Counter(example.kind for example in examples).values()) == {of_each}
    assert set(Counter(example.answer for example in examples).values()) == {len(examples) // 4}
    assert all(75 <= example.duration_s <= 110 for example in examples)
    assert sum(example.key_spans[0][0] >= 30 for example in examples) >= len(examples) / 2


def test_no_topic_of_the_development_split_is_tested():
    dev, test = ({r["metadata"]["subtopic"].lower() for r in records(split)} for split in ("dev", "test"))
    assert not dev & test


def test_two_voices_of_the_test_split_speak_in_no_training():
    voices = Counter(
        name.split(",")[0] for r in records("test") for name in r["audio_data"]["combined"]["voices"].values()
    )
    unheard = {voice for voice in voices if tuple(voice.split()) not in VOICES}
    assert len(voices) >= 4
    assert unheard == {"piper joe", "flite kal16"}


def test_long_recordings_are_long():
    examples = load_benchmark("spiral-mini", "long")
    assert {count for count in Counter(example.audio_path for example in examples).values()} == {4}
    assert all(300 <= example.duration_s <= 600 for example in examples)


def test_one_in_four_absent_questions_is_not_answered_in_the_recording():
    examples = load_benchmark("spiral-mini", "absent")
    absent = [example for example in examples if not example.key_spans]
    assert len(absent) == 12 == len(examples) / 4
    assert all(example.choices[example.answer] == "Not mentioned" for example in absent)
    assert all("Not mentioned" in example.choices for example in examples)


def test_open_questions_have_answers_and_no_options():
    for example in load_benchmark("spiral-mini", "open"):
        assert example.references and not example.choices and example.answer is None and example.key_spans


@pytest.mark.parametrize("split", ["test", "dev", "long", "absent"])
def test_the_questions_give_nothing_away(split):
    table = fairness(load_benchmark("spiral-mini", split, need_audio=False))
    assert set(table["fair"].dropna()) == {True}, table.to_string()

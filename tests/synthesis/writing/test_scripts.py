"""Written items: the schema's rules, each with the value in its message, and files of them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from written_item import ITEM

from speechprune_lib.synthesis.writing.scripts import (
    Script,
    ScriptError,
    parse_script,
    read_scripts,
    write_scripts,
)

TEXTS = Path(__file__).parents[3] / "data" / "spiral-mini" / "texts"


def changed(place: str, value: object) -> dict:
    """ITEM with one value replaced, at a place such as "metadata.id" or "transcript.0.text"."""
    item = deepcopy(ITEM)
    *path, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    inner = item
    for part in path:
        inner = inner[part]
    inner[last] = value
    return item


def saved(path: Path, *items: dict) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf8")
    return path


@pytest.mark.parametrize("kind", ["meeting", "conversation"])
def test_the_projects_own_texts_come_through_unchanged(kind: str, tmp_path: Path) -> None:
    scripts = list(read_scripts(TEXTS / f"{kind}.jsonl"))
    again = write_scripts(tmp_path / "again.jsonl", scripts)
    lines = [json.loads(line) for line in again.read_text("utf8").splitlines()]
    assert lines == [json.loads(line) for line in (TEXTS / f"{kind}.jsonl").read_text("utf8").splitlines()]
    assert [path.name for path in tmp_path.iterdir()] == ["again.jsonl"]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("original_key_sentence", "Not said.", "key sentence 'Not said.' is 0 of the sentences, expected exactly one"),
        ("transcript.0.text.0", "The key is under the mat.", "is 2 of the sentences, expected exactly one"),
        ("test_question.choices.0", "A. Under the mat", "repeat one, expected 4 different ones"),
        ("test_question.choices.0", "A. under the MAT ", "repeat one, expected 4 different ones"),
        ("test_question.choices.0", "In the pot", "the option 'In the pot' has no label and text, expected 'A. ...'"),
        ("test_question.choices.3", "D.  ", "the option 'D.  ' has no label and text"),
        ("test_question.choices", ["A. one", "B. two"], "test_question.choices: .* at least 4 items"),
        ("test_question.correct_answer", "B. In the pot", "right answer 'B. In the pot' is none of the options"),
        ("test_question.correct_answer", "Under the mat", "right answer 'Under the mat' is none of the options"),
        ("metadata.transcript_type", "podcast", "'lecture', 'meeting' or 'conversation', got 'podcast'"),
        ("metadata.id", "../elsewhere", "metadata.id: .*got '../elsewhere'"),
        ("transcript.1.speaker", "Anna", "transcript.1.speaker: .*got 'Anna'"),
        ("transcript.1.speaker", "spk_6", "transcript.1.speaker: .*got 'spk_6'"),
        ("transcript.1.text.0", " ", "transcript.1.text.0: the text ' ' is empty"),
        ("transcript.1.text", [], "transcript.1.text: .* at least 1 item"),
        ("transcript", [], "transcript: .* at least 1 item"),
        ("test_question.hint", "no", "test_question.hint: Extra inputs are not permitted, got 'no'"),
        ("split", "", "split: .*got ''"),
    ],
)
def test_what_breaks_a_rule_is_named(place: str, value: object, message: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "texts.jsonl", changed("metadata.id", "other"), changed(place, value))
    with pytest.raises(ScriptError, match=rf"texts\.jsonl:2: .*{message}"):
        list(read_scripts(path))


def test_a_line_that_is_cut_off_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "texts.jsonl", ITEM, changed("metadata.id", "other"))
    path.write_text(path.read_text("utf8")[:-40], encoding="utf8")
    with pytest.raises(ScriptError, match=r"texts\.jsonl:2: not a whole line of JSON"):
        list(read_scripts(path))


def test_two_items_with_one_id_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "texts.jsonl", ITEM, changed("metadata.id", "other"), ITEM)
    with pytest.raises(ScriptError, match=r"texts\.jsonl:3: id 'meeting_test_00' is already that of line 1"):
        list(read_scripts(path))


def test_items_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = saved(tmp_path / "texts.jsonl", ITEM, {"split": "broken"})
    scripts = read_scripts(path)
    assert next(scripts).metadata.id == "meeting_test_00"
    with pytest.raises(ScriptError, match="transcript: Field required"):
        next(scripts)


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no written items"):
        next(read_scripts(tmp_path / "none.jsonl"))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    script = parse_script(json.dumps(changed("transcript.1.text", ["Thank you, näive\u2028friend."])), "here")
    path = write_scripts(tmp_path / "deep" / "texts.jsonl", [script])
    assert list(read_scripts(path)) == [script]
    assert path.read_text("ascii").splitlines() == [path.read_text("ascii").rstrip("\n")]
    assert isinstance(script, Script)

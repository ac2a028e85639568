"""Items written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written_item import item

from speechprune_lib.synthesis.writing.scripts import ScriptError
from speechprune_lib.synthesis.writing.writers.files import hand_written


def saved(path: Path, identity: str) -> Path:
    path.write_text(json.dumps(item(identity)) + "\n")
    return path


def test_a_file_or_a_folder_of_files_is_read_as_it_is(tmp_path: Path) -> None:
    first = saved(tmp_path / "1.jsonl", "a")
    saved(tmp_path / "2.jsonl", "b")
    assert [script.model_dump(mode="json") for script in hand_written(first)] == [json.loads(first.read_text())]
    assert [script.metadata.id for script in hand_written(tmp_path)] == ["a", "b"]


def test_an_id_in_two_files_is_named(tmp_path: Path) -> None:
    saved(tmp_path / "1.jsonl", "a")
    saved(tmp_path / "2.jsonl", "a")
    with pytest.raises(ScriptError, match=r"2\.jsonl: id 'a' is already in 1\.jsonl"):
        list(hand_written(tmp_path))


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \*\.jsonl with written items"):
        list(hand_written(tmp_path))
    with pytest.raises(FileNotFoundError, match="no written items"):
        list(hand_written(tmp_path / "none.jsonl"))

"""The part of the library that answers come from is known, so that a change of it is noticed."""

from __future__ import annotations

from pathlib import Path

from fake_model import FakeModel
from test_layers import LIBRARY, imported_rooms

from speechprune_lib.evaluation.engines import ANSWERING, card_of
from speechprune_lib.provenance import code_hash

CARRIERS = {"benchmarks", "complaints", "files", "packages", "provenance", "evaluation"}
"""What an answer passes through unchanged; benchmarks are hashed by what they hand over."""


def test_every_room_that_answers_come_from_is_hashed():
    named = {Path(room).parts[0].removesuffix(".py") for room in ANSWERING}
    reached, todo = set(), [LIBRARY / "evaluation" / "asking.py", LIBRARY / "evaluation" / "work.py"]
    while todo:
        file = todo.pop()
        for room in set(imported_rooms(file.read_text("utf8"), file)) - reached - CARRIERS:
            reached.add(room)
            folder = LIBRARY / room
            todo += folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    assert reached <= named and named - reached <= {"evaluation"}


def test_a_card_tells_the_code(tmp_path):
    card = card_of(FakeModel())
    assert (card.model, card.model_revision, card.code) == ("fake", "r1", code_hash(ANSWERING))
    (tmp_path / "a.py").write_text("one = 1\n")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "b.py").write_text("two = 2\n")
    before = code_hash(["a.py", "room"], tmp_path)
    (tmp_path / "beside.py").write_text("three = 3\n")
    assert code_hash(["a.py", "room"], tmp_path) == before and len(before) == 16
    (tmp_path / "room" / "b.py").write_text("two = 3\n")
    assert code_hash(["a.py", "room"], tmp_path) != before

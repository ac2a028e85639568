"""Answers as a table, from the store or from what is committed."""

from __future__ import annotations

import pytest
from answer_rows import CARD, row

from speechprune_lib.answers import ResultsError, row_key
from speechprune_lib.results import read_card, read_rows
from speechprune_lib.store import ResultStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "a.sqlite"


def test_a_table_comes_from_either_file(path, tmp_path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row(method="speechprune", options={"b": 1, "a": [2]}, evidence_recall=0.5, reply="Grün"))
        store.add(
            row(method="no-audio", rate=None, seed=None, answer=None, correct=False, tokens_total=0, tokens_kept=0)
        )
        exported = store.export_jsonl(tmp_path / "a.jsonl")
    table = read_rows(path)
    assert table.equals(read_rows(exported))
    assert table["method"].tolist() == ["no-audio", "speechprune"]
    assert table["options"].tolist() == ["{}", '{"a": [2], "b": 1}']
    assert table["answer"].isna().tolist() == [True, False] and table["seed"].dtype == "Int64"
    assert table.groupby("method")["correct"].mean().tolist() == [0.0, 1.0]
    assert table["reply"].tolist()[1] == "Grün"
    assert table["key"][1] == row_key("a", "speechprune", {"a": [2], "b": 1}, 0.2, 0, "letter")


def test_an_empty_store_is_an_empty_table(path) -> None:
    with ResultStore(path).open(CARD):
        pass
    table = read_rows(path)
    assert len(table) == 0 and {"key", "example", "correct", "evidence_recall"} < set(table.columns)


def test_missing_and_foreign_files_are_named(tmp_path) -> None:
    for name in ("none.sqlite", "none.jsonl"):
        for read in (read_rows, read_card):
            with pytest.raises(FileNotFoundError, match="none"):
                read(tmp_path / name)
    (tmp_path / "text.sqlite").write_text("these are no answers, " * 100)
    with pytest.raises(ResultsError, match=r"text\.sqlite is no store"):
        ResultStore(tmp_path / "text.sqlite")
    with pytest.raises(ResultsError, match="holds no run card"), ResultStore(tmp_path / "new.sqlite") as store:
        store.export_jsonl(tmp_path / "new.jsonl")
    with pytest.raises(ResultsError, match="holds no run card"):
        read_card(tmp_path / "new.sqlite")


def test_damaged_exports_are_named(path, tmp_path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
        line = store.export_jsonl(tmp_path / "a.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(line + line[:20])
    with pytest.raises(ResultsError, match=r"a\.jsonl:2: no row of results"):
        read_rows(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text(line + line)
    with pytest.raises(ResultsError, match="more than once"):
        read_rows(tmp_path / "a.jsonl")

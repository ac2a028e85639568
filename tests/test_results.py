"""Answers on disk: nothing lost, nothing double, nothing mixed."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from speechprune_lib.results import ResultsError, ResultStore, Row, RunCard, read_card, read_rows, row_key

CARD = RunCard(
    commit="c1",
    library_version="0.1",
    model="mini",
    model_revision="r1",
    benchmark="spiral-mini",
    benchmark_hash="h1",
    prompt="letters",
    device="cpu (x86_64)",
    dtype="float32",
    versions={"numpy": "2.0"},
    seeds=(0,),
    created="2020-01-01T00:00:00+00:00",
)

WRITER = """
import sys, time
from speechprune_lib.results import ResultStore, Row, RunCard

path, card, first, stop, pause = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
store = ResultStore(path).open(RunCard.model_validate_json(card))
for seed in range(first, stop):
    row = Row(example="a", method="rap", rate=0.2, seed=seed, scoring="letter", answer=1, correct=True,
              tokens_total=750, tokens_kept=600)
    if not store.has(row.key):
        store.add(row)
        print(seed, flush=True)
        time.sleep(pause)
"""


def row(**changes) -> Row:
    fields = {"example": "a", "method": "rap", "rate": 0.2, "seed": 0, "scoring": "letter", "answer": 1}
    return Row(**(fields | {"correct": True, "tokens_total": 750, "tokens_kept": 600} | changes))


def changed(**changes) -> RunCard:
    return CARD.model_copy(update=changes)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "runs" / "a.sqlite"


def writer(path: Path, first: int, stop: int, pause: float = 0.0) -> subprocess.Popen[str]:
    words = [str(path), CARD.model_dump_json(), str(first), str(stop), str(pause)]
    return subprocess.Popen([sys.executable, "-c", WRITER, *words], stdout=subprocess.PIPE, text=True)


def test_a_killed_run_loses_nothing_and_doubles_nothing(path) -> None:
    total = 60
    with writer(path, 0, total, pause=0.05) as child:
        assert child.stdout is not None
        reported = [int(child.stdout.readline()) for _ in range(8)]
        child.send_signal(signal.SIGKILL)
        reported += [int(line) for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    keys = [row(seed=seed).key for seed in range(total)]
    with ResultStore(path).open(CARD) as store:
        stored = {found.seed for found in store.rows()}
        assert stored >= set(reported) and len(stored) <= len(reported) + 1  # the row in flight
        for key in store.missing(keys):
            store.add(row(seed=json.loads(key)[4]))
        assert store.missing(keys) == []
        assert [found.seed for found in store.rows()] == list(range(total))
    assert len(read_rows(path)) == total


def test_two_processes_write_one_file(path) -> None:
    with writer(path, 0, 40) as one, writer(path, 20, 60) as other:
        one.communicate()
        other.communicate()
    assert (one.returncode, other.returncode) == (0, 0)
    assert read_rows(path)["seed"].tolist() == list(range(60))


def test_the_file_is_safe_against_power_cuts_too(path) -> None:
    with ResultStore(path).open(CARD) as store:
        assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM card").fetchone() == (1,)  # there before the first row
        store.add(row())
        assert other.execute("SELECT count(*) FROM answers").fetchone() == (1,)
        other.close()


def test_the_same_row_twice_is_one_and_another_under_its_key_is_refused(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row(scores=(0.12341, 2.0), seconds={"answer": 1.0}))
        store.add(row(scores=(0.12339, 2.0), seconds={"answer": 9.0}))
        assert len(store.rows()) == 1
        with pytest.raises(ResultsError, match=r"another answer for .*'answer': \(1, 2\).*missing\(\)"):
            store.add(row(scores=(0.1234, 2.0), answer=2))
        assert store.rows()[0].answer == 1


def test_rows_need_an_opened_store(path) -> None:
    with ResultStore(path) as store, pytest.raises(ResultsError, match=r"expected ResultStore\(path\)\.open\(card\)"):
        store.add(row())


def test_the_same_run_goes_on_and_may_add_seeds(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
    later = changed(created="2021-01-01T00:00:00+00:00", argv=("again",), seeds=(0, 1))
    with ResultStore(path).open(later) as store:
        assert store.missing([row(seed=seed).key for seed in (1, 0, 1)]) == [row(seed=1).key]
        assert store.card == changed(seeds=(0, 1))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_revision": "r2"}, "model_revision: r1 -> r2"),
        ({"benchmark_hash": "h2"}, "benchmark_hash: h1 -> h2"),
        ({"library_version": "0.2"}, r"library_version: 0\.1 -> 0\.2"),
        ({"commit": "c2"}, "commit: c1 -> c2"),
        ({"versions": {"numpy": "3.0"}}, r"versions\.numpy: 2\.0 -> 3\.0"),
    ],
)
def test_another_run_is_refused_and_told_the_way_out(path, change: dict, named: str) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
    with ResultStore(path) as store:
        with pytest.raises(ResultsError, match=rf"\({named}\): name a new file, .*stale='discard'.*stale='keep'"):
            store.open(changed(**change))
        with pytest.raises(ResultsError, match="not opened"):
            store.add(row(seed=1))
        assert store.card == CARD and len(store.rows()) == 1
        store.open(changed(**change), stale="discard")
        assert store.card == changed(**change) and store.rows() == []


def test_kept_answers_leave_a_note_on_the_card(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
    for commit in ("c2", "c3"):
        with ResultStore(path).open(changed(commit=commit, seeds=(1,)), stale="keep") as store:
            assert len(store.rows()) == 1
    assert read_card(path) == changed(commit="c3", seeds=(0, 1), accepted=("commit: c1 -> c2", "commit: c2 -> c3"))
    with pytest.raises(ResultsError, match="mix answers of different model_revision"):
        ResultStore(path).open(changed(commit="c3", model_revision="r2"), stale="keep")


def test_exports_are_sorted_and_repeat_to_the_byte(tmp_path) -> None:
    rows = [
        row(
            example=example,
            method=method,
            rate=rate,
            seed=seed,
            scores=(1 / 3, -1e-9),
            seconds={"plan": random.random()},
        )
        for example in ("b", "a")
        for method, rate, seed in [("rap", 0.8, 10), ("rap", 0.8, 9), ("rap", 0.2, 0), ("no-audio", None, None)]
    ]
    exports = []
    for order in (rows, rows[::-1]):
        name = f"run{len(exports)}"
        with ResultStore(tmp_path / f"{name}.sqlite").open(CARD) as store:
            for one in order:
                store.add(one)
            exports.append(store.export_jsonl(tmp_path / "results" / f"{name}.jsonl"))
    first, second = exports
    assert first.read_bytes() == second.read_bytes()
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    assert [(line["example"], line["method"], line["rate"], line["seed"]) for line in lines[:4]] == [
        ("a", "no-audio", None, None),
        ("a", "rap", 0.2, 0),
        ("a", "rap", 0.8, 9),
        ("a", "rap", 0.8, 10),
    ]
    assert lines[0]["scores"] == [0.3333, 0.0] and "seconds" not in lines[0]
    assert sorted(file.name for file in first.parent.iterdir()) == [
        "run0.card.json", "run0.jsonl", "run1.card.json", "run1.jsonl"
    ]  # fmt: skip
    assert read_card(first) == CARD == read_card(tmp_path / "run0.sqlite")


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


def test_a_rate_is_one_key_however_it_was_computed() -> None:
    assert row(rate=0.1 + 0.2).key == row(rate=0.3).key == row_key("a", "rap", {}, 0.1 + 0.2, 0, "letter")
    assert row(rate=0.3).key != row(rate=0.4).key
    assert len({row(**change).key for change in ({}, {"seed": None}, {"rate": None}, {"options": {"a": 1}})}) == 4


@pytest.mark.parametrize("field", [{"scores": (float("nan"),)}, {"evidence_recall": float("inf")}, {"tokens_kept": -1}])
def test_numbers_that_are_none_are_refused(field: dict) -> None:
    with pytest.raises(ValidationError):
        row(**field)


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

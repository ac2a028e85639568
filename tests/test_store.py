"""Answers on disk: nothing lost, nothing double, nothing mixed, one writer."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from answer_rows import CARD, changed, row

from speechprune_lib.answers import Failure, ResultsError
from speechprune_lib.results import read_card, read_rows
from speechprune_lib.store import ResultStore

WRITER = """
import sys, time
from speechprune_lib.answers import Row
from speechprune_lib.provenance import RunCard
from speechprune_lib.store import ResultStore

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


def test_the_file_is_safe_against_power_cuts_too(path) -> None:
    with ResultStore(path).open(CARD) as store:
        assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        other = sqlite3.connect(path)
        assert other.execute("SELECT count(*) FROM runs").fetchone() == (1,)  # there before the first row
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


DIFFERENT = [
    ({"model_revision": "r2"}, "model_revision: r1 -> r2"),
    ({"benchmark_hash": "h2"}, "benchmark_hash: h1 -> h2"),
    ({"prompt": "words"}, "prompt: letters -> words"),
    ({"code": "x2"}, "code: x1 -> x2"),
    ({"versions": {"numpy": "3.0"}}, "versions.numpy: 2.0 -> 3.0"),
]


@pytest.mark.parametrize(("change", "named"), DIFFERENT)
def test_another_runs_rows_are_told_as_stale_and_never_mixed_in(path, change: dict, named: str) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
    with ResultStore(path).open(changed(**change)) as store:
        assert store.missing([row().key]) == [row().key] and store.rows() == []
        store.add(row(answer=2))
        (stale,) = store.stale()
        assert str(stale) == f"1 rows of another run ({named})" and stale.card == CARD
    assert read_rows(path)["answer"].tolist() == [2]
    with ResultStore(path).open(CARD) as store:  # back again: nothing is lost
        assert [found.answer for found in store.rows()] == [1]
        assert [stale.rows for stale in store.stale()] == [1]
    with ResultStore(path).open(CARD, stale="discard") as store:
        assert store.stale() == [] and len(store.rows()) == 1


def test_what_is_for_people_only_makes_no_row_stale(path) -> None:
    later = {"commit": "c2", "library_version": "0.2", "created": "2021-01-01T00:00:00+00:00", "argv": ("again",)}
    with ResultStore(path).open(CARD) as store:
        store.add(row())
    with ResultStore(path).open(changed(**later)) as store:
        assert store.stale() == [] and len(store.rows()) == 1


def test_answers_that_no_change_altered_are_taken_over_with_a_note(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
        store.add(row(seed=1))
    newer = changed(code="x2", seeds=(1,))
    with ResultStore(path).open(newer) as store:
        store.add(row(answer=3))
    with ResultStore(path).open(newer, stale="keep") as store:
        assert [(found.seed, found.answer) for found in store.rows()] == [(0, 3), (1, 1)]  # its own stays
        assert store.stale() == []
        assert store.card == changed(code="x2", seeds=(0, 1), accepted=("code: x1 -> x2",))
        assert store.missing([row(seed=seed).key for seed in range(3)]) == [row(seed=2).key]
    other = changed(code="x2", model_revision="r2")
    with ResultStore(path) as store:
        with pytest.raises(ResultsError, match="would mix answers of different model_revision"):
            store.open(other, stale="keep")
        assert store.card == changed(code="x2", seeds=(0, 1), accepted=("code: x1 -> x2",))
        with pytest.raises((ResultsError, TypeError), match="maybe"):
            store.open(CARD, stale="maybe")


def test_a_second_writer_is_refused_and_readers_are_not(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
        for name in (path.name, "another.sqlite"):
            with ResultStore(path.with_name(name)) as second:
                with pytest.raises(ResultsError, match=r"another evaluation is writing to .*runs: wait until it ends"):
                    second.open(CARD)
                with pytest.raises(ResultsError, match="not opened"):
                    second.add(row(seed=1))
        assert len(read_rows(path)) == 1
        with writer(path, 1, 2) as child:
            child.communicate()
        assert child.returncode == 1
    with writer(path, 1, 2) as child:
        child.communicate()
    assert child.returncode == 0 and len(read_rows(path)) == 2


def test_a_full_disk_ends_with_its_name_and_keeps_the_rows(path) -> None:
    with ResultStore(path).open(CARD) as store:
        store.add(row())
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(ResultsError, match=r"full.*answers are kept: make room, and run the same again"):
            for seed in range(1, 1000):
                store.add(row(seed=seed, reply="x" * 1000))
        kept = len(store.rows())
    assert kept >= 1 and len(read_rows(path)) == kept
    with ResultStore(path).open(CARD) as store:
        store.add(row(seed=5000))
    assert len(read_rows(path)) == kept + 1


def test_failures_are_noted_until_there_is_an_answer(path) -> None:
    unit = {name: value for name, value in row().model_dump().items() if name in Failure.model_fields}
    with ResultStore(path).open(CARD) as store:
        for attempts in (3, 6):
            store.fail(Failure(**unit, error="out of memory", attempts=attempts))
        (failure,) = store.failures()
        assert (failure.error, failure.attempts, failure.key) == ("out of memory", 6, row().key)
        assert store.missing([row().key]) == [row().key]
        store.add(row())
        assert store.failures() == []


def test_a_file_of_another_layout_is_refused(path) -> None:
    path.parent.mkdir()
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE answers (key TEXT)")
    old.close()
    with pytest.raises(ResultsError, match=r"a\.sqlite is no store of results \(its layout is 0, expected 2\)"):
        ResultStore(path)


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

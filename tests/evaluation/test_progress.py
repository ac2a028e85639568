"""A line for every method and rate: done, left, how long still, how many right."""

from __future__ import annotations

import json

import pytest
from answer_rows import row

from speechprune_lib.answers import Failure, Unit
from speechprune_lib.evaluation import progress as module
from speechprune_lib.evaluation.progress import JsonProgress, LiveProgress, PlainProgress, Progress, progress_here


def unit(**changes) -> Unit:
    return Unit(**{name: value for name, value in row(**changes).model_dump().items() if name in Unit.model_fields})


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


UNITS = [unit(seed=seed, rate=rate) for rate in (0.2, 0.8) for seed in range(4)] + [
    unit(method="original", rate=None, seed=None)
]


def watched(progress: Progress, clock: list[float]) -> None:
    """One of 0.2's answers was there; two more come in 10 s, and one fails."""
    with progress:
        progress.begin(UNITS, [row(seed=0)])
        clock[0] += 10
        progress.told(row(seed=1))
        progress.told(row(seed=2, correct=False))
        progress.told(Failure(**unit(seed=0, rate=0.8).model_dump(), error="no", attempts=3))


def test_lines_of_text(clock):
    lines: list[str] = []
    watched(PlainProgress(lines.append), clock)
    assert [" ".join(line.split()) for line in lines] == [
        "rap 0.2 3 done 1 left ETA 0:00:05 66.7% right",
        "rap 0.8 0 done 3 left ETA ? 1 failed",
        "original 0 done 1 left ETA ?",
    ]


def test_lines_for_machines(clock):
    lines: list[str] = []
    watched(JsonProgress(lines.append), clock)
    first, second, _ = map(json.loads, lines)
    counts = {"event": "progress", "method": "rap", "rate": 0.2, "done": 3, "left": 1, "failed": 0}
    assert first == counts | {"eta_s": 5.0, "accuracy": pytest.approx(2 / 3)}
    assert (second["failed"], second["eta_s"], second["accuracy"]) == (1, None, None)


def test_a_log_is_not_flooded(clock):
    lines: list[str] = []
    with PlainProgress(lines.append, seconds=30.0) as progress:
        progress.begin(UNITS, [])
        for seed in range(4):
            clock[0] += 10
            progress.told(row(seed=seed))
        assert len(lines) == 3  # once, after 30 s
    assert len(lines) == 6


def test_a_table_on_a_terminal(clock, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    watched(LiveProgress(), clock)
    told = capsys.readouterr()
    assert told.out == "" and "66.7% right" in told.err


def test_functions_show_nothing_where_nobody_watches(capsys):
    assert type(progress_here()) is Progress
    with Progress() as silent:
        silent.begin(UNITS, [])
        silent.told(row())
    assert capsys.readouterr() == ("", "")

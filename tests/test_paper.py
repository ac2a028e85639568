"""The paper's numbers are copied by hand: its text, and what they must obey among themselves, catch a slip."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from speechprune_lib.benchmarks import BENCHMARKS
from speechprune_lib.models import MODELS
from speechprune_lib.paper import (
    ACCURACIES,
    FIGURE_3_ACCURACY,
    FIGURE_3_POINTS,
    FIGURE_3_RATES,
    REMARKS,
    TABLE_1_ACCURACY,
    TABLE_1_COST,
    TABLE_1_METHODS,
    TABLE_2_ACCURACY,
    TABLE_2_BENCHMARKS,
    TEXT_ACCURACY,
    Accuracy,
    printed_accuracy,
)
from speechprune_lib.pruners import METHODS

BESIDE = Path(__file__).resolve().parents[2]
PAPER = Path(os.environ.get("SPEECHPRUNE_PAPER", BESIDE / "shared" / "paper" / "speechprune.txt"))
with_the_paper = pytest.mark.skipif(not PAPER.is_file(), reason="needs the paper's text, at $SPEECHPRUNE_PAPER")


@pytest.fixture(scope="module")
def text() -> str:
    return " ".join(PAPER.read_text("utf8").replace("’", "'").split())


def table(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end, text.index(start))]


@with_the_paper
def test_table_1_stands_there_row_by_row(text: str) -> None:
    printed = table(text, "Method PR TF", "GPU, and assess")
    ours = {(one.method, one.rate, one.benchmark): one.printed for one in TABLE_1_ACCURACY}
    assert len(ours) == len(TABLE_1_ACCURACY) == 2 * len(re.findall(r"[\d.]+% [\d.]+%", printed)) == 26
    costs = iter(TABLE_1_COST)
    for name, cells in re.findall(r"(Original|RAP|RAC|Ours) ((?:[–\d.]+ )*[\d.]+% [\d.]+%)", printed):
        *cost, spiral, hard = cells.replace("%", "").split()
        if cost:  # stands at the middle row of its rate
            row = next(costs)
            assert cost[0] == ("–" if row.rate is None else f"{row.rate:g}")
            given = (row.teraflops, row.prefill_ms, row.total_memory_gb, row.activations_gb)
            assert [float(cell) for cell in cost[1:]] == list(given)
        method = TABLE_1_METHODS[name]
        rates = [rate for (other, rate, _), value in ours.items() if other == method and value == spiral]
        assert any(ours[method, rate, "spiral-h"] == hard for rate in rates), (name, cells)


@with_the_paper
def test_table_2_stands_there_row_by_row(text: str) -> None:
    printed = table(text, "Accuracy (%) SPIRAL DTTS* CCL*", "V. CONCLUSION")
    assert [one.printed for one in TABLE_2_ACCURACY] == re.findall(r"\d+\.\d\d", printed)


@with_the_paper
@pytest.mark.parametrize("name", REMARKS)
def test_a_remark_is_quoted_as_it_stands(name: str, text: str) -> None:
    assert REMARKS[name].quote in text


@with_the_paper
@pytest.mark.parametrize("one", TEXT_ACCURACY, ids=lambda one: one.printed)
def test_accuracies_of_the_text_stand_there(one: Accuracy, text: str) -> None:
    assert f"{one.printed}%" in table(text, "C. Ablation Studies", "D. Generalization Analysis")


@pytest.mark.parametrize("name", REMARKS)
def test_a_remark_holds_its_number(name: str) -> None:
    assert REMARKS[name].printed in REMARKS[name].quote and REMARKS[name].value >= 0


def test_names_are_the_librarys() -> None:
    assert {one.method for one in ACCURACIES} <= set(METHODS) and set(TABLE_1_METHODS.values()) <= set(METHODS)
    assert {one.model for one in ACCURACIES} <= set(MODELS)
    assert {one.benchmark for one in ACCURACIES} == {*TABLE_2_BENCHMARKS.values(), "spiral-h"} <= set(BENCHMARKS)


def test_rates_of_both_halves_of_table_1_agree() -> None:
    assert [row.rate for row in TABLE_1_COST] == list(dict.fromkeys(row.rate for row in TABLE_1_ACCURACY))


def test_what_stands_in_several_places_is_the_same_everywhere() -> None:
    exact: dict[tuple[str, str, str, float | None], set[str]] = {}
    for one in ACCURACIES:
        if not one.read_off:
            exact.setdefault((one.model, one.benchmark, one.method, one.rate), set()).add(one.printed)
    assert [values for values in exact.values() if len(values) > 1] == []


def test_the_plot_was_read_within_its_error() -> None:
    assert {one.rate for one in FIGURE_3_ACCURACY} == set(FIGURE_3_RATES)
    read = {one: printed_accuracy(one.model, one.benchmark, one.method, one.rate) for one in FIGURE_3_ACCURACY}
    both = {one: exact for one, exact in read.items() if exact is not None}
    assert len(both) == 5
    assert all(abs(one.percent - exact.percent) < FIGURE_3_POINTS for one, exact in both.items())


def test_a_printed_accuracy_is_looked_up() -> None:
    found = printed_accuracy("qwen2-audio", "spiral-h", "rac", 0.4)
    assert found is not None and (found.printed, found.percent, found.place) == ("41.90", 41.9, "Table I")
    assert printed_accuracy("qwen2-audio", "spiral-h", "phase1", 0.3) is None
    plotted = printed_accuracy("qwen2-audio", "spiral-h", "phase1", 0.3, read_off=True)
    assert plotted is not None and plotted.printed == "52"


def test_cost_falls_with_the_rate() -> None:
    for column in ("teraflops", "prefill_ms", "total_memory_gb", "activations_gb"):
        values = [getattr(row, column) for row in TABLE_1_COST]
        assert values == sorted(values, reverse=True)

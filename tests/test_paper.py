"""The paper's numbers are copied by hand: what they must obey among themselves catches a slip."""

from __future__ import annotations

from speechprune_lib.paper import TABLE_1_ACCURACY, TABLE_1_COST, TABLE_1_METHODS
from speechprune_lib.pruners import METHODS


def possible(percent: float, total: int) -> bool:
    """Whether some whole number of `total` gives the percentage, printed with two decimals."""
    return any(abs(round(100 * right / total, 2) - percent) < 1e-9 for right in range(total + 1))


def test_every_accuracy_on_spiral_is_a_count_of_its_questions() -> None:
    assert all(possible(row.spiral, 1012) for row in TABLE_1_ACCURACY)
    assert not possible(60.39, 1012)


def test_on_the_hard_ones_no_one_count_of_questions_fits_all_rows() -> None:
    """The random rows fit 401 questions, SpeechPrune's 403; neither fits both."""
    assert all(possible(row.spiral_h, 401) for row in TABLE_1_ACCURACY if row.method != "speechprune")
    assert all(possible(row.spiral_h, 403) for row in TABLE_1_ACCURACY if row.method == "speechprune")
    assert not any(possible(row.spiral_h, 401) for row in TABLE_1_ACCURACY if row.method == "speechprune")


def test_methods_and_rates_are_those_of_the_library_and_of_each_other() -> None:
    assert {*TABLE_1_METHODS.values(), "original"} == {row.method for row in TABLE_1_ACCURACY} <= set(METHODS)
    assert [row.rate for row in TABLE_1_COST] == list(dict.fromkeys(row.rate for row in TABLE_1_ACCURACY))


def test_cost_falls_with_the_rate() -> None:
    for column in ("teraflops", "prefill_ms", "total_memory_gb", "activations_gb"):
        values = [getattr(row, column) for row in TABLE_1_COST]
        assert values == sorted(values, reverse=True)

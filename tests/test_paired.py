"""Paired differences against arithmetic by hand, and against McNemar's exact test where that is the same question."""

from __future__ import annotations

import pytest

from speechprune_lib.paired import Difference, paired_difference
from speechprune_lib.statistics import compare_paired


def of(values: str) -> dict[str, float]:
    return {f"item{number}": float(value) for number, value in enumerate(values)}


def test_one_answer_an_item_is_mcnemars_test() -> None:
    first, second = of("1111111000"), of("1000000100")
    found = paired_difference(first, second)
    exact = compare_paired([value == 1 for value in first.values()], [value == 1 for value in second.values()])
    assert found.difference == pytest.approx(0.5) == exact.difference
    assert found.p_value == pytest.approx(exact.p_value)
    assert found.items == 10 and found.low < 0.5 < found.high


def test_seeds_are_shares() -> None:
    found = paired_difference({"a": 1.0, "b": 0.5, "c": 0.25}, {"a": 0.5, "b": 0.5, "c": 0.0})
    assert found.difference == pytest.approx(0.25) and (found.low, found.high) == (0.0, 0.5)


def test_it_repeats_whatever_the_order() -> None:
    first, second = of("110101"), of("010011")
    turned = dict(reversed(first.items()))
    assert paired_difference(first, second) == paired_difference(turned, second)


def test_nothing_differs() -> None:
    assert paired_difference(of("101"), of("101")) == Difference(3, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("low", "high", "sign"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.3, 0)])
def test_a_sign_is_an_interval_on_one_side(low: float, high: float, sign: int) -> None:
    assert Difference(5, 0.0, low, high, 1.0).sign == sign


def test_other_items_are_named() -> None:
    with pytest.raises(ValueError, match="one side lacks .'item2'."):
        paired_difference(of("110"), of("11"))
    with pytest.raises(ValueError, match="no items at all"):
        paired_difference({}, {})

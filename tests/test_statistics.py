"""Intervals and comparisons against values worked by hand or printed elsewhere."""

from __future__ import annotations

import math

import pytest

from speechprune_lib.statistics import compare_paired, detectable_difference, told_detectable, wilson


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    [
        (81, 263, (0.2553, 0.3662)),  # Newcombe 1998, Table I, method 3
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_as_newcombe_prints_it(correct: int, total: int, interval: tuple[float, float]) -> None:
    assert wilson(correct, total) == pytest.approx(interval, abs=5e-5)


def test_wilson_from_its_formula() -> None:
    z, p, n = 1.6448536269514722, 18 / 24, 24
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert wilson(18, 24, level=0.9) == pytest.approx((middle - half, middle + half))


@pytest.mark.parametrize(("correct", "total"), [(3, 2), (-1, 2), (0, 0)])
def test_impossible_counts_are_refused(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= correct <= total"):
        wilson(correct, total)


def rightness(both: int, first_only: int, second_only: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + first_only) + [False] * (second_only + neither)
    second = [True] * both + [False] * first_only + [True] * second_only + [False] * neither
    return first, second


def test_mcnemar_by_hand() -> None:
    # 7 items split 6 : 1. Both tails of a fair coin: 2 * (C(7, 0) + C(7, 1)) / 2**7 = 16 / 128
    result = compare_paired(*rightness(10, 6, 1, 3))
    assert (result.both, result.first_only, result.second_only, result.neither) == (10, 6, 1, 3)
    assert result.p_value == pytest.approx(0.125)
    assert result.difference == pytest.approx(5 / 20)
    mirrored = compare_paired(*reversed(rightness(10, 6, 1, 3)))
    assert (mirrored.p_value, mirrored.difference) == pytest.approx((0.125, -5 / 20))


@pytest.mark.parametrize("counts", [(4, 0, 0, 2), (0, 3, 3, 0)])
def test_no_difference_has_p_one(counts: tuple[int, int, int, int]) -> None:
    result = compare_paired(*rightness(*counts))
    assert (result.p_value, result.difference) == (1.0, 0.0)


@pytest.mark.parametrize(("first", "second"), [([True], [True, False]), ([], [])])
def test_unpaired_answers_are_refused(first: list[bool], second: list[bool]) -> None:
    with pytest.raises(ValueError, match="same items"):
        compare_paired(first, second)


def power_by_counting(total: int, discordant: float, difference: float) -> float:
    """Of McNemar's test with its chi-square, over all ways in which the items can fall."""
    one, other = (discordant + difference) / 2, (discordant - difference) / 2
    found = 0.0
    for odd in range(total + 1):
        chance = math.comb(total, odd) * discordant**odd * (1 - discordant) ** (total - odd)
        for first in range(odd + 1):
            second = odd - first
            if odd and (first - second) ** 2 / odd > 1.959964**2:
                share = math.comb(odd, first) * (one / discordant) ** first * (other / discordant) ** second
                found += chance * share
    return found


@pytest.mark.parametrize(("total", "discordant"), [(96, 0.3), (96, 0.6), (48, 0.4), (200, 0.1)])
def test_a_detectable_difference_is_found_four_times_in_five(total: int, discordant: float) -> None:
    difference = detectable_difference(total, discordant)
    assert 0 < difference < discordant
    assert power_by_counting(total, discordant, difference) == pytest.approx(0.8, abs=0.04)


def test_more_items_tell_smaller_differences_and_few_tell_none() -> None:
    known = [detectable_difference(total, 0.3) for total in (48, 96, 401, 1012)]
    assert known == sorted(known, reverse=True) and known[-1] < 0.05
    assert math.isnan(detectable_difference(10, 0.3)) and math.isnan(detectable_difference(96, 0.0))
    assert "under 15% is missed more often than one time in five" in told_detectable(96, 0.3)
    assert told_detectable(10, 0.3).endswith("too few to tell any difference")
    with pytest.raises(ValueError, match="expected at least one and a share"):
        detectable_difference(96, 1.2)

"""GRIM against its authors' and others' worked examples, and against a loop over all counts."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest

from speechprune_lib.grim import grim_chance, grim_counts, grim_totals


@pytest.mark.parametrize(
    ("mean", "total", "possible"),
    [
        ("5.19", 28, False),  # Brown and Heathers 2017: 145/28 is 5.18, 146/28 is 5.21
        ("5.18", 28, True),
        ("5.21", 28, True),
        ("4.71", 20, False),  # Bauer and Francis 2021
        ("4.71", 17, True),
        ("5.27", 43, False),  # from here on: the vignette of R's package scrutiny, by Jung
        *[(mean, 28, True) for mean in ("2.61", "3.64", "10.46", "7.39")],
        *[(mean, 28, False) for mean in ("8.97", "7.26", "9.26")],
    ],
)
def test_published_means(mean: str, total: int, possible: bool) -> None:
    """A whole number of answers adds nothing to a mean's decimals: 5.19 is possible where 19 % is."""
    assert bool(grim_counts(mean.partition(".")[2], total)) is possible


@pytest.mark.parametrize(
    ("percent", "total", "possible"),
    [("32.5", 438, False), ("35.6", 455, True), ("21.7", 501, False), ("39.3", 516, True)],
)
def test_published_percentages(percent: str, total: int, possible: bool) -> None:
    """The same vignette's."""
    assert bool(grim_counts(percent, total)) is possible


def printed_counts(total: int, decimals: int) -> dict[str, list[int]]:
    """Every print of k/total, whichever way halves are rounded, and the k that it may be."""
    found: dict[str, list[int]] = {}
    unit = Decimal(1).scaleb(-decimals)
    for count in range(total + 1):
        exact = Decimal(100 * count) / Decimal(total)
        for text in {str(exact.quantize(unit, way)) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN)}:
            found.setdefault(text, []).append(count)
    return found


@pytest.mark.parametrize("total", [1, 3, 8, 28, 105, 401, 800])
@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_as_a_loop_over_all_counts_finds_them(total: int, decimals: int) -> None:
    slow = printed_counts(total, decimals)
    for number in range(100 * 10**decimals + 1):
        printed = str(Decimal(number).scaleb(-decimals))
        assert list(grim_counts(printed, total)) == slow.get(printed, [])


def test_a_trailing_zero_counts() -> None:
    assert list(grim_counts("41.90", 401)) == [168]
    assert list(grim_counts("41.9", 403)) == [169] and not grim_counts("41.90", 403)


def test_halves_may_go_either_way() -> None:
    assert list(grim_counts("12.5", 8)) == list(grim_counts("12", 8)) == list(grim_counts("13", 8)) == [1]


def test_totals_and_chance() -> None:
    assert grim_totals(["33.33", "66.67"], range(1, 10)) == [3, 6, 9]
    assert grim_chance("62.45", 1012) == pytest.approx(1013 / 10_001)
    assert grim_chance("62", 1012) == 1.0
    possible = sum(bool(grim_counts(f"{n / 100:.2f}", 401)) for n in range(10_001))
    assert grim_chance("21.45", 401) == pytest.approx(possible / 10_001)


@pytest.mark.parametrize(
    ("printed", "total", "message"),
    [
        ("41,9", 10, "'41,9', expected a percentage"),
        ("-3", 10, "'-3', expected a percentage"),
        ("41.9", 0, "a total of 0 items, expected at least one"),
        ("100.1", 10, "100.1 % of the items, expected at most 100"),
    ],
)
def test_bad_input_is_named(printed: str, total: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grim_counts(printed, total)

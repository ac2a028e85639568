"""GRIM: which whole numbers of items could a printed percentage be?

Brown and Heathers, "The GRIM Test" (2017). Of n items, k/n takes n + 1 values only; printed with enough decimals, most
percentages are none of them. A percentage that is none was not counted on these n items, or not rounded, or mistyped:
the test says that something does not fit, never what.

Percentages are texts, for "41.90" says more than 41.9. All arithmetic is in whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")


def grim_counts(printed: str, total: int) -> range:
    """The k of `total` items for which 100 k / total is printed as `printed`; empty if there are none.

    A half in the last place may have been rounded either way. Raises ValueError for what is no percentage, and for no
    items.
    """
    digits, unit = _parsed(printed)
    if total < 1:
        raise ValueError(f"a total of {total} items, expected at least one")
    # |100 k / total - digits / unit| <= 1 / (2 unit), times 2 * unit * total
    middle, step = 2 * digits * total, 200 * unit
    return range(max(0, -(-(middle - total) // step)), min(total, (middle + total) // step) + 1)


def grim_totals(printed: Iterable[str], totals: Iterable[int]) -> list[int]:
    """Those of the `totals` of which every one of the printed percentages can be a whole number of items."""
    cells = list(printed)
    return [total for total in totals if all(grim_counts(cell, total) for cell in cells)]


def grim_chance(printed: str, total: int) -> float:
    """How likely a percentage of as many decimals passes by chance: the share of those from 0 to 100 that can be k/total.

    Near 1, passing says nothing; this is where there are about as many items as percentages to print.
    """
    _, unit = _parsed(printed)
    if total < 1:
        raise ValueError(f"a total of {total} items, expected at least one")
    every = 100 * unit + 1
    return min(total + 1, every) / every


def _parsed(printed: str) -> tuple[int, int]:
    """("41.90") -> (4190, 100): the digits as a whole number, and what it is divided by."""
    match = _NUMBER.fullmatch(printed)
    if match is None:
        raise ValueError(f"printed as {printed!r}, expected a percentage without its sign, such as '41.90'")
    whole, decimals = match[1], match[2] or ""
    digits, unit = int(whole + decimals), 10 ** len(decimals)
    if digits > 100 * unit:
        raise ValueError(f"{printed} % of the items, expected at most 100")
    return digits, unit

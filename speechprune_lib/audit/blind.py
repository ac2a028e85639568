"""The printed accuracies beside what the released key gives to those who never listen."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..key_counts import KeyCounts, blind_scores
from ..paper import TABLE_1_ACCURACY
from ..statistics import wilson
from .accuracies import STATED

KEYS = {"spiral": "SPIRAL", "spiral-h": "SPIRAL-H"}
"""Benchmarks of Table I -> the names in the key's counts."""


def beside_blind(counts: Iterable[KeyCounts]) -> pd.DataFrame:
    """A line an accuracy of Table I: benchmark, method, rate, accuracy with Wilson's 95 % interval, and the blind lines.

    `letter`: always the commonest letter; `longest`: always the longest option; `floor`: the paper's model where it had
    not heard the answer (None on SPIRAL-H, of which it knows none by definition). All are shares; `above letter` says
    whether the interval lies above, below or across the letter's line. Raises ValueError where a count is missing.
    """
    blind = blind_scores(counts)
    if missing := sorted(set(KEYS.values()) - set(blind.index)):
        raise ValueError(f"no counts of {missing}, expected those of data/results/spiral_key.jsonl")
    lines = []
    for one in TABLE_1_ACCURACY:
        total, key = STATED[one.benchmark], blind.loc[KEYS[one.benchmark]]
        low, high = wilson(round(one.percent * total / 100), total)
        line = {"benchmark": KEYS[one.benchmark], "method": one.method, "rate": one.rate}
        line |= {"accuracy": one.percent / 100, "low": low, "high": high}
        letter = float(key["always"])
        line |= {"letter": letter, "longest": float(key["longest"]), "floor": key["floor"]}
        lines.append(line | {"above letter": "above" if low > letter else "below" if high < letter else "across"})
    return pd.DataFrame(lines)

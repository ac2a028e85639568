"""Differences between two conditions on the same items, each item's seeds averaged first: scipy's bootstrap and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

RESAMPLES = 9_999
LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """Accuracy of the first condition less that of the second, over `items`, with a 95 % interval.

    The interval is the percentile bootstrap over items; `p_value` is of the two-sided test that flips the sign of every
    item's difference at random, which for one answer an item is McNemar's exact test.
    """

    items: int
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def paired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """first, second: item -> share right over its seeds. The same data give the same interval, whenever they are asked.

    Raises ValueError unless both are of the same items.
    """
    if not first or set(first) != set(second):
        odd = sorted(set(first) ^ set(second))[:3] or "no items at all"
        raise ValueError(
            f"{len(first)} and {len(second)} items, of which one side lacks {odd}: expected the same in both"
        )
    differences = np.array([first[item] - second[item] for item in sorted(first)])
    mean = float(differences.mean())
    if not differences.any():
        return Difference(len(differences), 0.0, 0.0, 0.0, 1.0)
    rng = np.random.default_rng(0)
    options: dict[str, Any] = {"n_resamples": RESAMPLES, "vectorized": True, "batch": 500}
    interval = stats.bootstrap(
        (differences,), np.mean, confidence_level=LEVEL, method="percentile", rng=rng, **options
    ).confidence_interval
    test = stats.permutation_test((differences,), np.mean, permutation_type="samples", rng=rng, **options)
    return Difference(len(differences), mean, float(interval.low), float(interval.high), float(test.pvalue))

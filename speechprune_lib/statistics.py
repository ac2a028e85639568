"""Statistics of counted answers, in the form the tables want them; the mathematics is statsmodels' and scipy's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint


def wilson(correct: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of an accuracy. Raises ValueError unless 0 <= correct <= total and total > 0."""
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f"{correct} correct of {total}, expected 0 <= correct <= total and at least one answer")
    low, high = np.asarray(proportion_confint(correct, total, alpha=1 - level, method="wilson"), float).tolist()
    return low, high


@dataclass(frozen=True)
class PairedComparison:
    """Two methods on the same items: how many both, only one or neither got right.

    `p_value` is McNemar's exact, two-sided one: how often a fair coin would split the items on which exactly one
    method is right at least as unevenly.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    p_value: float

    @property
    def difference(self) -> float:
        """Accuracy of the first method minus that of the second."""
        return (self.first_only - self.second_only) / (self.both + self.first_only + self.second_only + self.neither)


def compare_paired(first: Sequence[bool], second: Sequence[bool]) -> PairedComparison:
    """Compare two methods by their rightness on the same items, in the same order.

    One answer an item: repeated seeds of one item are not independent, so pass one seed or a majority.
    """
    if len(first) != len(second) or len(first) == 0:
        raise ValueError(f"{len(first)} and {len(second)} answers, expected the same items in both, at least one")
    counts = {pair: 0 for pair in ((True, True), (True, False), (False, True), (False, False))}
    for one, other in zip(first, second, strict=True):
        counts[bool(one), bool(other)] += 1
    both, first_only, second_only, neither = counts.values()
    test: Any = mcnemar([[both, first_only], [second_only, neither]], exact=True)  # declared without its fields
    return PairedComparison(both, first_only, second_only, neither, min(1.0, float(test.pvalue)))


def detectable_difference(total: int, discordant: float, level: float = 0.05, power: float = 0.8) -> float:
    """The smallest difference of two accuracies that McNemar's test finds with this power on so many items.

    discordant: the share of items that exactly one of the two gets right. Connor, "Sample size for testing differences in
    proportions for the paired-sample design" (Biometrics 43, 1987), solved for the difference. NaN where even a
    difference as large as the discordant share would be missed. Raises ValueError for shares outside 0..1.
    """
    if total < 1 or not 0 <= discordant <= 1:
        raise ValueError(
            f"{total} items of which {discordant} are discordant, expected at least one and a share of 0..1"
        )
    two_sided, one_sided = float(stats.norm.ppf(1 - level / 2)), float(stats.norm.ppf(power))

    def lacking(difference: float) -> float:
        needed = two_sided * math.sqrt(discordant) + one_sided * math.sqrt(max(0.0, discordant - difference**2))
        return needed - difference * math.sqrt(total)

    if discordant == 0 or lacking(discordant) > 0:
        return math.nan
    root: Any = optimize.brentq(lacking, 0.0, discordant)
    return float(root)


def told_detectable(total: int, discordant: float) -> str:
    """What stands under a table: how small a difference may be before these items miss it."""
    difference = detectable_difference(total, discordant)
    if math.isnan(difference):
        return f"{total} questions, {discordant:.0%} of which two methods disagree on: too few to tell any difference"
    return (
        f"{total} questions: where two methods disagree on {discordant:.0%} of them, the median here, a difference "
        f"under {difference:.0%} is missed more often than one time in five (McNemar's test at 5 %)"
    )

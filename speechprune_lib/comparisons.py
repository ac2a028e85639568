"""Conditions against each other on the same questions: differences with interval and test, and what can be told at all."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from .conditions import label
from .paired import paired_difference
from .statistics import compare_paired, told_detectable

Key = tuple[str, str, float | None]
"""(method, options as JSON text, rate)."""

CONDITION = ("method", "options", "rate")
FOUND = ("n", "difference", "low", "high", "first_only", "second_only", "p")


def rightness(rows: pd.DataFrame) -> dict[Key, dict[str, float]]:
    """(method, options, rate) -> example -> share right over its seeds and the orders of its options.

    Raises ValueError for rows of several scorings, which answer the same questions twice.
    """
    scorings = sorted(rows["scoring"].unique())
    if len(scorings) > 1:
        raise ValueError(f"rows of the scorings {', '.join(scorings)}, expected one: compare them one by one")
    groups = rows.groupby(["method", "options", "rate"], dropna=False)
    return {
        (str(method), str(options), None if pd.isna(rate) else float(rate)): {
            str(example): float(share) for example, share in group.groupby("example")["correct"].mean().items()
        }
        for (method, options, rate), group in groups
    }


def compare(rows: pd.DataFrame, against: str) -> pd.DataFrame:
    """A line a condition: by how much it beats the method `against` at the same rate, or at none if that has none.

    against: a method as in `evaluate`, its options with it. `difference` of the accuracies with the 95 % interval from
    resampled questions, each question's seeds averaged before: they narrow nothing. `first_only`: questions that the
    line's method gets right more often than the other, `second_only` the reverse. `p`: McNemar's exact test where both
    have one answer a question, else the test that flips the signs of the questions' differences. `p_holm`: corrected
    for all lines of the table. Raises ValueError where `against` was not asked.
    """
    known = rightness(rows)
    found = {key: answers for key, answers in known.items() if label(key[0], json.loads(key[1])) == against}
    if not found:
        named = dict.fromkeys(label(method, json.loads(options)) for method, options, _ in known)
        raise ValueError(f"no answers of {against!r} to compare with, there are those of {', '.join(named)}")
    of_rate = {rate: answers for (_, _, rate), answers in found.items()}
    lines = [
        dict(zip(CONDITION, key, strict=True)) | _line(answers, other)
        for key, answers in known.items()
        if key not in found and (other := of_rate.get(key[2], of_rate.get(None))) is not None
    ]
    return _corrected(lines, (*CONDITION, *FOUND))


def compare_models(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """A line a condition that two models were put to: by how much the first beats the second, columns as `compare`'s,
    and each one's accuracy.

    first, second: rows of the same benchmark. Only answers to the same question under the same seed count. Raises
    ValueError where there are none, or of several scorings.
    """
    shared = {*first["key"]} & {*second["key"]}
    if not shared:
        raise ValueError("no question that both models were asked under the same condition: evaluate both there")
    ours, theirs = (rightness(rows[rows["key"].isin(shared)]) for rows in (first, second))
    lines = [
        dict(zip(CONDITION, key, strict=True))
        | {"first": _mean(answers), "second": _mean(theirs[key])}
        | _line(answers, theirs[key])
        for key, answers in ours.items()
    ]
    return _corrected(lines, (*CONDITION, "first", "second", *FOUND))


def told_beneath(rows: pd.DataFrame) -> str:
    """The sentence under a table of these rows: how small a difference they miss, at their conditions' median discord."""
    known = rightness(rows)
    questions = {example for answers in known.values() for example in answers}
    return told_detectable(len(questions), discord(known.values()))


def discord(answers: Iterable[Mapping[str, float]]) -> float:
    """Median, over all pairs of conditions, of the share of questions that one of them gets right and the other not.

    A question counts as right if it is under more than half of the seeds. 0 for fewer than two conditions.
    """
    right = np.array([[share > 0.5 for _, share in sorted(one.items())] for one in _complete(answers)])
    if len(right) < 2:
        return 0.0
    first, second = np.triu_indices(len(right), k=1)
    return float(np.median((right[first] != right[second]).mean(1)))


def _complete(answers: Iterable[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """Those that answer all of the questions that any of them does."""
    every = list(answers)
    questions = {example for one in every for example in one}
    return [one for one in every if set(one) == questions]


def _corrected(lines: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """The lines as a table, with Holm's correction for all of them."""
    table = pd.DataFrame(lines, columns=[*columns])
    return table.assign(p_holm=multipletests(table["p"], method="holm")[1] if len(table) else [])


def _mean(answers: Mapping[str, float]) -> float:
    return float(np.mean([*answers.values()]))


def _line(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, Any]:
    """Over the questions that both answer; an answer that failed is missing."""
    both = sorted(first.keys() & second.keys())
    found = paired_difference({one: first[one] for one in both}, {one: second[one] for one in both})
    pairs = [(first[one], second[one]) for one in both]
    p_value = found.p_value
    if {share for pair in pairs for share in pair} <= {0.0, 1.0}:
        p_value = compare_paired([one == 1 for one, _ in pairs], [other == 1 for _, other in pairs]).p_value
    return {
        "n": found.items,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "first_only": sum(one > other for one, other in pairs),
        "second_only": sum(one < other for one, other in pairs),
        "p": p_value,
    }

"""Which of the printed accuracies can be counts of questions, and what those of Table I say question by question."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import pandas as pd
from scipy.stats import binomtest

from ..grim import grim_chance, grim_counts, grim_totals
from ..paper import ACCURACIES, REMARKS, TABLE_1_ACCURACY, Accuracy, printed_accuracy

STATED: Mapping[str, int] = {
    "spiral": int(REMARKS["questions"].value),
    "spiral-h": int(REMARKS["hard questions"].value),
}
"""Questions of a benchmark as the paper states them; of DREAM-TTS* and CN-College-Listen* it states none."""

PRINTED = tuple(dict.fromkeys(one for one in ACCURACIES if not one.read_off))
RANDOM = ("rap", "rac")


def groups() -> dict[str, list[Accuracy]]:
    """The cells that should be counts of the same questions, by what they have in common; none is in two groups."""
    found: dict[str, list[Accuracy]] = {}
    for one in PRINTED:
        found.setdefault(_group(one), []).append(one)
    return {
        name: list({(one.model, one.method, one.rate): one for one in cells}.values()) for name, cells in found.items()
    }


def _group(one: Accuracy) -> str:
    if one.benchmark != "spiral-h":
        return one.benchmark
    if one.method in ("original", *RANDOM):
        return "spiral-h: first 30 s, RAP, RAC"
    if one.method == "speechprune":
        return "spiral-h: SpeechPrune"
    return f"spiral-h: {one.method}"


def possible_totals(up_to: int = 1500) -> pd.DataFrame:
    """A line a group: of which totals all of its cells can be counts, and how likely chance lets all of them pass.

    totals: all up to `up_to` if they are six or fewer, else how many. by chance: that so many percentages, drawn at
    random, are all counts of the stated total, or of the least that fits where none is stated (near 1: nothing follows).
    """
    lines = []
    for name, cells in groups().items():
        printed = [one.printed for one in cells]
        totals = grim_totals(printed, range(1, up_to + 1))
        stated = STATED.get(cells[0].benchmark)
        tested = stated or next(iter(totals), None)
        lines.append(
            {
                "group": name,
                "cells": len(cells),
                "stated": "" if stated is None else str(stated),
                "all fit it": "" if stated is None else ("yes" if stated in totals else "no"),
                "totals that all fit": _listed(totals, up_to),
                "by chance": float("nan") if tested is None else prod(grim_chance(cell, tested) for cell in printed),
            }
        )
    return pd.DataFrame(lines).set_index("group")


def _listed(totals: Sequence[int], up_to: int) -> str:
    if not totals:
        return f"none up to {up_to}"
    return ", ".join(map(str, totals)) if len(totals) <= 6 else f"{len(totals)}, the least {totals[0]}"


def all_but_one(benchmark: str, up_to: int = 600) -> pd.DataFrame:
    """A line a cell of a benchmark: which totals all the *other* cells can be counts of; an odd one stands out."""
    cells = groups()[benchmark]
    lines = []
    for one in cells:
        others = [other.printed for other in cells if other is not one]
        name = f"{one.model}, {one.method}: {one.printed} %"
        lines.append(
            {"without": name, "totals that all others fit": _listed(grim_totals(others, range(1, up_to + 1)), up_to)}
        )
    return pd.DataFrame(lines).set_index("without")


def counts_table(totals: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """Every printed accuracy with the counts that it can be of each total: whole numbers, or "none".

    totals: of each benchmark to show, such as {"spiral-h": (401, 403)}.
    """
    columns = sorted({total for some in totals.values() for total in some})
    lines = []
    for one in PRINTED:
        if one.benchmark in totals:
            line = {"place": one.place, "model": one.model, "benchmark": one.benchmark, "method": one.method}
            line |= {"rate": "" if one.rate is None else f"{one.rate:g}", "printed": one.printed}
            lines.append(line | {f"of {n}": _counts(one, n) if n in totals[one.benchmark] else "" for n in columns})
    return pd.DataFrame(lines)


def fits(benchmark: str, totals: Sequence[int]) -> pd.DataFrame:
    """Which of the totals (columns) each printed accuracy of a benchmark can be a count of; a row a cell, but for 0 %."""
    cells = [one for one in PRINTED if one.benchmark == benchmark and one.percent > 0]
    names = [f"{one.method}{'' if one.rate is None else f' {one.rate:g}'}: {one.printed} %" for one in cells]
    table = [[bool(grim_counts(one.printed, total)) for total in totals] for one in cells]
    return pd.DataFrame(table, index=names, columns=list(totals))


def _counts(one: Accuracy, total: int) -> str:
    return ", ".join(map(str, grim_counts(one.printed, total))) or "none"


def against_original() -> pd.DataFrame:
    """Table I against the first 30 s, question by question: SPIRAL-H is what those got wrong.

    Of the questions that the first 30 s got right (`easy`) a method keeps its count on SPIRAL less its count on
    SPIRAL-H; the rest is `lost`, and SPIRAL-H's count is `gained`. p: McNemar's exact, two-sided test, which needs
    nothing else. Counts are the nearest whole numbers of the stated totals; counted: whether both cells can be such.
    """
    total, hard = STATED["spiral"], STATED["spiral-h"]
    easy = total - hard
    lines = []
    for one in (one for one in TABLE_1_ACCURACY if one.benchmark == "spiral" and one.rate is not None):
        twin = printed_accuracy(one.model, "spiral-h", one.method, one.rate)
        if twin is None:
            continue
        right, gained = (round(cell.percent * n / 100) for cell, n in ((one, total), (twin, hard)))
        lost = easy - (right - gained)
        lines.append(
            {
                "rate": one.rate,
                "method": one.method,
                "right": right,
                "gained": gained,
                "lost": lost,
                "easy kept": 1 - lost / easy,
                "difference": (gained - lost) / total,
                "p": float(binomtest(gained, gained + lost).pvalue),
                "counted": bool(grim_counts(one.printed, total)) and bool(grim_counts(twin.printed, hard)),
            }
        )
    return pd.DataFrame(lines)

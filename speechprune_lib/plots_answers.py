"""Answers -> figures that look for reasons, in the house's style (`plots.py`). Nothing is computed here."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .plots import PALETTE, REFERENCES, curve_look, curve_name, house_figure


def what_matters(table: pd.DataFrame) -> Figure:
    """A line a variant: points above or below what it varies, with its 95 % interval; filled where Holm's p is below 5 %.

    table: as of `paper_tables.what_matters`.
    """
    names = [f"{line.lever}: {line.variant}" if line.lever else f"{line.variant}" for line in table.itertuples()]
    told = [float(p) < 0.05 for p in table["p (Holm)"]]
    return forest(names, table, "points", "variant", "percentage points over what it varies", told)


def between_models(table: pd.DataFrame, xlabel: str) -> Figure:
    """A line a condition: points by which one model beats another, with the 95 % interval; filled where Holm's p is below 5 %.

    table: as of `comparisons.compare_models`.
    """
    points = table.assign(**{name: 100 * table[name] for name in ("difference", "low", "high")})
    names = [
        curve_name(str(line.method), str(line.options)) + ("" if pd.isna(line.rate) else f" at {line.rate:g}")
        for line in table.itertuples()
    ]
    return forest(names, points, "difference", "condition", xlabel, [float(p) < 0.05 for p in table["p_holm"]])


def forest(
    names: Sequence[str], table: pd.DataFrame, column: str, ylabel: str, xlabel: str, filled: Sequence[bool] = ()
) -> Figure:
    """A row a name, which stands over its interval: names of variants are too long for the margin.

    filled: whose marks are; all if none are given.
    """
    with house_figure(1.1 + 0.42 * max(1, len(table))) as (figure, axes):
        rows = np.arange(len(table))
        errors = [table[column] - table["low"], table["high"] - table[column]]
        axes.axvline(0, color="0.25", linestyle="--", linewidth=1.1)
        axes.errorbar(table[column], rows, xerr=errors, fmt="none", color=PALETTE[0], capsize=2)
        faces = [PALETTE[0] if full else "white" for full in filled or [True] * len(table)]
        axes.scatter(table[column], rows, s=26, c=faces, edgecolors=PALETTE[0], zorder=3)
        for row, name in enumerate(names):
            text = axes.text(0.015, row - 0.22, name, transform=axes.get_yaxis_transform(), va="bottom", fontsize=8)
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        axes.set(yticks=[], ylim=(max(1, len(table)) - 0.6, -0.75), ylabel=ylabel, xlabel=xlabel)
    return figure


def recall_against_accuracy(summary: pd.DataFrame) -> Figure:
    """A curve a method through its rates: how much of the key sentence it keeps, and how often the answer is right.

    summary: of one scoring, as of `summarize`; conditions without a rate or without recall are left out. The largest
    mark is the lowest rate's, at which most tokens are kept.
    """
    shown = summary[summary["rate"].notna() & summary["evidence_recall"].notna()]
    with house_figure(4.4) as (figure, axes):
        for (method, options), lines in shown.groupby(["method", "options"], sort=False):
            look, curve = curve_look(str(method), str(options)), lines.sort_values("rate")
            marks = {"color": look["color"], "marker": look.pop("marker"), "s": 20 + 110 * (1 - curve["rate"])}
            named = curve_name(str(method), str(options))
            axes.plot(curve["evidence_recall"], curve["accuracy"], linewidth=1.2, label=named, **look)
            axes.scatter(curve["evidence_recall"], curve["accuracy"], zorder=3, **marks)
        axes.set(xlabel="key sentence kept", ylabel="answered correctly", xlim=(0, None), ylim=(0, None))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def by_place(table: pd.DataFrame) -> Figure:
    """Two panels over the places of the key sentence: how much of it is kept, and how often the answer is right.

    table: as of `key_places.by_place`, at one rate or without. Intervals are Wilson's 95 %.
    """
    places = sorted(table["place"].unique(), key=lambda name: (not name[0].isdigit(), len(name), name))
    with house_figure(5.4, rows=2, sharex=True) as (figure, (top, bottom)):
        groups = list(table.groupby(["method", "options"], sort=False))
        for index, ((method, options), group) in enumerate(groups):
            named = curve_name(str(method), str(options))
            lines = group.assign(at=[places.index(place) for place in group["place"]]).sort_values("at")
            look = _look(str(method), str(options))
            if lines["evidence_recall"].notna().any():
                top.plot(lines["at"], lines["evidence_recall"], **look)
            at = lines["at"] + 0.05 * (index - (len(groups) - 1) / 2)
            errors = [lines["accuracy"] - lines["low"], lines["high"] - lines["accuracy"]]
            bottom.errorbar(at, lines["accuracy"], yerr=errors, capsize=2, label=named, **look)
        counts = table.groupby("place")["questions"].max()
        bottom.set(xticks=range(len(places)), xticklabels=[f"{name}\n({counts[name]} questions)" for name in places])
        top.set(ylabel="key sentence kept", ylim=(0, None))
        bottom.set(xlabel="where the key sentence lies", ylabel="answered correctly", ylim=(0, 1.02))
        for axes in (top, bottom):
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _look(method: str, options: str) -> dict[str, Any]:
    """Of a line: a method's own colour and mark; what prunes nothing is grey, told apart by line and mark."""
    if method in REFERENCES:
        marker = "osD^"[list(REFERENCES).index(method) % 4]
        return {"color": "0.3", "linestyle": REFERENCES[method], "marker": marker, "markersize": 5}
    return curve_look(method, options)

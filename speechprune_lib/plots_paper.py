"""The paper's printed numbers -> figures, alone or beside ours, in the house's style (`plots.py`). Nothing is computed here."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from .plots import LABELS, LOOKS, PALETTE, REFERENCES, curve_look, curve_name, house_figure
from .plots_answers import forest

BLIND = {
    "letter": ("always the commonest letter", "--"),
    "longest": ("the longest option", ":"),
    "floor": ("floor", "-."),
}


def possible_totals(fits: pd.DataFrame, marked: Sequence[int]) -> Figure:
    """A row a printed percentage, a dot at every total of which it can be a count; marked totals have a line.

    fits: as of `audit.accuracies.fits`.
    """
    with house_figure(1.5 + 0.23 * len(fits)) as (figure, axes):
        rows, columns = np.nonzero(fits.to_numpy())
        whole = np.isin(np.asarray(fits.columns)[columns], marked)
        for shown, colour in ((~whole, "0.7"), (whole, PALETTE[2])):
            axes.scatter(
                np.asarray(fits.columns)[columns[shown]], rows[shown], s=16, color=colour, linewidth=0, zorder=3
            )
        for total, side in zip(marked, ("right", *("left" for _ in marked)), strict=False):
            axes.axvline(total, color="0.25", linestyle="--", linewidth=1.0, zorder=1)
            axes.text(total, -0.62, f" {total} ", ha=side, va="bottom", fontsize=9)
        axes.set(yticks=range(len(fits)), yticklabels=fits.index, xlabel="questions", ylabel="printed")
        axes.set(ylim=(len(fits) - 0.5, -0.5), xticks=[min(fits.columns), max(fits.columns)])
        axes.tick_params(axis="y", labelsize=8)
        axes.grid(visible=False, axis="x")
    return figure


def beside_blind(table: pd.DataFrame) -> Figure:
    """Table I's accuracies with 95 % intervals, a panel a benchmark, beside what needs no listening.

    table: as of `audit.blind.beside_blind`.
    """
    groups = list(table.groupby("benchmark", sort=False))
    with house_figure(2.6 * len(groups) + 0.7, rows=len(groups), sharex=True) as (figure, panels):
        for axes, (benchmark, lines) in zip(np.atleast_1d(panels), groups, strict=True):
            for offset, (method, cells) in enumerate(lines.groupby("method", sort=False)):
                _printed(axes, str(method), cells, 0.012 * (offset - 2))
            for column, (_, style) in BLIND.items():
                for value in lines[column].dropna().astype(float).unique():
                    axes.axhline(value, color="0.25", linestyle=style, linewidth=1.1, zorder=1)
            axes.set(title=f"{benchmark}, as printed", ylabel="answered correctly", ylim=(0, 1))
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        last = np.atleast_1d(panels)[-1]
        last.set(xlabel="prune rate", xticks=sorted(table["rate"].dropna().unique()))
        handles = [Line2D([], [], color="0.25", linestyle=style, label=name) for name, style in BLIND.values()]
        shown = [*_handles([str(method) for method in table["method"].unique()]), *handles]
        figure.legend(handles=shown, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _printed(axes: Axes, method: str, cells: pd.DataFrame, offset: float) -> None:
    """A condition without a rate stands at 0: it reads 750 tokens."""
    colour, marker = LOOKS.get(method, ("black", "*"))
    errors = [cells["accuracy"] - cells["low"], cells["high"] - cells["accuracy"]]
    where = cells["rate"].astype(float).fillna(0.0) + offset
    axes.errorbar(where, cells["accuracy"], yerr=errors, color=colour, marker=marker, markersize=5, capsize=2)


def _handles(methods: Sequence[str]) -> list[Line2D]:
    looks = {method: LOOKS.get(method, ("black", "*")) for method in methods}
    return [
        Line2D([], [], color=colour, marker=marker, label=LABELS.get(method, method))
        for method, (colour, marker) in looks.items()
    ]


def status_bars(overview: pd.DataFrame) -> Figure:
    """How many printed numbers of each kind have which status. overview: as of `reproduction.overview`."""
    with house_figure(1.5 + 0.45 * len(overview)) as (figure, axes):
        left = np.zeros(len(overview))
        for (status, counts), (colour, hatch) in zip(
            overview.items(), ((PALETTE[2], ""), (PALETTE[3], "//"), ("0.85", "")), strict=True
        ):
            bars = axes.barh(
                overview.index, counts, left=left, color=colour, hatch=hatch, edgecolor="white", label=status
            )
            axes.bar_label(bars, [str(count) if count else "" for count in counts], label_type="center", fontsize=9)
            left += counts.to_numpy()
        axes.set(xlabel="printed numbers", ylabel="kind", ylim=(len(overview) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def accuracy_bands(summary: pd.DataFrame) -> Figure:
    """Accuracy against the prune rate, all methods, with 95 % intervals as bands; conditions without a rate as lines.

    summary: of one scoring, as `summarize` gives it.
    """
    with house_figure(4.2) as (figure, axes):
        _curves(axes, summary)
        axes.set(xlabel="prune rate (share of 750 tokens removed)", xticks=sorted(summary["rate"].dropna().unique()))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def figure_3_beside(paper: pd.DataFrame, ours: pd.DataFrame | None, title: str) -> Figure:
    """The paper's Fig. 3 over ours on the same axes; without ours the lower panel says that it is not run yet.

    paper: as of `paper_tables.figure_3`; hollow marks were read off the plot. ours: as of `of_figure_3`. title: which
    model on which benchmark.
    """
    with house_figure(6.2, rows=2, sharex=True) as (figure, (top, bottom)):
        _curves(top, paper)
        hollow = paper[paper["read off"]]
        top.plot(hollow["rate"], hollow["accuracy"], "o", markersize=3, color="white", zorder=5)
        top.set_title("Fig. 3, as printed: Qwen2-Audio on SPIRAL-H")
        if ours is None:
            bottom.text(0.5, 0.5, "not run yet", transform=bottom.transAxes, ha="center", va="center", color="0.35")
            bottom.set(ylabel="answered correctly", ylim=(0, 1))
            bottom.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            _curves(bottom, ours)
        bottom.set(title=title, xlabel="prune rate", xticks=sorted(paper["rate"].dropna().unique()))
        handles, labels = top.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def printed_gains(table: pd.DataFrame) -> Figure:
    """A line a model and benchmark of Table II: points gained by SpeechPrune. table: as of `paper_tables.gains`."""
    names = [f"{line.model} on {line.benchmark} ({line.questions} questions)" for line in table.itertuples()]
    return forest(names, table, "gain", "model and benchmark", "percentage points over the first 30 s")


def _curves(axes: Axes, summary: pd.DataFrame) -> None:
    for (method, options), lines in summary[summary["rate"].notna()].groupby(["method", "options"], sort=False):
        look, named = curve_look(str(method), str(options)), curve_name(str(method), str(options))
        axes.plot(lines["rate"], lines["accuracy"], label=named, **look)
        axes.fill_between(lines["rate"], lines["low"], lines["high"], color=look["color"], alpha=0.15, linewidth=0)
    for method, style in REFERENCES.items():
        for value in summary[summary["method"] == method]["accuracy"].dropna():
            axes.axhline(value, color="0.25", linestyle=style, linewidth=1.1, label=LABELS[method], zorder=1)
    axes.set(ylabel="answered correctly", ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))

"""Costs -> figures, in the house's style (`plots.py`). Nothing is computed here."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from .plots import LOOKS, OTHERS, PALETTE, curve_name, house_figure

ENCODER, PRUNER, LLM, REPLY = *OTHERS[:3], "black"
"""Stages are no methods, so none has a method's colour."""
STAGES = {"encoder": (ENCODER, ""), "pruner": (PRUNER, ""), "LLM": (LLM, "//")}


def end_to_end_bars(table: pd.DataFrame) -> Figure:
    """A bar a method, from the sound to the first reply token; both comparisons stand beside it in words.

    table: as of `end_to_end`.
    """
    with house_figure(3.6) as (figure, axes):
        left = np.zeros(len(table))
        for stage, (colour, hatch) in STAGES.items():
            axes.barh(
                table.index,
                table[stage],
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="white",
                label=f"pruner ({table[stage].max():.2f}: too thin to see)" if stage == "pruner" else stage,
                height=0.7,
            )
            left += table[stage].to_numpy()
        for name, style in (("first 30 s", "--"), ("everything", ":")):
            axes.axvline(table.at[name, "sum"], color="0.25", linestyle=style, linewidth=1.1)
        widest, nearest = float(table["sum"].max()), float(table.at["first 30 s", "sum"])
        for row, (name, line) in enumerate(table.iterrows()):
            if str(name) in ("first 30 s", "everything"):
                continue
            words = f"{line['against first 30 s']:+.0%} against the first 30 s\n{line['against everything']:+.0%} against everything"
            axes.text(max(line["sum"], nearest) + 0.02 * widest, row, words, va="center", fontsize=7.5)
        axes.set(xlabel="TFLOPS until the first reply token", xlim=(0, 1.05 * widest), ylim=(len(table) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def cost_by_length(table: pd.DataFrame) -> Figure:
    """Operations of every stage against the audio's length, both axes logarithmic.

    table: as of `by_length`, everything and one rate.
    """
    with house_figure(3.8) as (figure, axes):
        groups = dict(list(table.groupby("rate", sort=False)))
        everything, pruned = groups.pop("everything"), next(iter(groups.values()))
        minutes = everything["seconds"] / 60
        lines = {
            "prefill of everything": (everything["prefill"], LLM, "-", "s"),
            "encoder": (everything["encoder"], ENCODER, "-", "^"),
            "prefill of what SpeechPrune keeps": (pruned["prefill"], LOOKS["speechprune"][0], "-", "o"),
            "SpeechPrune itself": (pruned["pruner"], PRUNER, "--", "D"),
        }
        for name, (values, colour, style, marker) in lines.items():
            shown = values.to_numpy() > 0
            axes.plot(
                minutes[shown.tolist()],
                values[shown.tolist()],
                style,
                color=colour,
                marker=marker,
                markersize=4,
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel="audio (minutes)", ylabel="TFLOPS")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def relative_prefill(curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], at: int) -> Figure:
    """Prefill against audio tokens as a share of the prefill at `at` of them, a line a device: (tokens, seconds)."""
    with house_figure(3.6) as (figure, axes):
        looks = zip("osD^vP", ("-", "--", "-.", ":", "-", "--"), cycle(OTHERS), strict=False)
        for (name, (tokens, seconds)), (marker, style, colour) in zip(curves.items(), looks, strict=False):
            whole = dict(zip(tokens, seconds, strict=True))[at]
            shares = [value / whole for value in seconds]
            axes.plot(tokens, shares, style, marker=marker, color=colour, markersize=5, label=name)
        axes.set(xlabel="audio tokens kept", ylabel=f"prefill, {at} tokens = 100 %", ylim=(0, None), xlim=(0, None))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        figure.legend(loc="outside lower center", ncols=1, frameon=False)
    return figure


def stages_by_tokens(table: pd.DataFrame) -> Figure:
    """Measured milliseconds of a whole model's stages against audio tokens, with their quartiles.

    table: as of `records.table`.
    """
    with house_figure(3.6) as (figure, axes):
        names = {
            "encode": "encoder",
            "prune": "SpeechPrune itself",
            "prefill": "prefill, unpruned",
            "decode": "a reply token",
        }
        looks = zip("^Dso", (ENCODER, PRUNER, LLM, REPLY), strict=True)
        for (stage, name), (marker, colour) in zip(names.items(), looks, strict=True):
            rows = table[table["stage"] == stage].sort_values("audio tokens")
            errors = [rows["ms"] - rows["from"], rows["to"] - rows["ms"]]
            axes.errorbar(
                rows["audio tokens"],
                rows["ms"],
                yerr=errors,
                marker=marker,
                color=colour,
                markersize=4,
                capsize=2,
                label=name,
            )
        axes.set(xlabel="audio tokens", ylabel="milliseconds", yscale="log", xlim=(0, None))
        for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            ticks(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "125" else ""))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def pareto(table: pd.DataFrame, best: pd.DataFrame) -> Figure:
    """Answered correctly, with 95 % intervals, against seconds before the reply; a line joins `best`, the frontier.

    table: as of `priced`, of one scoring; a point a rate, the rates of a method joined.
    """
    with house_figure(4.4) as (figure, axes):
        axes.plot(
            best["seconds"],
            best["accuracy"],
            color="0.6",
            linewidth=4,
            alpha=0.5,
            zorder=1,
            label="nothing is cheaper and better",
        )
        spare = iter((("black", "*"), ("0.4", "X"), (PALETTE[9], "h"), (PALETTE[6], "<")))
        for (method, options), lines in table.groupby(["method", "options"], sort=False):
            colour, marker = LOOKS.get(str(method)) or next(spare)
            style = "-" if options == "{}" else "--"
            errors = [lines["accuracy"] - lines["low"], lines["high"] - lines["accuracy"]]
            named = curve_name(str(method), str(options))
            axes.errorbar(
                lines["seconds"], lines["accuracy"], yerr=errors, color=colour, marker=marker, linestyle=style,
                markersize=5, linewidth=1.2, elinewidth=0.6, label=named,
            )  # fmt: skip
        axes.set(xlabel="seconds before the reply", ylabel="answered correctly", xlim=(0, None), ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure

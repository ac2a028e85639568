"""Single recordings and their tokens -> figures, in the house's style (`plots.py`). Nothing is computed here."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .neighbourhood import TokenMap
from .plots import LABELS, LOOKS, PALETTE, Spans, house_figure, shade, steps, strips, waveform
from .prompt import Clock, Plan

DROPPED, KEPT, TEXT = "0.78", PALETTE[0], PALETTE[3]
"""Fig. 2's grey, blue and red, of the colour-blind palette."""
AFTER_PHASE_1, AFTER_PHASE_2 = LOOKS["phase1"][0], LOOKS["speechprune"][0]
"""As the methods `phase1` and `speechprune` are drawn everywhere."""


def two_phases(
    samples: np.ndarray,
    rate_hz: int,
    similarity: Sequence[float],
    first: Plan,
    second: Plan,
    clock: Clock,
    key_spans: Spans = (),
) -> Figure:
    """What SpeechPrune does to one recording, from its sound down to the tokens that the language model reads.

    similarity: a value a second. first, second: what phase 1 leaves, and what phase 2 leaves of that.
    """
    seconds = len(samples) / rate_hz
    with house_figure(5.4, rows=4, height_ratios=[1, 1, 1.2, 0.7], sharex=True) as (figure, panels):
        sound, alike, tokens, kept = panels
        waveform(sound, samples, rate_hz)
        steps(alike, similarity)
        for plan, colour, hatch in ((first, AFTER_PHASE_1, ""), (second, AFTER_PHASE_2, "")):
            counts = np.histogram(plan.seconds(clock).numpy(), np.arange(0, np.ceil(seconds) + 1))[0]
            tokens.bar(range(len(counts)), counts, width=1.0, align="edge", color=colour, hatch=hatch, linewidth=0)
        strips(kept, {"speechprune": second}, clock)
        kept.set(yticks=[], ylabel="kept", xlim=(0, seconds))
        sound.set(ylabel="sound", title=f"{seconds:.1f} s of sound are {first.total:,} audio tokens")
        alike.set(ylabel="similarity", title="phase 1: how much does each second resemble the question?")
        tokens.set(ylabel="tokens", title=f"it leaves {len(first.keep)}; phase 2 ranks them by attention")
        kept.set(title=f"the {len(second.keep)} tokens that the language model reads")
        labels = (("after phase 1", AFTER_PHASE_1), ("after phase 2", AFTER_PHASE_2))
        handles = [Line2D([], [], color=colour, linewidth=6, label=text) for text, colour in labels]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        shade(figure, panels, key_spans)
    return figure


def token_maps(rows: Sequence[tuple[str, TokenMap, Mapping[str, Plan], Mapping[str, str]]]) -> Figure:
    """Maps of tokens, a row a map and a column a method: dropped tokens grey, kept ones blue, text tokens red crosses.

    rows: (what the map is, the map, plans by method, what to write into a method's panel), with the same methods.
    """
    methods = list(rows[0][2])
    size = {"rows": len(rows), "ncols": len(methods), "squeeze": False}
    with house_figure(0.5 + 2.2 * len(rows), **size) as (figure, panels):
        for (name, drawn, plans, notes), line in zip(rows, panels, strict=True):
            for method, axes in zip(methods, line, strict=True):
                _token_map(axes, drawn, plans[method])
                note = axes.text(0.02, 0.02, notes.get(method, ""), transform=axes.transAxes, fontsize=8, va="bottom")
                note.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})
            line[0].set_ylabel(name)
        for method, axes in zip(methods, panels[0], strict=True):
            axes.set_title(LABELS.get(method, method))
        for axes in panels[-1]:
            axes.set_xlabel("map, no unit")
        figure.legend(handles=_token_handles(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def spectrogram_timeline(
    decibels: np.ndarray, hop_seconds: float, plans: Mapping[str, Plan], clock: Clock, key_spans: Spans = ()
) -> Figure:
    """A spectrogram (bins, frames), and under it a strip a plan of the tokens that it keeps; key sentences marked."""
    seconds = decibels.shape[1] * hop_seconds
    height, ratios = 2.4 + 0.36 * len(plans), [1.6, 0.36 * len(plans)]
    with house_figure(height, rows=2, height_ratios=ratios, sharex=True) as (figure, (top, bottom)):
        extent = (0, seconds, 0, decibels.shape[0])
        top.imshow(decibels, "cividis", aspect="auto", origin="lower", interpolation="nearest", extent=extent)
        top.set(ylabel="mel bin")
        top.grid(visible=False)
        for start, end in key_spans:
            top.axvline(start, color="white", linewidth=1.2)
            top.axvline(end, color="white", linewidth=1.2)
        strips(bottom, plans, clock)
        bottom.set(ylabel="kept tokens", xlim=(0, seconds))
        shade(figure, [bottom], key_spans)
    return figure


def nearness(table: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """A panel a measure, a line a method: its mean over recordings with the 95 % interval.

    table: as of `over_recordings`. measures: its name -> what the panel says.
    """
    methods = list(table["method"].unique())
    height = 0.2 + len(measures) * (0.7 + 0.24 * len(methods))
    with house_figure(height, rows=len(measures), squeeze=False) as (figure, panels):
        for (measure, says), axes in zip(measures.items(), panels[:, 0], strict=True):
            rows = table[table["measure"] == measure].set_index("method").loc[methods]
            for place, (method, row) in enumerate(rows.iterrows()):
                _with_interval(axes, place, str(method), row)
            axes.set_yticks(range(len(methods)), [_named(name) for name in methods])
            axes.set_ylim(len(methods) - 0.5, -0.5)
            axes.set_title(says, loc="right")
    return figure


def _with_interval(axes: Axes, place: int, method: str, row: pd.Series) -> None:
    colour, marker = LOOKS.get(method.partition(":")[0], ("0.35", "o"))
    errors = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
    face = "white" if ":" in method else colour
    axes.errorbar(row["mean"], place, xerr=errors, color=colour, marker=marker, markerfacecolor=face, capsize=2)


def _named(method: str) -> str:
    """A method as figures call it, with its options as given."""
    name, colon, options = method.partition(":")
    return LABELS.get(name, name) + colon + options


def _token_map(axes: Axes, drawn: TokenMap, plan: Plan) -> None:
    kept = np.zeros(plan.total, bool)
    kept[plan.keep.numpy()] = True
    axes.scatter(*drawn.audio[~kept].T, s=4, color=DROPPED, linewidths=0, rasterized=True)
    axes.scatter(*drawn.audio[kept].T, s=5, color=KEPT, linewidths=0, rasterized=True)
    axes.scatter(*drawn.text.T, s=28, color=TEXT, marker="X", edgecolors="white", linewidths=0.4)
    axes.set(xticks=[], yticks=[])


def _token_handles() -> list[Line2D]:
    looks = ((DROPPED, "o", "pruned"), (KEPT, "o", "kept"), (TEXT, "X", "question's text"))
    return [Line2D([], [], linestyle="", marker=marker, color=colour, label=name) for colour, marker, name in looks]

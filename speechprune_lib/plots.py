"""Results -> figures. Nothing is computed here; every function takes finished numbers and returns a Figure.

Drawn five inches wide with ten-point text, so that they read on a phone; colours are seaborn's colour-blind palette,
and no line is told by its colour alone. The same input gives the same PNG.
"""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false, reportAssignmentType=false
from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from .conditions import label
from .prompt import Clock, Plan

WIDTH_INCHES = 5.0
STYLE = {
    "figure.dpi": 160,
    "savefig.dpi": 160,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every computer
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "figure.constrained_layout.use": True,
}
PALETTE = sns.color_palette("colorblind")
KEY_COLOUR = PALETTE[8]

LABELS = {
    "no-audio": "no audio",
    "original": "first 30 s",
    "everything": "all of the audio",
    "transcript": "transcript as text",
    "rap": "random tokens (RAP)",
    "rac": "random crop (RAC)",
    "uniform": "even stride",
    "speechprune": "SpeechPrune",
    "phase1": "phase 1 only",
    "phase2": "phase 2 only",
}
LOOKS = {
    "speechprune": (PALETTE[2], "o"),
    "rap": (PALETTE[1], "s"),
    "rac": (PALETTE[0], "^"),
    "uniform": (PALETTE[7], "D"),
    "phase1": (PALETTE[4], "v"),
    "phase2": (PALETTE[5], "P"),
}
REFERENCES = {"transcript": "-.", "everything": "-", "original": "--", "no-audio": ":"}

OTHERS = (PALETTE[9], PALETTE[3], "0.45", PALETTE[6])
"""Colours of what is no method: sounds, kinds of recordings, benchmarks, stages, machines."""
SOUND, CURVE = OTHERS[0], "0.2"

Spans = Sequence[tuple[float, float]]


def accuracy_by_rate(summary: pd.DataFrame) -> Figure:
    """Accuracy with 95 % intervals against the prune rate; conditions without a rate are horizontal lines.

    summary: of one scoring, as `summarize` gives it.
    """
    with _figure(3.9) as (figure, axes):
        for offset, (label, look, lines) in _with_rate(summary):
            errors = [lines["accuracy"] - lines["low"], lines["high"] - lines["accuracy"]]
            axes.errorbar(lines["rate"] + offset, lines["accuracy"], yerr=errors, label=label, capsize=2, **look)
        _references(axes, summary, "accuracy")
        _rate_axes(figure, axes, summary, "answered correctly")
    return figure


def recall_by_rate(summary: pd.DataFrame) -> Figure:
    """Share of the key sentence's audio tokens that survive, against the prune rate."""
    with _figure(3.5) as (figure, axes):
        for _, (label, look, lines) in _with_rate(summary):
            axes.plot(lines["rate"], lines["evidence_recall"], label=label, **look)
        _references(axes, summary, "evidence_recall")
        _rate_axes(figure, axes, summary, "key sentence kept")
    return figure


def kept_timeline(
    plans: Mapping[str, Plan],
    clock: Clock,
    key_spans: Spans = (),
    similarity: Sequence[float] | None = None,
) -> Figure:
    """Which audio tokens each plan keeps: a strip a plan on one time axis, the key sentence shaded.

    similarity: one value a second, drawn above the strips.
    """
    above = 0 if similarity is None else 1
    height, ratios = 1.0 + 0.36 * len(plans) + above, [1.0] * above + [0.36 * len(plans)]
    with _figure(height, rows=1 + above, height_ratios=ratios, sharex=True) as (figure, panels):
        kept = np.atleast_1d(panels)[-1]
        strips(kept, plans, clock)
        kept.set(xlim=(0, _length_seconds(plans, clock)), ylabel="kept tokens")
        if similarity is not None:
            np.atleast_1d(panels)[0].set_ylabel("similarity")
            steps(np.atleast_1d(panels)[0], similarity)
        shade(figure, np.atleast_1d(panels), key_spans)
    return figure


def _length_seconds(plans: Mapping[str, Plan], clock: Clock) -> float:
    return float(clock[:, 1].max()) if isinstance(clock, Tensor) else max(p.total for p in plans.values()) / clock


def sound_timeline(
    samples: np.ndarray,
    rate_hz: int,
    plans: Mapping[str, Plan],
    clock: Clock,
    span: tuple[float, float] | None = None,
    words: Sequence[tuple[str, float, float]] = (),
) -> Figure:
    """The waveform, and a strip a plan of what it keeps, over all of the recording or a `span` of it in seconds.

    words: (text, start, end) in seconds; those of the span are written over the sound where they are said.
    """
    start, end = span or (0.0, len(samples) / rate_hz)
    shown = [word for word in words if start <= (word[1] + word[2]) / 2 <= end]
    ratios = [1.6 if shown else 1.0, 0.3 * len(plans)]
    with _figure(1.4 + 0.36 * len(plans) + 0.9 * bool(shown), rows=2, height_ratios=ratios, sharex=True) as (
        figure,
        panels,
    ):
        top, kept = panels
        loudest = waveform(top, samples[round(start * rate_hz) : round(end * rate_hz)], rate_hz, start)
        top.set(ylabel="sound", ylim=(-1.1 * loudest, (3.0 if shown else 1.1) * loudest))
        for text, begins, ends in shown:
            top.text((begins + ends) / 2, 1.25 * loudest, text, rotation=90, fontsize=8, ha="center", va="bottom")
        strips(kept, plans, clock)
        kept.set(xlim=(start, end), ylabel="kept")
    return figure


def waveform(axes: Axes, samples: np.ndarray, rate_hz: int, start: float = 0.0) -> float:
    """Draw the sound's envelope from second `start` on; returns its loudest sample's magnitude."""
    seconds, low, high = _envelope(samples, rate_hz)
    axes.fill_between(start + seconds, low, high, color=SOUND, linewidth=0)
    axes.set(yticks=[])
    axes.grid(visible=False, axis="y")
    return max(1e-6, float(np.abs([low, high]).max()))


def strips(axes: Axes, plans: Mapping[str, Plan], clock: Clock) -> None:
    """A strip a plan. Tokens narrower than a pixel shade it: snapped to the grid, most of them would vanish."""
    for row, (name, plan) in enumerate(plans.items()):
        bars = [(start, end - start) for start, end in plan.spans(clock)]
        axes.broken_barh(bars, (row - 0.35, 0.7), color=_colour(name), linewidth=0, snap=False)
    axes.set(yticks=range(len(plans)), yticklabels=[_plain_name(name) for name in plans], xlabel="time (s)")
    axes.set_ylim(len(plans) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _envelope(samples: np.ndarray, rate_hz: int, most: int = 1200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Seconds, lowest and highest sample of at most so many stretches: what a page can show of a million samples."""
    size = max(1, -(-len(samples) // most))
    padded = np.pad(samples, (0, -len(samples) % size))
    stretches = padded.reshape(-1, size)
    return np.arange(len(stretches)) * size / rate_hz, stretches.min(1), stretches.max(1)


def seconds_bars(similarity: Sequence[float], budget: Sequence[float], key_spans: Spans = ()) -> Figure:
    """Phase 1, second by second: how similar each is to the question, and how many tokens it may keep."""
    with _figure(3.6, rows=2, sharex=True) as (figure, (top, bottom)):
        steps(top, similarity)
        bottom.bar(range(len(budget)), budget, width=1.0, align="edge", color=LOOKS["phase1"][0], linewidth=0)
        top.set_ylabel("similarity")
        bottom.set(ylabel="tokens kept", xlabel="time (s)", xlim=(0, len(budget)), ylim=(0, None))
        shade(figure, [top, bottom], key_spans)
    return figure


def attention_heatmap(attention: np.ndarray, received: Sequence[float], start: int = 0) -> Figure:
    """The binarized attention of some audio tokens (query, key), and what each key receives; the first is `start`.

    Colours run over the square root of the attention: phase 2's rows are nearly one-hot.
    """
    edges = (start - 0.5, start + len(attention) - 0.5)
    with _figure(5.0, rows=2, height_ratios=[1, 4], sharex=True) as (figure, (top, bottom)):
        top.bar(range(start, start + len(received)), received, width=1.0, color=LOOKS["phase2"][0], linewidth=0)
        top.set_ylabel("received")
        top.grid(visible=False)
        norm = mpl.colors.PowerNorm(0.5, 0.0, 1.0)
        extent = (*edges, edges[1], edges[0])
        image = bottom.imshow(attention, "cividis", norm, aspect="auto", interpolation="nearest", extent=extent)
        bottom.set(xlabel="audio token (attended to)", ylabel="audio token (attending)")
        bottom.grid(visible=False)
        figure.colorbar(image, ax=bottom, label="attention", ticks=[0, 0.1, 0.5, 1], location="bottom", shrink=0.6)
    return figure


def frame_alignment(
    samples: np.ndarray, mel: np.ndarray, rate_hz: int, hop_seconds: float, token_seconds: float
) -> Figure:
    """A short piece of sound as waveform and as log-mel frames (bins, frames), the grid of audio tokens over both."""
    seconds = len(samples) / rate_hz
    with _figure(4.2, rows=2, sharex=True) as (figure, (top, bottom)):
        top.plot(np.arange(len(samples)) / rate_hz, samples, color=CURVE, linewidth=0.7)
        top.set(
            ylabel="amplitude", title=f"one token: {token_seconds * 1000:g} ms = {token_seconds / hop_seconds:g} frames"
        )
        extent = (0, mel.shape[1] * hop_seconds, 0, mel.shape[0])
        bottom.imshow(mel, "cividis", aspect="auto", origin="lower", interpolation="nearest", extent=extent)
        bottom.set(ylabel="mel bin", xlabel="time (s)", xlim=(0, seconds))
        for axes, colour in ((top, "0.5"), (bottom, "white")):
            axes.grid(visible=False)
            for edge in np.arange(0, seconds + token_seconds / 2, token_seconds):
                axes.axvline(edge, color=colour, linewidth=0.7)
    return figure


def key_places(places: Sequence[tuple[str, float, float, float]]) -> Figure:
    """Every recording as a line, its key sentence as a mark on it, sorted by where that begins; 30 s are marked.

    places: (kind of recording, length, start and end of the key sentence) in seconds.
    """
    kinds = dict(zip(sorted({kind for kind, *_ in places}), OTHERS, strict=False))
    with _figure(4.2) as (figure, axes):
        for row, (kind, length, start, end) in enumerate(sorted(places, key=lambda place: place[2])):
            axes.plot([0, length], [row, row], color="0.85", linewidth=1.2, zorder=1)
            axes.plot([start, end], [row, row], color=kinds[kind], linewidth=2.4, zorder=2, solid_capstyle="butt")
        axes.axvline(30, color="0.25", linestyle="--", linewidth=1.2)
        axes.set(xlabel="time (s)", ylabel="recordings", yticks=[], xlim=(0, None), ylim=(len(places), -1))
        handles = [mpl.lines.Line2D([], [], color=colour, linewidth=2.4, label=kind) for kind, colour in kinds.items()]
        handles.append(mpl.lines.Line2D([], [], color="0.25", linestyle="--", label="30 s"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def letters(shares: pd.DataFrame) -> Figure:
    """How often each letter is the right one: a group of bars a benchmark (rows), against an even key.

    shares: of its questions, a column a letter.
    """
    with _figure(3.2) as (figure, axes):
        width = 0.8 / len(shares)
        for place, (name, line) in enumerate(shares.iterrows()):
            at = np.arange(len(line)) + width * (place - (len(shares) - 1) / 2)
            axes.bar(
                at,
                line,
                width=0.92 * width,
                color=OTHERS[place % len(OTHERS)],
                label=str(name),
                hatch=("", "//", "..")[place % 3],
            )
        axes.axhline(1 / shares.shape[1], color="0.25", linestyle="--", linewidth=1.2, label="even")
        names = [str(column) for column in shares.columns]
        axes.set(xticks=range(len(names)), xticklabels=names, xlabel="letter", ylabel="right answers")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


@contextmanager
def _figure(height: float, rows: int = 1, **options: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure in the house's style; closed for pyplot, so that a notebook shows it once, as the cell's value."""
    ratios = {"gridspec_kw": {"height_ratios": options.pop("height_ratios")}} if "height_ratios" in options else {}
    with mpl.rc_context(), sns.axes_style("whitegrid"):
        mpl.rcParams.update(STYLE)
        figure, axes = plt.subplots(rows, figsize=(WIDTH_INCHES, height), **ratios, **options)
        plt.close(figure)
        yield figure, axes
        figure.canvas.draw()  # settle the layout while the style holds


house_figure = _figure
"""For the figures of `plots_efficiency.py` and `plots_tokens.py`, as `waveform`, `strips`, `steps` and `shade`."""


def _with_rate(summary: pd.DataFrame) -> Iterator[tuple[float, tuple[str, dict[str, Any], pd.DataFrame]]]:
    """Every curve with its label and look, and a small step aside, so that intervals do not hide each other."""
    groups = list(summary[summary["rate"].notna()].groupby(["method", "options"], sort=False))
    for place, ((method, options), lines) in enumerate(groups):
        look = curve_look(str(method), str(options)) | {"linewidth": 1.5}
        yield 0.008 * (place - (len(groups) - 1) / 2), (curve_name(str(method), str(options)), look, lines)


def curve_name(method: str, options: str) -> str:
    """Of a method's curve in a legend, with its options (JSON text, as in a summary)."""
    return label(_plain_name(method), json.loads(options))


def curve_look(method: str, options: str) -> dict[str, Any]:
    """Colour and mark of the method, dashed where it has options."""
    colour, marker = LOOKS.get(method, (PALETTE[9], "X"))
    return {"color": colour, "marker": marker, "linestyle": "-" if options == "{}" else "--", "markersize": 5}


def _references(axes: Axes, summary: pd.DataFrame, column: str) -> None:
    for method, style in REFERENCES.items():
        for value in summary[summary["method"] == method][column].dropna():
            axes.axhline(value, color="0.25", linestyle=style, linewidth=1.2, label=_plain_name(method), zorder=1)


def _rate_axes(figure: Figure, axes: Axes, summary: pd.DataFrame, ylabel: str) -> None:
    axes.set(xlabel="prune rate (share of 750 tokens removed)", ylabel=ylabel, ylim=(0, 1.02))
    axes.set_xticks(sorted(summary["rate"].dropna().unique()))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)


def steps(axes: Axes, values: Sequence[float]) -> None:
    """One step a second, on the values' own scale: cosines of neighbouring seconds differ by hundredths."""
    axes.stairs(values, range(len(values) + 1), baseline=None, color=CURVE, linewidth=1.3)


def shade(figure: Figure, panels: Iterable[Axes], key_spans: Spans) -> None:
    for axes in panels:
        for start, end in key_spans:
            axes.axvspan(start, end, color=KEY_COLOUR, alpha=0.45, linewidth=0, zorder=0)
    if key_spans:
        patch = mpl.patches.Patch(color=KEY_COLOUR, alpha=0.45, label="key sentence")
        figure.legend(handles=[patch], loc="outside upper right", frameon=False)


def _plain_name(name: str) -> str:
    return LABELS.get(name, name)


def _colour(name: str) -> Any:
    return LOOKS.get(name, ("0.35", ""))[0]

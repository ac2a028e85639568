"""Figures: labelled axes, nothing left open, the same input the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from speechprune_lib import plots
from speechprune_lib.prompt import Plan
from speechprune_lib.pruners import METHODS

RATES = (0.2, 0.4, 0.6, 0.8)
KEY = [(11.0, 13.5)]


def line(method: str, rate: float = np.nan, accuracy: float = 0.5, options: str = "{}") -> dict:
    fields = {"scoring": "letter", "method": method, "options": options, "rate": rate, "n": 24, "accuracy": accuracy}
    return fields | {"low": accuracy - 0.1, "high": accuracy + 0.1, "evidence_recall": accuracy / 2}


def summary() -> pd.DataFrame:
    flat = [line("no-audio", accuracy=0.25), line("original"), line("everything"), line("transcript", accuracy=0.9)]
    curves = [line(name, rate, 1 - rate) for name in ("rap", "speechprune") for rate in RATES]
    return pd.DataFrame([*flat, *curves, *[line("speechprune", rate, 0.3, '{"temperature": 0.1}') for rate in RATES]])


def plans() -> dict[str, Plan]:
    return {"original": Plan(torch.arange(300), 500), "rap": Plan(torch.arange(0, 500, 3), 500)}


def times(tokens: int) -> torch.Tensor:
    start = torch.rand(tokens, generator=torch.Generator().manual_seed(0)) * 20
    return torch.stack([start, start + 0.02], dim=1)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


FIGURES = {
    "accuracy": lambda: plots.accuracy_by_rate(summary()),
    "recall": lambda: plots.recall_by_rate(summary()),
    "timeline": lambda: plots.kept_timeline(plans(), 25.0),
    "timeline with similarity": lambda: plots.kept_timeline(plans(), 25.0, KEY, noise(20).tolist()),
    "sound": lambda: plots.sound_timeline(noise(20 * 16_000) - 0.5, 16_000, plans(), 25.0),
    "sound of a span with words": lambda: plots.sound_timeline(
        noise(20 * 16_000) - 0.5, 16_000, plans(), 25.0, (3.0, 9.0), [("early", 1.0, 1.5), ("now", 4.0, 4.4)]
    ),
    "tokens without an order in time": lambda: plots.kept_timeline(plans(), times(500)),
    "seconds": lambda: plots.seconds_bars(noise(20).tolist(), [15.0] * 20, KEY),
    "attention": lambda: plots.attention_heatmap(noise(30, 30), noise(30).tolist(), start=100),
    "key places": lambda: plots.key_places([("lecture", 90.0, 40.0, 44.0), ("meeting", 80.0, 10.0, 13.0)]),
    "letters": lambda: plots.letters(
        pd.DataFrame([[0.1, 0.6, 0.3], [0.3, 0.3, 0.4]], index=["one", "two"], columns=[*"ABC"])
    ),
    "alignment": lambda: plots.frame_alignment(noise(8000) - 0.5, noise(80, 50), 16_000, 0.01, 0.04),
}


def png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def assert_labelled_and_repeats(draw: Callable[[], Figure]) -> None:
    """Of every figure in the house's style."""
    figure = draw()
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_ylabel() for axes in panels) and panels[-1].get_xlabel()
    assert figure.get_size_inches()[0] == plots.WIDTH_INCHES
    assert not plt.get_fignums()  # else a notebook would show it twice
    assert png(figure) == png(draw())


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_labelled_and_repeats(name):
    assert_labelled_and_repeats(FIGURES[name])


def test_the_style_stays_inside():
    before = dict(plt.rcParams)
    FIGURES["recall"]()
    assert dict(plt.rcParams) == before


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_accuracy_shows_what_the_summary_says():
    figure = FIGURES["accuracy"]()
    (axes,) = figure.axes
    assert texts(figure) == [
        *("transcript as text", "all of the audio", "first 30 s", "no audio"),
        *("random tokens (RAP)", "SpeechPrune", "SpeechPrune:temperature=0.1"),
    ]
    curves = {bars.get_label(): bars.lines[0] for bars in axes.containers}
    assert curves["SpeechPrune"].get_ydata() == pytest.approx([0.8, 0.6, 0.4, 0.2])
    assert curves["SpeechPrune"].get_xdata() == pytest.approx(RATES, abs=0.02)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.2", "0.4", "0.6", "0.8"]


def test_conditions_without_audio_have_no_line_of_recall():
    table = summary()
    table.loc[table["method"].isin(["no-audio", "transcript"]), "evidence_recall"] = np.nan
    assert "no audio" not in texts(plots.recall_by_rate(table))


def test_the_timeline_shows_the_plans():
    figure = FIGURES["timeline with similarity"]()
    strips = figure.axes[-1]
    assert [tick.get_text() for tick in strips.get_yticklabels()] == ["first 30 s", "random tokens (RAP)"]
    first, second = (bars.get_paths() for bars in strips.collections)
    assert len(first) == 1 and first[0].get_extents().x1 == 12.0
    assert len(second) == 167
    assert strips.get_xlim() == (0.0, 20.0) and texts(figure) == ["key sentence"]


def test_every_method_has_a_label_and_every_curve_its_own_look():
    assert set(METHODS) <= set(plots.LABELS)
    curved = [name for name, method in METHODS.items() if method.uses_rate]
    assert set(curved) <= set(plots.LOOKS)
    assert (
        len({marker for _, marker in plots.LOOKS.values()}) == len({c for c, _ in plots.LOOKS.values()}) == len(curved)
    )


def test_what_is_no_method_has_no_methods_colour():
    of_methods = {to_rgb(colour) for colour, _ in plots.LOOKS.values()}
    assert of_methods.isdisjoint(map(to_rgb, [*plots.OTHERS, plots.SOUND, plots.CURVE, plots.KEY_COLOUR]))

"""Figures of single recordings and their tokens: labelled, closed, the same input the same bytes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb
from test_plots import png

from speechprune_lib import plots, plots_tokens
from speechprune_lib.neighbourhood import MEASURES, TokenMap
from speechprune_lib.prompt import Plan

KEY = [(11.0, 13.5)]
FIRST, SECOND = Plan(torch.arange(0, 500, 2), 500), Plan(torch.arange(0, 500, 10), 500)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


def drawn() -> TokenMap:
    return TokenMap(noise(500, 2), noise(6, 2), "pca", 0.9)


def summary() -> pd.DataFrame:
    lines = [(method, measure) for method in ("speechprune", "speechprune:match=max", "rap") for measure in MEASURES]
    numbers = {"mean": 0.5, "low": 0.4, "high": 0.7}
    return pd.DataFrame([{"method": method, "measure": measure, **numbers} for method, measure in lines])


FIGURES = {
    "two phases": lambda: plots_tokens.two_phases(
        noise(20 * 16_000) - 0.5, 16_000, noise(20).tolist(), FIRST, SECOND, 25.0, KEY
    ),
    "maps": lambda: plots_tokens.token_maps(
        [(name, drawn(), {"speechprune": SECOND, "rap": FIRST}, {"rap": "noted"}) for name in ("perplexity 5", "50")]
    ),
    "spectrogram": lambda: plots_tokens.spectrogram_timeline(noise(80, 2000), 0.01, {"rap": FIRST}, 25.0, KEY),
    "nearness": lambda: plots_tokens.nearness(summary(), {"distance": "1 - cosine", "silhouette": "silhouette"}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_labelled_closed_and_the_same_again(name: str) -> None:
    figure = FIGURES[name]()
    assert (figure.axes[-1].get_xlabel() and any(axes.get_ylabel() for axes in figure.axes)) or name == "nearness"
    assert figure.get_size_inches()[0] == plots.WIDTH_INCHES and not plt.get_fignums()
    assert png(figure) == png(FIGURES[name]())


def test_the_phases_are_counted_second_by_second() -> None:
    sound, alike, tokens, kept = FIGURES["two phases"]().axes
    heights = [bar.get_height() for bar in tokens.patches]
    assert sum(heights[:20]) == 250 and sum(heights[20:40]) == 50
    assert sound.get_title() == "20.0 s of sound are 500 audio tokens" and "250" in tokens.get_title()
    assert len(kept.collections[0].get_paths()) == 50 and "50" in kept.get_title()
    assert alike.get_ylabel() == "similarity"


def test_a_map_shows_the_papers_three_colours() -> None:
    figure = FIGURES["maps"]()
    dropped, kept, text = figure.axes[0].collections
    assert [len(points.get_offsets()) for points in (dropped, kept, text)] == [450, 50, 6]
    colours = [tuple(points.get_facecolor()[0][:3]) for points in (dropped, kept, text)]
    assert colours == [to_rgb(colour) for colour in (plots_tokens.DROPPED, plots_tokens.KEPT, plots_tokens.TEXT)]
    assert [axes.get_title() for axes in figure.axes] == ["SpeechPrune", "random tokens (RAP)", "", ""]
    assert len(figure.axes[1].collections[1].get_offsets()) == 250
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["", "noted", "", "noted"]


def test_every_method_has_its_line_and_interval() -> None:
    first, last = FIGURES["nearness"]().axes
    assert [tick.get_text() for tick in first.get_yticklabels()] == [
        "SpeechPrune",
        "SpeechPrune:match=max",
        "random tokens (RAP)",
    ]
    assert (first.get_title("right"), last.get_title("right")) == ("1 - cosine", "silhouette")
    for bars in first.containers:
        low, high = bars.lines[1]
        assert (low.get_xdata()[0], high.get_xdata()[0]) == pytest.approx((0.4, 0.7))


def test_a_method_has_its_colour_in_every_figure() -> None:
    assert plots_tokens.AFTER_PHASE_1 == plots.LOOKS["phase1"][0]
    assert plots_tokens.AFTER_PHASE_2 == plots.LOOKS["speechprune"][0]

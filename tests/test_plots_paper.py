"""Figures of printed numbers: labelled axes, the same input the same bytes, and what they show is the table."""

from __future__ import annotations

import pandas as pd
import pytest
from test_plots import assert_labelled_and_repeats, summary, texts

from speechprune_lib import plots_paper
from speechprune_lib.paper_tables import figure_3


def fits() -> pd.DataFrame:
    return pd.DataFrame([[True, False, True], [False, True, False]], ["a: 50 %", "b: 33.33 %"], [2, 3, 4])


def blind() -> pd.DataFrame:
    line = {"low": 0.3, "high": 0.5, "accuracy": 0.4, "letter": 0.6, "longest": 0.45}
    cells = [
        ("one", "original", None),
        ("one", "rap", 0.2),
        ("one", "rap", 0.4),
        ("two", "rap", 0.2),
        ("two", "rap", 0.4),
    ]
    return pd.DataFrame(
        [
            {"benchmark": benchmark, "method": method, "rate": rate, "floor": 0.42 if benchmark == "one" else None}
            | line
            for benchmark, method, rate in cells
        ]
    )


def statuses() -> pd.DataFrame:
    return pd.DataFrame({"reproduced": [0, 15], "differs": [0, 0], "not run": [54, 5]}, ["accuracy", "cost"])


def gained() -> pd.DataFrame:
    lines = {"model": ["diva", "mini"], "benchmark": ["one", "two"], "questions": [105, 96], "gain": [1.0, -2.0]}
    return pd.DataFrame(lines | {"low": [-12.0, -9.0], "high": [14.0, 5.0]})


FIGURES = {
    "possible totals": lambda: plots_paper.possible_totals(fits(), [3]),
    "beside blind": lambda: plots_paper.beside_blind(blind()),
    "status": lambda: plots_paper.status_bars(statuses()),
    "bands": lambda: plots_paper.accuracy_bands(summary()),
    "Fig. 3 and ours": lambda: plots_paper.figure_3_beside(figure_3(), summary(), "made up"),
    "Fig. 3 alone": lambda: plots_paper.figure_3_beside(figure_3(), None, "ours"),
    "gains": lambda: plots_paper.printed_gains(gained()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_labelled_and_repeats(name: str) -> None:
    assert_labelled_and_repeats(FIGURES[name])


def test_dots_stand_at_the_possible_totals() -> None:
    (axes,) = FIGURES["possible totals"]().axes
    grey, marked = (dots.get_offsets().tolist() for dots in axes.collections)
    assert grey == [[2, 0], [4, 0]] and marked == [[3, 1]]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a: 50 %", "b: 33.33 %"]


def test_blind_lines_stand_in_every_panel_that_knows_them() -> None:
    figure = FIGURES["beside blind"]()
    heights = [{line.get_ydata()[0] for line in axes.lines if line.get_linestyle() != "-"} for axes in figure.axes]
    assert {0.6, 0.45, 0.42} <= heights[0] and 0.42 not in heights[1]
    assert texts(figure)[:2] == ["first 30 s", "random tokens (RAP)"]


def test_status_bars_add_up() -> None:
    (axes,) = FIGURES["status"]().axes
    assert [bar.get_width() for bars in axes.containers for bar in bars] == [0, 15, 0, 0, 54, 5]
    assert [text.get_text() for text in axes.texts] == ["", "15", "", "", "54", "5"]


def test_bands_are_the_intervals() -> None:
    (axes,) = FIGURES["bands"]().axes
    curve = next(line for line in axes.lines if line.get_label() == "SpeechPrune")
    assert curve.get_ydata() == pytest.approx([0.8, 0.6, 0.4, 0.2])
    heights = [band.get_paths()[0].get_extents() for band in axes.collections]
    assert any(box.y0 == pytest.approx(0.1) and box.y1 == pytest.approx(0.9) for box in heights)


def test_fig_3_without_ours_says_so() -> None:
    top, bottom = FIGURES["Fig. 3 alone"]().axes
    assert [text.get_text() for text in bottom.texts] == ["not run yet"]
    assert top.get_ylim() == bottom.get_ylim()
    labels = [line.get_label() for line in top.lines]
    assert {"phase 1 only", "phase 2 only", "SpeechPrune", "all of the audio"} <= set(labels)

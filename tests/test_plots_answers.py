"""Figures that look for reasons: labelled axes, the same input the same bytes, and what they show is the table."""

from __future__ import annotations

import pandas as pd
import pytest
from test_plots import assert_labelled_and_repeats, summary, texts

from speechprune_lib import plots_answers


def matters() -> pd.DataFrame:
    lines = {
        "lever": ["nearest words", ""],
        "variant": ["speechprune:match=max", "rap"],
        "points": [9.0, -1.0],
        "low": [2.0, -6.0],
        "high": [16.0, 4.0],
        "p (Holm)": [0.02, 0.8],
    }
    return pd.DataFrame(lines)


def placed() -> pd.DataFrame:
    lines = [
        ("everything", "0 to 30 s", 0.7, float("nan")),
        ("everything", "30 to 60 s", 0.6, float("nan")),
        ("rap", "0 to 30 s", 0.5, 0.3),
        ("rap", "30 to 60 s", 0.4, 0.2),
    ]
    table = pd.DataFrame(lines, columns=["method", "place", "accuracy", "evidence_recall"])
    return table.assign(options="{}", questions=[36, 60] * 2, low=table["accuracy"] - 0.1, high=table["accuracy"] + 0.1)


def models() -> pd.DataFrame:
    lines = [("everything", float("nan"), -0.02, -0.06, 0.02, 0.5), ("rap", 0.2, 0.09, 0.02, 0.16, 0.02)]
    table = pd.DataFrame(lines, columns=["method", "rate", "difference", "low", "high", "p_holm"])
    return table.assign(options="{}")


FIGURES = {
    "models": lambda: plots_answers.between_models(models(), "percentage points"),
    "what matters": lambda: plots_answers.what_matters(matters()),
    "recall and accuracy": lambda: plots_answers.recall_against_accuracy(summary()),
    "places": lambda: plots_answers.by_place(placed()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_labelled_and_repeats(name: str) -> None:
    assert_labelled_and_repeats(FIGURES[name])


def test_what_matters_stands_in_the_tables_order_and_fills_what_is_told() -> None:
    (axes,) = FIGURES["what matters"]().axes
    assert [text.get_text() for text in axes.texts] == ["nearest words: speechprune:match=max", "rap"]
    marks = axes.collections[-1]
    assert marks.get_offsets()[:, 0].tolist() == pytest.approx([9.0, -1.0])
    told, untold = marks.get_facecolors()
    assert tuple(told) != (1, 1, 1, 1) == tuple(untold)


def test_two_models_are_held_against_each_other_in_points() -> None:
    (axes,) = FIGURES["models"]().axes
    assert [text.get_text() for text in axes.texts] == ["all of the audio", "random tokens (RAP) at 0.2"]
    assert axes.collections[-1].get_offsets()[:, 0].tolist() == pytest.approx([-2.0, 9.0])


def test_recall_and_accuracy_are_the_summarys() -> None:
    (axes,) = FIGURES["recall and accuracy"]().axes
    shown = summary()
    ours = shown[(shown["method"] == "speechprune") & (shown["options"] == "{}")].sort_values("rate")
    curve = next(line for line in axes.lines if line.get_label() == "SpeechPrune")
    assert curve.get_xdata() == pytest.approx(ours["evidence_recall"].tolist())
    assert curve.get_ydata() == pytest.approx(ours["accuracy"].tolist())


def test_places_say_how_many_questions_they_hold() -> None:
    figure = FIGURES["places"]()
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == [
        "0 to 30 s\n(36 questions)",
        "30 to 60 s\n(60 questions)",
    ]
    assert texts(figure) == ["all of the audio", "random tokens (RAP)"]
    (recall,) = figure.axes[0].lines  # all of the audio has no recall to draw
    assert recall.get_ydata() == pytest.approx([0.3, 0.2])

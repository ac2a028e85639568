"""Figures of costs: labelled, closed, the same input the same bytes."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from speechprune_lib import plots_efficiency as plots
from speechprune_lib.efficiency.shapes import QWEN2_AUDIO_SHAPE
from speechprune_lib.efficiency.tables import by_length, end_to_end


def measured_stages() -> pd.DataFrame:
    stages = [(stage, tokens) for stage in ("encode", "prune", "prefill", "decode") for tokens in (100, 500)]
    lines = [{"stage": s, "audio tokens": n, "ms": n, "from": n - 5.0, "to": n + 5.0} for s, n in stages]
    return pd.DataFrame(lines)


def answers() -> pd.DataFrame:
    names = [("original", "{}"), ("speechprune", "{}"), ("speechprune", '{"match": "max"}'), ("everything", "{}")]
    line = {"accuracy": 0.5, "low": 0.4, "high": 0.6}
    return pd.DataFrame([{"method": m, "options": o, "seconds": 1.0 + i} | line for i, (m, o) in enumerate(names)])


FIGURES = {
    "end to end": lambda: plots.end_to_end_bars(end_to_end()),
    "by length": lambda: plots.cost_by_length(by_length(QWEN2_AUDIO_SHAPE, (30.0, 90.0, 3600.0))),
    "prefill": lambda: plots.relative_prefill(
        {"a CPU": ([150, 750], [1.0, 5.0]), "paper": ([150, 750], [2.0, 6.0])}, 750
    ),
    "stages": lambda: plots.stages_by_tokens(measured_stages()),
    "pareto": lambda: plots.pareto(answers(), answers()[:2]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_labelled_closed_and_the_same_again(name: str) -> None:
    images = []
    for _ in range(2):
        figure, file = FIGURES[name](), io.BytesIO()
        figure.savefig(file, format="png")
        images.append(file.getvalue())
        assert all(axes.get_xlabel() and (axes.get_ylabel() or name == "end to end") for axes in figure.axes)
        assert figure.legends
    assert images[0] == images[1] and not plt.get_fignums()


def test_both_comparisons_stand_beside_every_pruned_bar() -> None:
    (axes,) = plots.end_to_end_bars(end_to_end()).axes
    words = [text.get_text() for text in axes.texts]
    assert words[0] == "+17% against the first 30 s\n-57% against everything" and len(words) == 4

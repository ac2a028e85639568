"""How the mini model was trained -> figures, in the house's style (`plots.py`). Nothing is computed here."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from .plots import OTHERS, house_figure

LINES = ("-", "--", "-.", ":")


def learning_curves(curves: pd.DataFrame) -> Figure:
    """Two panels, a line a run: held-out frames named rightly (`align`), held-out loss of the right reply (`tune`).

    curves: as of `training.told.curves`.
    """
    with house_figure(5.6, rows=2) as (figure, panels):
        for axes, stage, ylabel in zip(
            panels, ("align", "tune"), ("frames named rightly", "loss of the right reply"), strict=True
        ):
            for run, lines in curves[curves["stage"] == stage].groupby("run"):
                place = int(run) - 1
                look = {"color": OTHERS[place % len(OTHERS)], "linestyle": LINES[place % len(LINES)]}
                axes.plot(lines["step"], lines["held_out"], marker="o", markersize=3, label=f"run {run}", **look)
            axes.set(ylabel=ylabel, title=stage)
            axes.legend(frameon=False)
        panels[0].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panels[1].set(xlabel="step")
    return figure

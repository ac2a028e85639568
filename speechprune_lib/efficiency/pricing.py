"""Accuracy beside its price: the answers of a summary, and the seconds that each condition was measured to take."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportCallIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import pandas as pd

from ..audio import WINDOW_TOKENS
from ..conditions import WITHOUT_AUDIO
from .records import Measured

FIRST_WINDOW = "original"
FREE = ("original", "everything", "rap", "rac", "uniform")
"""Methods that look at no token before they choose."""


def priced(summary: pd.DataFrame, run: Measured) -> pd.DataFrame:
    """Lines of `summarize` that heard something, with the seconds before the reply: `encode`, `prune`, `prefill`, `seconds`.

    Each is read off `run`'s curves at the condition's mean number of tokens: encoding at those of the recording (of the
    first window for "original"), prefill at those that are kept. Raises ValueError for a run of other stages.
    """
    heard = summary[~summary["method"].isin(WITHOUT_AUDIO)].copy()
    windowed = np.minimum(heard["tokens_total"], float(WINDOW_TOKENS))
    encoded = heard["tokens_total"].where(heard["method"] != FIRST_WINDOW, windowed)
    heard["encode"] = _at(run, "encode", encoded)
    heard["prune"] = np.where(heard["method"].isin(FREE), 0.0, _at(run, "prune", heard["tokens_total"]))
    heard["prefill"] = _at(run, "prefill", heard["tokens_kept"])
    heard["seconds"] = heard[["encode", "prune", "prefill"]].sum(axis=1)
    return heard


def frontier(table: pd.DataFrame) -> pd.DataFrame:
    """The lines that no other is both cheaper and more often right than, by rising price."""
    rising = table.sort_values(["seconds", "accuracy"], ascending=[True, False])
    best = rising["accuracy"].cummax().shift(fill_value=-1.0)
    return rising[rising["accuracy"] > best]


def _at(run: Measured, stage: str, tokens: pd.Series) -> np.ndarray:
    """Median seconds at so many audio tokens, straight between what was measured."""
    rows = sorted((r.audio_tokens, r.seconds.median) for r in run.rows if r.stage == stage)
    if not rows:
        raise ValueError(f"the run on {run.label} measured no {stage}: give one of `speechprune measure --model mini`")
    return np.interp(tokens.to_numpy(float), *zip(*rows, strict=True))

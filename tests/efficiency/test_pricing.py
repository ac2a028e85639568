"""Accuracy beside seconds, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from speechprune_lib.efficiency.pricing import frontier, priced
from speechprune_lib.efficiency.records import Measured, Measurement, measured
from speechprune_lib.efficiency.timing import Timing


def run(*rows: tuple[str, int, float]) -> Measured:
    measurements = [
        Measurement(stage=stage, method="x", audio_tokens=tokens, seconds=Timing(rounds=(seconds,)))
        for stage, tokens, seconds in rows
    ]
    return measured("tiny", "random", torch.device("cpu"), torch.float32, measurements, seed=0)


CURVES = run(
    *(("encode", 750, 1.0), ("encode", 2250, 3.0), ("prune", 2000, 0.5)),
    *(("prefill", 0, 0.0), ("prefill", 1000, 2.0), ("prefill", 2000, 6.0)),
)


def line(method: str, total: float, kept: float, accuracy: float = 0.5) -> dict:
    return {"method": method, "tokens_total": total, "tokens_kept": kept, "accuracy": accuracy}


def test_prices_are_read_off_the_curves_by_hand() -> None:
    """1,500 tokens are encoded in 2 s, 750 in 1; 500 are prefilled in 1 s, 1,500 in 4."""
    table = priced(
        pd.DataFrame(
            [
                line("no-audio", 0, 0),
                line("original", 1500, 750),
                line("everything", 1500, 1500),
                line("rap", 1500, 500),
                line("speechprune", 1500, 500),
                line("transcript", 0, 0),
            ]
        ),
        CURVES,
    )
    assert table["method"].tolist() == ["original", "everything", "rap", "speechprune"]
    assert table["encode"].tolist() == [1.0, 2.0, 2.0, 2.0]
    assert table["prefill"].tolist() == [1.5, 4.0, 1.0, 1.0]
    assert table["prune"].tolist() == [0.0, 0.0, 0.0, 0.5]
    assert table["seconds"].tolist() == [2.5, 6.0, 3.0, 3.5]


def test_the_frontier_holds_what_nothing_cheaper_beats() -> None:
    table = pd.DataFrame({"seconds": [3.0, 1.0, 2.0, 1.0, 4.0], "accuracy": [0.5, 0.2, 0.6, 0.3, 0.6]})
    assert frontier(table)[["seconds", "accuracy"]].to_numpy().tolist() == [[1.0, 0.3], [2.0, 0.6]]


def test_a_run_without_the_stages_is_refused() -> None:
    with pytest.raises(ValueError, match="measured no encode: give one of `speechprune measure --model mini`"):
        priced(pd.DataFrame([line("rap", 10, 5)]), run(("prefill", 5, 1.0)))


def test_a_method_that_looks_pays_for_it() -> None:
    table = priced(pd.DataFrame([line(name, 2000, 600) for name in ("phase1", "phase2", "uniform")]), CURVES)
    assert np.array_equal(table["prune"], [0.5, 0.5, 0.0])

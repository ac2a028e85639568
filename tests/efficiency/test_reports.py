"""The book's tables of measured runs, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from speechprune_lib.efficiency import reports
from speechprune_lib.efficiency.floor import FLOAT, INT8, READ, floor_seconds
from speechprune_lib.efficiency.records import Measured, Measurement, measured
from speechprune_lib.efficiency.shapes import QWEN2_AUDIO_SHAPE
from speechprune_lib.efficiency.timing import Timing

DECODER = QWEN2_AUDIO_SHAPE.decoder


def row(stage: Any, method: str, audio_tokens: int, *rounds: float, **more: Any) -> Measurement:
    return Measurement(stage=stage, method=method, audio_tokens=audio_tokens, seconds=Timing(rounds=rounds), **more)


def run(*rows: Measurement) -> Measured:
    return measured("a decoder", "random", torch.device("cpu"), torch.float32, rows, seed=0)


PREFILL = run(
    row("prefill", "x", 150, 4.0, 2.0, 4.0, tokens=257),
    row("prefill", "x", 750, 9.0, 9.0, 9.0, tokens=857),
    row("prefill", "x", 15_000, 90.0, tokens=15_107),
    row("prune", "speechprune", 2197, 0.02, 0.02, 0.04, kept=150, tokens=257, rate=0.8),
)
BENCH = run(
    *(row("ceiling", name, 0, 1.0, 2.0, work=work) for name, work in ((READ, 1e10), (FLOAT, 1e11), (INT8, 1e12))),
    row("select", "SpeechPrune", 2197, 1.0, 2.0, 4.0, kept=600, rate=0.2, peak_bytes=5_000_000),
    row("select", "slow", 2197, 3.0, 10.0, 16.0, kept=600, rate=0.2),
    row("prune", "speechprune", 2197, 0.3, kept=600, peak_bytes=7_000_000),
    row("prune", "phase1", 2197, 0.1, kept=600),
    row("prune", "speechprune", 90_000, 1.0, kept=600),
    row("prune", "phase1", 90_000, 0.9, kept=600),
)


def test_shares_are_medians_of_the_rounds_own_shares() -> None:
    """0.5, 1 and 1 per cent."""
    line = reports.shares([PREFILL]).iloc[0]
    assert line["of the prefill (%)"] == 1.0 and line["SpeechPrune (ms)"] == 20
    assert line["half of the rounds"] == "20 to 30"


def test_curves_hold_the_paper_the_count_and_every_machine() -> None:
    curves = reports.prefill_curves([PREFILL], DECODER)
    assert curves["Quadro RTX 6000 (paper)"] == ([150, 300, 450, 600, 750], [278.0, 419.0, 511.0, 662.0, 779.0])
    assert curves[PREFILL.label] == ([150, 750], [4.0, 9.0])
    tokens, counted = curves["operations, counted"]
    assert len(tokens) == len(counted) == 5 and counted == sorted(counted)


def test_all_options_are_compared_with_one_round_by_round() -> None:
    one, every = row("score", "one option", 600, 1.0, 2.0, 4.0), row("score", "all options", 600, 1.1, 2.4, 4.0)
    table = reports.scoring_table(run(one, every))
    assert table.loc[600].tolist() == [2000, 2400, 1.1]  # of 1.1, 1.2 and 1


def test_a_first_use_is_loading_listening_and_answering() -> None:
    rows = [
        row("answer", "everything", 2250, 3.0),
        row("load", "mini", 0, 4.0, peak_bytes=1_900_000_000),
        row("listen", "mini", 2250, 1.5),
    ]
    table = reports.first_use_table(run(*rows))
    assert table.index.tolist() == [("load", "mini"), ("listen", "mini"), ("answer", "everything")]
    assert table["s"].tolist() == [4.0, 1.5, 3.0] and table["peak GB"].tolist()[0] == 1.9


def test_rivals_are_compared_round_by_round() -> None:
    table = reports.rivals_table(BENCH)
    assert table.loc[(0.2, "slow"), "times ours"] == 4.0  # of 3, 5 and 4
    assert table.loc[(0.2, "SpeechPrune"), "MB above"] == 5


def test_growth_and_gap() -> None:
    growth = reports.growth_table(BENCH)
    assert growth.loc[("phase1", 90_000), "ms per 1,000 tokens"] == 10.0
    assert growth.loc[("speechprune", 90_000), "minutes"] == 60.0
    gap = reports.floor_table(BENCH, DECODER)
    parts = floor_seconds(DECODER, 2197, {READ: 1e10, FLOAT: 1e11, INT8: 1e12})
    assert gap.loc["phase 1", "floor (ms)"] == round(1e3 * parts["phase 1"], 1)
    assert gap.loc["both", "gap"] == round(0.3 / sum(parts.values()), 1)
    assert gap.loc["phase 2", "measured (ms)"] == 200.0


def test_memory_is_counted_for_the_layers_that_were_run() -> None:
    """257 tokens in single precision: 41,216 numbers at the MLP, and one layer's 8,192 of the cache."""
    one = run(row("prefill", "x", 150, 1.0, tokens=257, layers_run=1, peak_bytes=60_000_000))
    line = reports.memory_table(one, DECODER).loc[150]
    assert line["counted (MB)"] == round(4 * 257 * (41_216 + 8_192) / 1e6) and line["measured (MB)"] == 60


def test_several_machines_are_told_apart() -> None:
    other = BENCH.model_copy(update={"hardware": "another"})
    assert reports.every([BENCH], reports.rivals_table).equals(reports.rivals_table(BENCH))
    both = reports.every([BENCH, other], reports.rivals_table)
    assert both.loc[("another, float32", 0.2, "slow"), "times ours"] == 4.0


def test_machines_are_named_and_a_missing_gpu_is_said() -> None:
    assert reports.machines([PREFILL]).endswith("on a GPU: not run yet")
    card = PREFILL.card.model_copy(update={"device": "cuda (NVIDIA H100)"})
    assert "not run yet" not in reports.machines([PREFILL.model_copy(update={"card": card})])


def test_runs_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="measured no select: see `make bench`"):
        reports.rivals_table(PREFILL)

"""The committed answers of the mini model come out again: eight questions, each under a few of its conditions."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from speechprune_lib.benchmarks import benchmark_hash, load_benchmark
from speechprune_lib.conditions import Condition, label
from speechprune_lib.evaluation import SerialEngine, evaluate
from speechprune_lib.models import load_model
from speechprune_lib.pruners import METHODS, parse_method
from speechprune_lib.results import read_card, read_rows

ROWS = Path(__file__).resolve().parents[1] / "data" / "results" / "mini_spiral-mini_test.jsonl"
QUESTIONS, OF_EACH = 8, 3
SCORES = 5e-3
"""Log-likelihoods differ by less between CPUs and numbers of threads."""


@pytest.fixture(scope="module")
def engine() -> SerialEngine:
    """The model of the rows. Answers of another model, benchmark or prompt are stale, and nothing can be compared."""
    if not ROWS.exists():
        pytest.skip(f"{ROWS.name} is not there yet: make evaluate")
    engine, card = SerialEngine(load_model("mini", "cpu")), read_card(ROWS)
    found = {"model_revision": engine.card.model_revision, "prompt": engine.card.prompt}
    found["benchmark_hash"] = benchmark_hash(load_benchmark("spiral-mini", "test"))
    stale = [f"{name} is {value[:12]}, theirs {getattr(card, name)[:12]}" for name, value in found.items()]
    stale = [told for told, (name, value) in zip(stale, found.items(), strict=True) if getattr(card, name) != value]
    if stale:
        pytest.skip(f"{ROWS.name} is stale ({'; '.join(stale)}): make evaluate")
    return engine


def condition_of(row: pd.Series) -> Condition:
    pruner = parse_method(label(row["method"], json.loads(row["options"]))) if row["method"] in METHODS else None
    rate, seed = (None if pd.isna(row[name]) else row[name] for name in ("rate", "seed"))
    return Condition(row["method"], pruner, rate, None if seed is None else int(seed))


def test_eight_questions_are_answered_as_committed(engine):
    rows, examples = read_rows(ROWS), load_benchmark("spiral-mini", "test")
    for place, example in enumerate(examples[:: len(examples) // QUESTIONS][:QUESTIONS]):
        own = rows[rows["example"] == example.id]
        chosen = own.iloc[[(7 * place + 5 * step) % len(own) for step in range(OF_EACH)]].drop_duplicates("key")
        again = evaluate(engine, [example], [condition_of(row) for _, row in chosen.iterrows()], scoring="likelihood")
        for _, row in chosen.iterrows():
            (new,) = again[again["key"] == row["key"]].to_dict("records")
            lasting = ["answer", "correct", "tokens_total", "tokens_kept"]
            assert {name: new[name] for name in lasting} == {name: row[name] for name in lasting}, row["key"]
            assert new["evidence_recall"] == pytest.approx(row["evidence_recall"], abs=1e-4, nan_ok=True)
            assert new["scores"] == pytest.approx(row["scores"], abs=SCORES), row["key"]

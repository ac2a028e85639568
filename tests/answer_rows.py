"""Rows of answers and their card, to store and to read."""

from __future__ import annotations

from typing import Any

from speechprune_lib.answers import Row
from speechprune_lib.provenance import RunCard

CARD = RunCard(
    commit="c1",
    library_version="0.1",
    model="mini",
    model_revision="r1",
    benchmark="spiral-mini",
    benchmark_hash="h1",
    prompt="letters",
    device="cpu (x86_64)",
    dtype="float32",
    versions={"numpy": "2.0"},
    code="x1",
    seeds=(0,),
    created="2020-01-01T00:00:00+00:00",
)


def row(**changes: Any) -> Row:
    fields = {"example": "a", "method": "rap", "rate": 0.2, "seed": 0, "scoring": "letter", "answer": 1}
    return Row(**(fields | {"correct": True, "tokens_total": 750, "tokens_kept": 600} | changes))


def changed(**changes: Any) -> RunCard:
    return CARD.model_copy(update=changes)

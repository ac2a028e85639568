"""Small made-up runs as they are committed, for what reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from speechprune_lib.provenance import RunCard

Condition = tuple[str, float | None, int | None, str]
"""(method, rate, seed, right): `right` is a text of 0 and 1, an item each."""


def card(model: str, benchmark: str) -> RunCard:
    return RunCard(
        commit="none",
        library_version="0",
        model=model,
        model_revision="made up",
        benchmark=benchmark,
        benchmark_hash="made up",
        prompt="made up",
        device="cpu",
        dtype="float32",
        versions={},
        created="2026-01-01T00:00:00+00:00",
    )


def row(number: int, method: str, rate: float | None, seed: int | None, right: bool, options: dict) -> str:
    fields = {"example": f"item{number}", "method": method, "options": options, "rate": rate, "seed": seed}
    fields |= {"scoring": "letter", "answer": int(right), "correct": right, "tokens_total": 2000, "tokens_kept": 600}
    return json.dumps(fields)


def write_run(
    folder: Path, name: str, model: str, benchmark: str, conditions: Iterable[Condition], options: dict | None = None
) -> None:
    """A .jsonl of rows with its card; `options` are every row's."""
    lines = [
        row(number, method, rate, seed, value == "1", options or {})
        for method, rate, seed, right in conditions
        for number, value in enumerate(right)
    ]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.card.json").write_text(card(model, benchmark).model_dump_json())

"""Answers as a table to read, from a store that grows or from the sorted JSON lines that are committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from .answers import ResultsError, Row, as_text, in_order
from .complaints import first_complaint
from .files import numbered_lines
from .provenance import RunCard
from .store import ResultStore, card_path


def read_rows(path: str | Path) -> pd.DataFrame:
    """Answers of a .sqlite store's current run or of an exported .jsonl as a sorted table: `key`, then `Row`'s fields.

    `options` is JSON text, so that it can be grouped by. Raises FileNotFoundError, and ResultsError naming the line.
    """
    path = Path(path)
    rows = sorted(_jsonl_rows(path) if path.suffix == ".jsonl" else _sqlite_rows(path), key=in_order)
    records = [{"key": row.key} | row.model_dump() | {"options": as_text(row.options)} for row in rows]
    table = pd.DataFrame(records, columns=["key", *Row.model_fields])
    twice = table["key"][table["key"].duplicated()].tolist()
    if twice:
        raise ResultsError(f"{path} holds {twice[0]} more than once: export it again from its store")
    floats = dict.fromkeys(("rate", "evidence_recall"), "float64")
    integers = dict.fromkeys(("seed", "answer", "tokens_total", "tokens_kept"), "Int64")
    return table.astype(floats | integers | {"correct": "bool"})


def read_card(path: str | Path) -> RunCard:
    """The run card of a .sqlite store's current run or of an exported .jsonl (from the file beside it)."""
    path = Path(path)
    if path.suffix == ".jsonl":
        return RunCard.model_validate_json(_existing(card_path(path)).read_text(encoding="utf-8"))
    with ResultStore(_existing(path)) as store:
        if store.card is None:
            raise ResultsError(f"{path} holds no run card, expected a store that was written to")
        return store.card


def _sqlite_rows(path: Path) -> list[Row]:
    with ResultStore(_existing(path)) as store:
        return store.rows()


def _jsonl_rows(path: Path) -> Iterator[Row]:
    for number, line in numbered_lines(_existing(path)):
        try:
            yield Row.model_validate_json(line)
        except ValidationError as error:
            raise ResultsError(f"{path}:{number}: no row of results ({first_complaint(error)})") from error


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"no results at {path}: check the path, or evaluate first")
    return path

"""Answers on disk: one SQLite file a run while it grows, sorted JSON lines when it is committed, a table to read.

The run card goes in before the first row. A row is one answer under one unique key; once `add` returns it outlives a
kill or a power cut, so a rerun only does what `missing` says.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from .complaints import first_complaint
from .files import numbered_lines, write_lines, write_whole
from .provenance import RunCard, run_card

__all__ = ["ResultStore", "ResultsError", "Row", "RunCard", "read_card", "read_rows", "row_key", "run_card"]

DECIMALS = 4
"""Of stored numbers, so that exports repeat: a change of threads or kernels mostly moves what lies below."""

MACHINERY = ("commit", "library_version", "device", "dtype", "versions")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS card (only INTEGER PRIMARY KEY CHECK (only = 1), json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, json TEXT NOT NULL);
"""

Rounded = Annotated[float, Field(allow_inf_nan=False), AfterValidator(lambda value: round(value, DECIMALS) + 0.0)]


class ResultsError(ValueError):
    """Results do not fit together; the message names what differs and the way out."""


class Row(BaseModel):
    """One answer. rate and seed are None for what has none ("no-audio", "original"); answer is None if unreadable.

    seconds: measured times by name, which no two runs share: they count neither for equality nor in an export.
    measures: of a free reply, by name (`free_replies.MEASURES`); empty for a choice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    example: str
    method: str
    options: dict[str, JsonValue] = {}
    rate: Rounded | None = None
    seed: int | None = None
    scoring: str
    answer: int | None
    correct: bool
    scores: tuple[Rounded, ...] = ()
    reply: str | None = None
    measures: dict[str, Rounded] = {}
    tokens_total: int = Field(ge=0)
    tokens_kept: int = Field(ge=0)
    evidence_recall: Rounded | None = None
    seconds: dict[str, Rounded] = {}

    @property
    def key(self) -> str:
        return row_key(self.example, self.method, self.options, self.rate, self.seed, self.scoring)

    def lasting(self) -> dict[str, Any]:
        """Everything but the measured times."""
        return self.model_dump(mode="json", exclude={"seconds"} if self.measures else {"seconds", "measures"})


def row_key(
    example: str, method: str, options: dict[str, Any], rate: float | None, seed: int | None, scoring: str
) -> str:
    """The unique key of an answer, as text; to ask a store what is missing before anything is computed."""
    rounded = None if rate is None else round(rate, DECIMALS) + 0.0
    return json.dumps([example, method, options, rounded, seed, scoring], sort_keys=True)


class ResultStore:
    """A growing file of answers. Several processes may write to one file.

    `open` must come before `add`; reading needs no card. A context manager: leaving it closes the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._opened = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = _connect(self.path)

    def open(self, card: RunCard, *, stale: Literal["refuse", "keep", "discard"] = "refuse") -> ResultStore:
        """Write the card, or go on under the one that is there if its answers could have been this run's.

        Otherwise `stale` decides: "refuse" raises ResultsError; "discard" deletes the old answers; "keep" leaves them
        and notes the difference on the card: for a change of code or computer that is known to change no answer.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            old = self.card
            differences = {} if old is None else old.differences(card)
            if differences:
                self._face_stale(differences, stale)
            if old is not None and (not differences or stale == "keep"):
                card = _merged(old, card, differences)
            self._db.execute("INSERT OR REPLACE INTO card VALUES (1, ?)", [card.model_dump_json()])
        self._opened = True
        return self

    @property
    def card(self) -> RunCard | None:
        found = self._db.execute("SELECT json FROM card").fetchone()
        return RunCard.model_validate_json(found[0]) if found else None

    def add(self, row: Row) -> None:
        """Store a row; the same one again is fine, another one under the same key raises ResultsError."""
        if not self._opened:
            raise ResultsError(f"{self.path} was not opened with a run card, expected ResultStore(path).open(card)")
        try:
            self._db.execute("INSERT INTO answers VALUES (?, ?)", [row.key, row.model_dump_json()])
        except sqlite3.IntegrityError:
            self._refuse_another(row)

    def has(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM answers WHERE key = ?", [key]).fetchone() is not None

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those keys, each once and in their order, that hold no row yet."""
        stored = {key for (key,) in self._db.execute("SELECT key FROM answers")}
        return [key for key in dict.fromkeys(keys) if key not in stored]

    def rows(self) -> list[Row]:
        """All rows, sorted by example, method, options, rate, seed and scoring, numbers by size."""
        found = self._db.execute("SELECT json FROM answers")
        return sorted((Row.model_validate_json(text) for (text,) in found), key=_order)

    def export_jsonl(self, path: str | Path) -> Path:
        """Write the sorted rows to `path`, without measured times, and the card beside it as `<name>.card.json`."""
        path, card = Path(path), self.card
        if card is None:
            raise ResultsError(f"{self.path} holds no run card, so nothing to export: evaluate something first")
        write_whole(_card_path(path), card.model_dump_json(indent=2) + "\n")
        write_lines(path, (json.dumps(row.lasting(), ensure_ascii=False) for row in self.rows()))
        return path

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> ResultStore:  # noqa: PYI034  (beartype knows Self in decorated classes only)
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _face_stale(self, differences: dict[str, str], stale: str) -> None:
        listed = "; ".join(f"{name}: {change}" for name, change in differences.items())
        if stale == "discard":
            self._db.execute("DELETE FROM answers")
        elif stale != "keep":
            raise ResultsError(
                f"{self.path} holds answers of another run ({listed}): name a new file, or pass stale='discard' to "
                f"delete them, or, if only code or computer differ and no answer can have changed, stale='keep'"
            )
        elif foreign := [name for name in differences if name.partition(".")[0] not in MACHINERY]:
            raise ResultsError(
                f"stale='keep' would mix answers of different {', '.join(foreign)} in {self.path} ({listed}): name a "
                f"new file, or pass stale='discard'"
            )

    def _refuse_another(self, row: Row) -> None:
        (text,) = self._db.execute("SELECT json FROM answers WHERE key = ?", [row.key]).fetchone()
        old, new = Row.model_validate_json(text).lasting(), row.lasting()
        changes = {name: (old.get(name), new[name]) for name in new if old.get(name) != new[name]}
        if changes:
            raise ResultsError(
                f"{self.path} already holds another answer for {row.key}: {changes} (old, new); ask missing() "
                f"before computing, or start a new file"
            )


def read_rows(path: str | Path) -> pd.DataFrame:
    """Answers of a .sqlite store or an exported .jsonl as a sorted table: `key`, then the fields of `Row`.

    `options` is JSON text, so that it can be grouped by. Raises FileNotFoundError, and ResultsError naming the line.
    """
    path = Path(path)
    rows = sorted(_jsonl_rows(path) if path.suffix == ".jsonl" else _sqlite_rows(path), key=_order)
    records = [{"key": row.key} | row.model_dump() | {"options": _json(row.options)} for row in rows]
    table = pd.DataFrame(records, columns=["key", *Row.model_fields])
    twice = table["key"][table["key"].duplicated()].tolist()
    if twice:
        raise ResultsError(f"{path} holds {twice[0]} more than once: export it again from its store")
    floats = dict.fromkeys(("rate", "evidence_recall"), "float64")
    integers = dict.fromkeys(("seed", "answer", "tokens_total", "tokens_kept"), "Int64")
    return table.astype(floats | integers | {"correct": "bool"})


def read_card(path: str | Path) -> RunCard:
    """The run card of a .sqlite store or of an exported .jsonl (from the file beside it)."""
    path = Path(path)
    if path.suffix == ".jsonl":
        return RunCard.model_validate_json(_existing(_card_path(path)).read_text(encoding="utf-8"))
    with ResultStore(_existing(path)) as store:
        if store.card is None:
            raise ResultsError(f"{path} holds no run card, expected a store that was written to")
        return store.card


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level=None)  # every statement commits by itself
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError as error:
        db.close()
        raise ResultsError(f"{path} is no store of results ({error}): name another file") from error
    return db


def _merged(old: RunCard, new: RunCard, differences: dict[str, str]) -> RunCard:
    """The card of a run that goes on: its beginning, all its seeds, and what was accepted on the way."""
    seeds = tuple(sorted({*old.seeds, *new.seeds}))
    if not differences:
        return old.model_copy(update={"seeds": seeds})
    accepted = (*old.accepted, *(f"{name}: {change}" for name, change in differences.items()))
    return new.model_copy(update={"seeds": seeds, "accepted": accepted})


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


def _card_path(rows: Path) -> Path:
    return rows.with_name(f"{rows.stem}.card.json")


def _order(row: Row) -> tuple[Any, ...]:
    rate, seed = (-1.0 if row.rate is None else row.rate), (-1 if row.seed is None else row.seed)
    return row.example, row.method, _json(row.options), rate, seed, row.scoring


def _json(options: dict[str, Any]) -> str:
    return json.dumps(options, sort_keys=True)

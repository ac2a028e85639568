"""Answers on disk while they grow: one SQLite file, one writer, every run's answers apart.

A run is all that answers depend on (`RunCard.run`: model and revision, benchmark's hash, prompt, code, versions), and its
card goes in before the first row. A row is one answer under one unique key, the hash of its run and its unit; once `add`
returns it outlives a kill or a power cut, so a rerun only does what `missing` says. Rows of other runs are stale: they
stay, and no reading mixes them in.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from filelock import FileLock, Timeout

from .answers import Failure, ResultsError, Row, Unit, in_order
from .files import write_lines, write_whole
from .provenance import RunCard
from .stale import AboutStale, StaleRun, usable

LAYOUT = 2
"""Of the tables below; a file of another layout is refused."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, opened INTEGER NOT NULL, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, run TEXT NOT NULL, unit TEXT NOT NULL, json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS failures (key TEXT PRIMARY KEY, run TEXT NOT NULL, unit TEXT NOT NULL, json TEXT NOT NULL);
"""


class ResultStore:
    """A growing file of answers. One process at a time writes to its folder; any number may read.

    The current run is the one last opened. `open` must come before `add`; reading needs no card. A context manager:
    leaving it closes the file and lets the next writer in.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path.parent / ".writer.lock")
        self._db = _connect(self.path)
        self._opened = ""

    def open(self, card: RunCard, *, stale: AboutStale = "show") -> ResultStore:
        """Make this card's run the current one, beginning it or going on with it.

        stale, about the file's other runs: "show" leaves them for `stale` to tell of; "discard" deletes them; "keep"
        takes over the answers of those that differ in code or computer only, and notes the difference on the card: for
        a change that is known to alter no answer. Raises ResultsError while another process writes to the folder, and
        for "keep" where no run's answers could be this one's.
        """
        if stale not in get_args(AboutStale):
            raise ResultsError(f"stale is {stale!r}, expected one of {', '.join(get_args(AboutStale))}")
        self._claim()
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._begin(card)
                if stale == "discard":
                    self._discard()
                elif stale == "keep":
                    self._take_over(card)
            self._opened = card.run
        except BaseException:
            self._lock.release()
            raise
        return self

    @property
    def card(self) -> RunCard | None:
        """Of the current run."""
        found = self._db.execute("SELECT json FROM runs ORDER BY opened DESC LIMIT 1").fetchone()
        return RunCard.model_validate_json(found[0]) if found else None

    @property
    def run(self) -> str:
        """The current run, or nothing where the file holds none."""
        card = None if self._opened else self.card
        return self._opened if card is None else card.run

    def stale(self) -> list[StaleRun]:
        """The other runs that left answers in this file, the latest first."""
        current = self.card
        if current is None:
            return []
        counted = (
            "SELECT r.json, count(*) FROM runs r JOIN answers a ON a.run = r.id WHERE r.id != ? "
            "GROUP BY r.id ORDER BY r.opened DESC"
        )
        found = [(RunCard.model_validate_json(text), rows) for text, rows in self._db.execute(counted, [current.run])]
        return [StaleRun(card, rows, card.differences(current)) for card, rows in found]

    def add(self, row: Row) -> None:
        """Store a row; the same one again is fine, another one under the same key raises ResultsError.

        A disk that is full raises ResultsError too, and what was stored before is kept.
        """
        try:
            self._insert("answers", row)
        except sqlite3.IntegrityError:
            self._refuse_another(row)
        self._write("DELETE FROM failures WHERE key = ?", [self._key(row)])

    def fail(self, failure: Failure) -> None:
        """Note that a unit was given up; it stays missing, and an answer to it takes the note away."""
        self._write("DELETE FROM failures WHERE key = ?", [self._key(failure)])
        self._insert("failures", failure)

    def has(self, key: str) -> bool:
        found = self._db.execute("SELECT 1 FROM answers WHERE run = ? AND unit = ?", [self.run, key])
        return found.fetchone() is not None

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those keys, each once and in their order, that hold no row of the current run yet."""
        stored = {key for (key,) in self._db.execute("SELECT unit FROM answers WHERE run = ?", [self.run])}
        return [key for key in dict.fromkeys(keys) if key not in stored]

    def rows(self) -> list[Row]:
        """All rows of the current run, sorted by example, method, options, rate, seed, scoring and arrangement."""
        found = self._db.execute("SELECT json FROM answers WHERE run = ?", [self.run])
        return sorted((Row.model_validate_json(text) for (text,) in found), key=in_order)

    def failures(self) -> list[Failure]:
        """The current run's units that were given up, in the order of rows."""
        found = self._db.execute("SELECT json FROM failures WHERE run = ?", [self.run])
        return sorted((Failure.model_validate_json(text) for (text,) in found), key=in_order)

    def export_jsonl(self, path: str | Path) -> Path:
        """Write the current run's sorted rows, without measured times, and its card beside it as `<name>.card.json`."""
        path, card = Path(path), self.card
        if card is None:
            raise ResultsError(f"{self.path} holds no run card, so nothing to export: evaluate something first")
        write_whole(card_path(path), card.model_dump_json(indent=2) + "\n")
        write_lines(path, (json.dumps(row.lasting(), ensure_ascii=False) for row in self.rows()))
        return path

    def close(self) -> None:
        self._db.close()
        self._lock.release()

    def __enter__(self) -> ResultStore:  # noqa: PYI034  (beartype knows Self in decorated classes only)
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _claim(self) -> None:
        if self._lock.is_locked:
            return  # opened again
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ResultsError(
                f"another evaluation is writing to {self.path.parent}: wait until it ends, or name another folder"
            ) from error

    def _begin(self, card: RunCard) -> None:
        found = self._db.execute("SELECT json FROM runs WHERE id = ?", [card.run]).fetchone()
        if found:
            old = RunCard.model_validate_json(found[0])
            card = old.model_copy(update={"seeds": tuple(sorted({*old.seeds, *card.seeds}))})
        self._save(card)

    def _save(self, card: RunCard) -> None:
        (latest,) = self._db.execute("SELECT coalesce(max(opened), 0) FROM runs").fetchone()
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", [card.run, latest + 1, card.model_dump_json()])

    def _discard(self) -> None:
        for table, column in (("answers", "run"), ("failures", "run"), ("runs", "id")):
            self._db.execute(f"DELETE FROM {table} WHERE {column} != ?", [self.run])

    def _take_over(self, card: RunCard) -> None:
        """Answers of runs that differ in machinery only become the current one's, as far as it has none of its own."""
        for run in usable(self.stale(), self.path):
            for unit, text in self._db.execute("SELECT unit, json FROM answers WHERE run = ?", [run.card.run]):
                values = [_hashed(card.run, unit), card.run, unit, text]
                self._db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)", values)
            self._db.execute("DELETE FROM answers WHERE run = ?", [run.card.run])
            if (now := self.card) is not None:
                self._save(run.noted_on(now))

    def _key(self, unit: Unit) -> str:
        if not self._opened:
            raise ResultsError(f"{self.path} was not opened with a run card, expected ResultStore(path).open(card)")
        return _hashed(self.run, unit.key)

    def _insert(self, table: str, unit: Unit) -> None:
        values = [self._key(unit), self.run, unit.key, unit.model_dump_json()]
        self._write(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", values)

    def _write(self, statement: str, values: list[Any]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.OperationalError as error:
            (kept,) = self._db.execute("SELECT count(*) FROM answers").fetchone()
            raise ResultsError(
                f"{self.path} cannot be written ({error}); its {kept} answers are kept: make room, and run the same again"
            ) from error

    def _refuse_another(self, row: Row) -> None:
        (text,) = self._db.execute("SELECT json FROM answers WHERE key = ?", [self._key(row)]).fetchone()
        old, new = Row.model_validate_json(text).lasting(), row.lasting()
        changes = {name: (old.get(name), new[name]) for name in new if old.get(name) != new[name]}
        if changes:
            raise ResultsError(
                f"{self.path} already holds another answer for {row.key}: {changes} (old, new); ask missing() "
                f"before computing, or start a new file"
            )


def card_path(rows: Path) -> Path:
    """Where the run card of exported rows lies."""
    return rows.with_name(f"{rows.stem}.card.json")


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level=None)  # every statement commits by itself
    try:
        (layout,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and layout != LAYOUT:
            raise sqlite3.DatabaseError(f"its layout is {layout}, expected {LAYOUT}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA user_version = {LAYOUT}")  # before the tables: whoever sees them sees it too
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError as error:
        db.close()
        raise ResultsError(f"{path} is no store of results ({error}): name another file") from error
    return db


def _hashed(run: str, unit: str) -> str:
    return hashlib.sha256(f"{run}\n{unit}".encode()).hexdigest()

"""A run's tables with its card in one file: what may be published of a benchmark whose questions, and so rows, may not."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from .answers import ResultsError
from .complaints import first_complaint
from .files import write_whole
from .provenance import RunCard
from .summary import Pace

Value = str | int | float | None


class Table(BaseModel):
    """One table as `speechprune evaluate` shows it: title, lines of `summarize` and `blind`, the sentence beneath."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    lines: tuple[dict[str, Value], ...]
    beneath: str

    @classmethod
    def of(cls, title: str, summary: pd.DataFrame, beneath: str) -> Table:
        known = summary.astype(object).where(summary.notna(), None)
        return cls(title=title, lines=tuple(known.to_dict("records")), beneath=beneath)

    def summary(self) -> pd.DataFrame:
        """In the columns and types of `summarize`, NaN where a strategy or condition has no such number."""
        table = pd.DataFrame(list(self.lines))
        words = [name for name in ("scoring", "method", "options") if name in table]
        return table.astype({name: "float64" for name in table if name not in words})


class SummaryFile(BaseModel):
    """card: of the run whose answers were counted. tables: at least one. pace: at which they were made, where it is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: RunCard
    tables: tuple[Table, ...]
    pace: Pace | None = None


def write_summary(path: Path, card: RunCard, tables: Iterable[Table], pace: Pace | None = None) -> None:
    write_whole(path, SummaryFile(card=card, tables=tuple(tables), pace=pace).model_dump_json(indent=1) + "\n")


def read_summary(path: str | Path) -> SummaryFile:
    """Raises FileNotFoundError, and ResultsError that says what is wrong with the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no summary at {path}: check the path, or evaluate with --summary first")
    try:
        return SummaryFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ResultsError(f"{path}: no summary of a run ({first_complaint(error)})") from error

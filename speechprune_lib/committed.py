"""The runs whose answers are committed: rows with their card, found by the model and benchmark that the card names."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from .provenance import RunCard
from .results import read_card, read_rows
from .summary import hard, summarize

HARD = {"spiral": "spiral-h", "spiral-mini": "spiral-mini-h"}
"""Benchmarks -> what their hard part is called: the questions that the first 30 s get wrong, as the paper defines it."""

_CARD = ".card.json"


@dataclass(frozen=True)
class Run:
    """name: of the file. benchmark: the card's, or that of the part that `hard_part` took."""

    name: str
    card: RunCard
    benchmark: str
    rows: pd.DataFrame

    @property
    def model(self) -> str:
        return self.card.model

    def summary(self) -> pd.DataFrame:
        return summarize(self.rows)


def committed_runs(folder: Path) -> dict[str, Run]:
    """Every exported run of a folder, by the file's name without its ending. Raises FileNotFoundError for no folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: expected the repository's data/results")
    runs = {}
    for file in sorted(folder.glob(f"*{_CARD}")):
        rows = file.with_name(f"{file.name.removesuffix(_CARD)}.jsonl")
        if rows.is_file():
            card = read_card(rows)
            runs[rows.stem] = Run(rows.stem, card, card.benchmark, read_rows(rows))
    return runs


def hard_part(run: Run) -> Run:
    """The rows on questions that this run's own first 30 s got wrong (`summary.hard`).

    Raises ValueError where those were not asked, or where the benchmark has no hard part.
    """
    if run.benchmark not in HARD:
        raise ValueError(f"{run.name} is of {run.benchmark}, expected one of {sorted(HARD)}, which have a hard part")
    return replace(run, benchmark=HARD[run.benchmark], rows=hard(run.rows))


def runs_of(runs: Iterable[Run], model: str, benchmark: str) -> list[Run]:
    """Those of a model on a benchmark; where its hard part was not asked for itself, it is taken out of the whole's."""
    own = [run for run in runs if run.model == model]
    found = [run for run in own if run.benchmark == benchmark]
    whole = {hard: name for name, hard in HARD.items()}.get(benchmark)
    return found or [hard_part(run) for run in own if run.benchmark == whole]

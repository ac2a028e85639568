"""Runs whose answers lie beside the current one's: how they differ, and which of them could be the current one's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .answers import ResultsError
from .provenance import RunCard

AboutStale = Literal["show", "discard", "keep"]

MACHINERY = ("commit", "library_version", "code", "device", "dtype", "versions")
"""Fields of a card in which runs may differ whose answers do not."""


@dataclass(frozen=True)
class StaleRun:
    """Another run's answers in a store: how many, and how it differs from the current one ("here -> there")."""

    card: RunCard
    rows: int
    differences: dict[str, str]

    def __str__(self) -> str:
        changes = "; ".join(f"{name}: {change}" for name, change in self.differences.items())
        return f"{self.rows} rows of another run ({changes})"

    @property
    def foreign(self) -> set[str]:
        """The differences that do change answers."""
        return {name for name in self.differences if name.partition(".")[0] not in MACHINERY}

    def noted_on(self, current: RunCard) -> RunCard:
        """The current card, saying under which differences this run's answers were knowingly kept."""
        changes = [f"{name}: {change}" for name, change in self.differences.items()]
        accepted = dict.fromkeys((*current.accepted, *self.card.accepted, *changes))
        seeds = tuple(sorted({*current.seeds, *self.card.seeds}))
        return current.model_copy(update={"seeds": seeds, "accepted": tuple(accepted)})


def usable(runs: Sequence[StaleRun], path: Path) -> list[StaleRun]:
    """Those that differ in machinery alone. Raises ResultsError where there are runs and none is such."""
    found = [run for run in runs if not run.foreign]
    if runs and not found:
        foreign = sorted({name for run in runs for name in run.foreign})
        raise ResultsError(
            f"stale='keep' would mix answers of different {', '.join(foreign)} in {path} ({runs[0]}): name another "
            "folder, or leave them beside by stale='show'"
        )
    return found

"""What there is to do: every example under every condition in every arrangement, cut into tasks for an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..answers import Unit
from ..arrangements import Arrangement, Options, arrangements
from ..benchmarks import Example
from ..conditions import Condition
from ..models.base import SHOWS_CHOICES, Scoring


@dataclass(frozen=True)
class Work:
    """One answer to be had of an example."""

    condition: Condition
    arrangement: Arrangement

    def identity(self, example: str, scoring: Scoring) -> dict[str, Any]:
        """The fields of the unit, and of the row that answers it."""
        one = self.condition
        return {
            "example": example,
            "method": one.method,
            "options": one.options,
            "rate": one.rate,
            "seed": one.seed,
            "scoring": scoring,
            "arrangement": self.arrangement.name,
        }


@dataclass(frozen=True)
class Task:
    """Works of one example that are answered in one go. Small enough to be sent: the audio goes as its path."""

    example: Example
    scoring: Scoring
    works: tuple[Work, ...]

    def units(self) -> list[Unit]:
        return [Unit(**work.identity(self.example.id, self.scoring)) for work in self.works]

    def alone(self) -> list[Task]:
        """The same works, each a task of its own."""
        return [Task(self.example, self.scoring, (work,)) for work in self.works]


def tasks(examples: Sequence[Example], grid: Sequence[Condition], scoring: Scoring, options: Options) -> list[Task]:
    """All there is to do, a task an example. Raises ValueError where two examples could not be told apart.

    A scoring that shows no choices knows no arrangement of them. Examples of one recording are neighbours, so that it
    is encoded once.
    """
    if len({example.id for example in examples}) < len(examples):
        raise ValueError("two examples have the same id, so their answers could not be told apart: make ids unique")
    arranged: Options = options if scoring in SHOWS_CHOICES else "original"
    places = {path: place for place, path in enumerate(dict.fromkeys(example.audio_path for example in examples))}
    return [
        Task(example, scoring, tuple(Work(one, order) for order in _orders(example, arranged) for one in grid))
        for example in sorted(examples, key=lambda example: places[example.audio_path])
    ]


def unfinished(whole: Sequence[Task], missing: set[str], batch: int) -> Iterator[Task]:
    """What is left of the tasks, `batch` works at a time, those of one rate together: their prompts are about as long.

    missing: the keys of units without an answer.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}, expected at least 1")
    for task in whole:
        left = [work for work, unit in zip(task.works, task.units(), strict=True) if unit.key in missing]
        if batch > 1:
            left.sort(key=lambda work: -1.0 if work.condition.rate is None else work.condition.rate)
        for start in range(0, len(left), batch):
            yield Task(task.example, task.scoring, tuple(left[start : start + batch]))


def _orders(example: Example, options: Options) -> list[Arrangement]:
    return arrangements(options, example.id, len(example.choices))

"""The words of an evaluation: a unit of work, the row that answers it, and the failure that stands in for one."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

DECIMALS = 4
"""Of stored numbers, so that exports repeat: a change of threads or kernels mostly moves what lies below."""

ORIGINAL = "original"
"""The arrangement of the options in which the benchmark prints them."""

Rounded = Annotated[float, Field(allow_inf_nan=False), AfterValidator(lambda value: round(value, DECIMALS) + 0.0)]


class ResultsError(ValueError):
    """Results do not fit together; the message names what differs and the way out."""


class Unit(BaseModel):
    """One answer to be had. rate and seed are None for what has none ("no-audio", "original").

    options: of the method, where they differ from its defaults. arrangement: the order in which the choices are shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    example: str
    method: str
    options: dict[str, JsonValue] = {}
    rate: Rounded | None = None
    seed: int | None = None
    scoring: str
    arrangement: str = ORIGINAL

    @property
    def key(self) -> str:
        return row_key(self.example, self.method, self.options, self.rate, self.seed, self.scoring, self.arrangement)


class Row(Unit):
    """One answer. `answer` is an index into the choices as the benchmark prints them, None if it was unreadable.

    `scores` are in the same order. seconds: measured times by name, which no two runs share: they count neither for
    equality nor in an export. measures: of a free reply, by name (`free_replies.MEASURES`); empty for a choice.
    """

    answer: int | None
    correct: bool
    scores: tuple[Rounded, ...] = ()
    reply: str | None = None
    measures: dict[str, Rounded] = {}
    tokens_total: int = Field(ge=0)
    tokens_kept: int = Field(ge=0)
    evidence_recall: Rounded | None = None
    seconds: dict[str, Rounded] = {}

    def lasting(self) -> dict[str, Any]:
        """Everything but the measured times, and but what says nothing of this row."""
        without = {"seconds"}
        if not self.measures:
            without.add("measures")
        if self.arrangement == ORIGINAL:
            without.add("arrangement")
        return self.model_dump(mode="json", exclude=without)


class Failure(Unit):
    """A unit that was given up after so many attempts, with the last one's error."""

    error: str
    attempts: int


def row_key(
    example: str,
    method: str,
    options: dict[str, Any],
    rate: float | None,
    seed: int | None,
    scoring: str,
    arrangement: str = ORIGINAL,
) -> str:
    """The key of an answer among those of its run, as text."""
    rounded = None if rate is None else round(rate, DECIMALS) + 0.0
    parts = [example, method, options, rounded, seed, scoring]
    return json.dumps(parts if arrangement == ORIGINAL else [*parts, arrangement], sort_keys=True)


def in_order(unit: Unit) -> tuple[Any, ...]:
    """Sort key of rows: example, method, options, rate, seed, scoring and arrangement, numbers by size."""
    rate, seed = (-1.0 if unit.rate is None else unit.rate), (-1 if unit.seed is None else unit.seed)
    return unit.example, unit.method, as_text(unit.options), rate, seed, unit.scoring, unit.arrangement


def as_text(options: dict[str, Any]) -> str:
    """Options as JSON text, so that tables can be grouped by them."""
    return json.dumps(options, sort_keys=True)

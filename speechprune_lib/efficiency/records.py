"""Measured costs on disk: one JSON file a run, its card first; committed beside the answers, read by the book."""

# pandas declares unions that no use of a table narrows.
# pyright: reportReturnType=false
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..complaints import first_complaint
from ..files import write_whole
from ..provenance import RunCard, run_card
from .timing import Timing, hardware

Stage = Literal["load", "encode", "prune", "prefill", "decode", "score", "listen", "answer", "select", "ceiling"]
"""`load`, `listen` and `answer` are of a fresh process, `score` reads a prompt and what follows it, `select` is another method's choice of tokens, `ceiling` a machine's best at one kind of work."""


ONE_OPTION, ALL_OPTIONS = "one option", "all options"
"""What `score` rows have read behind the prompt."""


class Measurement(BaseModel):
    """Seconds of one stage, for so many audio tokens; `kept` of them after pruning, `tokens` in the whole prompt.

    seconds are of the whole stage: where `layers_run` is less than the model's, the rounds were multiplied up. `work`
    is what a ceiling did in that time, in operations or bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    method: str
    audio_tokens: int = Field(ge=0)
    seconds: Timing
    kept: int | None = None
    tokens: int | None = None
    rate: float | None = None
    peak_bytes: int | None = None
    layers_run: int | None = None
    work: float | None = None


class Measured(BaseModel):
    """One run on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: RunCard
    hardware: str
    rows: tuple[Measurement, ...]

    @property
    def label(self) -> str:
        """ "Intel Xeon, 2 of 2 cores, float32": what a column of a table is headed by."""
        return f"{self.hardware}, {self.card.dtype}"


def measured(
    what: str, revision: str, device: torch.device, dtype: torch.dtype, rows: Iterable[Measurement], seed: int
) -> Measured:
    """Rows with their card. what: the model or the shape that was measured."""
    card = run_card(
        model=what,
        model_revision=revision,
        benchmark="none",
        benchmark_hash="none",
        prompt="none",
        device=str(device),
        dtype=str(dtype),
        seeds=(seed,),
    )
    return Measured(card=card, hardware=hardware(device), rows=tuple(rows))


def write_measured(path: Path, run: Measured) -> None:
    write_whole(path, run.model_dump_json(indent=1) + "\n")


def read_measured(path: Path) -> Measured:
    """Raises FileNotFoundError, and ValueError naming what the file lacks."""
    try:
        return Measured.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{path} is no file of `speechprune measure`: {first_complaint(error)}") from error


def read_all_measured(folder: Path, name: str) -> list[Measured]:
    """Every committed run of that name, one a device: `prefill_cpu.json`, `prefill_h100.json`, ..."""
    return [read_measured(path) for path in sorted(folder.glob(f"{name}_*.json"))]


def share_of_prefill(run: Measured) -> dict[float, float]:
    """rate -> SpeechPrune's own seconds by those of the prefill that it leaves, each round by itself; the median."""
    prefill = {row.tokens: row.seconds for row in run.rows if row.stage == "prefill"}
    pruned = [row for row in run.rows if row.stage == "prune" and row.tokens in prefill and row.rate is not None]
    return {row.rate: row.seconds.ratio(prefill[row.tokens]) for row in pruned if row.rate is not None}


def table(run: Measured) -> pd.DataFrame:
    """A line a row: medians and quartiles in milliseconds, memory in MB (10^6 bytes)."""
    lines = []
    for row in run.rows:
        low, high = row.seconds.spread
        lines.append(
            {
                "stage": row.stage,
                "method": row.method,
                "audio tokens": row.audio_tokens,
                "kept": row.kept,
                "rate": row.rate,
                "ms": 1e3 * row.seconds.median,
                "from": 1e3 * low,
                "to": 1e3 * high,
                "peak MB": None if row.peak_bytes is None else row.peak_bytes / 1e6,
            }
        )
    return pd.DataFrame(lines)

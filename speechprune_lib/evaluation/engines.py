"""What answers tasks: this process with its model, or (`ray_engine`) many processes with one each."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from dataclasses import asdict

from ..answers import Failure, Row
from ..models.base import Scoring, SpeechModel
from ..provenance import RunCard, code_hash, run_card
from .asking import Answerer
from .work import Task

ANSWERING = (
    *("answers.py", "arrangements.py", "audio.py", "conditions.py", "evidence.py", "free_replies.py", "prompt.py"),
    *("replies.py", "scoring.py", "texts.py", "evaluation/asking.py", "evaluation/work.py", "models", "pruners"),
)
"""The part of the library that answers come from: a change there makes stored ones stale. What the readers of benchmarks
hand over is in the benchmark's hash."""


class Engine(ABC):
    """Answers tasks in any order; what is answered does not depend on the engine.

    card: what its model's answers depend on, the benchmark left open. batch: works that it is given at a time.
    """

    card: RunCard
    default_scoring: Scoring
    batch: int

    @abstractmethod
    def run(self, tasks: Iterable[Task]) -> Generator[Row | Failure, None, None]:
        """An outcome for every work of the tasks, as they come."""

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Let go of what the engine holds."""


class SerialEngine(Engine):
    """One task after the other, in this process."""

    def __init__(self, model: SpeechModel, batch: int = 1) -> None:
        self.card, self.default_scoring, self.batch = card_of(model), model.default_scoring, batch
        self._answerer = Answerer(model)

    def run(self, tasks: Iterable[Task]) -> Generator[Row | Failure, None, None]:
        for task in tasks:
            yield from self._answerer.answer(task)


def card_of(model: SpeechModel) -> RunCard:
    """The run card of this model's answers, by the library as it is here; without a benchmark."""
    return run_card(
        model=model.name,
        model_revision=model.revision,
        benchmark="",
        benchmark_hash="",
        prompt=json.dumps(asdict(model.instruction)),
        device=str(model.device),
        dtype=str(model.dtype),
        code=code_hash(ANSWERING),
    )

"""Many processes on one computer or a cluster, by Ray: each holds one model, and pulls tasks until none is left.

The driver alone writes. A worker that dies is started again, its task goes to whoever is free, and after `ATTEMPTS` deaths
under one task the task is given up. Audio never travels: a task names its file, which every computer must see.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

from ..answers import Failure, Row
from ..models import load_model
from ..models.base import Scoring, SpeechModel
from ..packages import needed
from ..provenance import RunCard, this_command
from .asking import ATTEMPTS, Answerer
from .engines import Engine, card_of
from .work import Task

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
OBJECT_STORE_BYTES = 100_000_000
"""Tasks and rows are small; Ray would take a third of the memory."""


class Worker:
    """What runs in a process of its own."""

    def __init__(self, load: Callable[[], SpeechModel]) -> None:
        model = load()
        self.facts = card_of(model), model.default_scoring
        self.answerer = Answerer(model)

    def describe(self) -> tuple[RunCard, Scoring]:
        return self.facts

    def answer(self, task: Task) -> list[Row | Failure]:
        return self.answerer.answer(task)


@dataclass
class _Hand:
    """A worker as the driver sees it: `todo` is what is left of the recording that it has encoded."""

    actor: Any
    todo: deque[Task] = field(default_factory=deque)

    def described(self) -> Any:
        """A reference to what the worker says of its model, as soon as it is there, or there again."""
        return self.actor.describe.options(max_task_retries=-1).remote()


class RayEngine(Engine):
    """Tasks in the hands of `workers` processes: by default one a GPU of the cluster, or one a CPU where there is none.

    model: a name that `load_model` knows, or a function without arguments that returns one, importable by the workers.
    The cluster is that of the environment (RAY_ADDRESS, or `ray start` on this computer) or one made for this engine.
    Raises what loading raises, ValueError where the workers' answers could not stand in one table (another revision,
    device or version), and ModuleNotFoundError without the extra `cluster`.
    """

    def __init__(self, model: str | Callable[[], SpeechModel], workers: int | None = None, batch: int = 1) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers is {workers}, expected at least 1")
        self._ray = needed("ray", "the engine 'ray'", "cluster")
        self.batch, self._begun = batch, not self._ray.is_initialized()
        self._hands: list[_Hand] = []
        if self._begun:
            _begin(self._ray, workers)
        try:
            load = partial(load_model, model) if isinstance(model, str) else model
            self._hands = [_Hand(actor) for actor in self._hired(load, workers)]
            self.card, self.default_scoring = self._agreed()
        except BaseException:
            self.close()
            raise

    def run(self, tasks: Iterable[Task]) -> Generator[Row | Failure, None, None]:
        return _Round(self._ray, self._hands, tasks).outcomes()

    def close(self) -> None:
        if self._begun and self._ray.is_initialized():
            self._ray.shutdown()
        elif self._ray.is_initialized():
            for hand in self._hands:
                self._ray.kill(hand.actor)

    def _hired(self, load: Callable[[], SpeechModel], workers: int | None) -> list[Any]:
        there = self._ray.cluster_resources()
        gpus, cpus = int(there.get("GPU", 0)), max(1, int(there.get("CPU", 1)))
        if (workers or 1) > (gpus or cpus):
            raise ValueError(f"workers is {workers}, expected at most the cluster's {gpus or cpus}, one a GPU or a CPU")
        hire = self._ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=0)(Worker)
        return [hire.remote(load) for _ in range(workers or gpus or cpus)]

    def _agreed(self) -> tuple[RunCard, Scoring]:
        """What all of the workers say of their model."""
        try:
            facts = self._ray.get([hand.described() for hand in self._hands])
        except self._ray.exceptions.RayActorError as error:
            raise RuntimeError(f"a worker could not load the model: {_last_line(error)}") from error
        first, scoring = facts[0]
        for card, _ in facts[1:]:
            if card.run != first.run:
                changes = "; ".join(f"{name}: {change}" for name, change in first.differences(card).items())
                raise ValueError(f"the workers' answers could not stand in one table ({changes}): use equal computers")
        return first.model_copy(update={"argv": this_command()}), scoring


class _Round:
    """One call of `run`: who does what, and what becomes of it when somebody dies."""

    def __init__(self, ray: Any, hands: list[_Hand], tasks: Iterable[Task]) -> None:
        self.ray = ray
        # a recording stays with the worker that has encoded it
        self.waiting = deque(deque(group) for _, group in groupby(tasks, key=lambda task: task.example.audio_path))
        self.idle = deque(hands)
        self.running: dict[Any, tuple[_Hand, Task | None]] = {}
        self.deaths: dict[str, int] = {}

    def outcomes(self) -> Generator[Row | Failure, None, None]:
        while True:
            self._hand_out()
            if not any(task for _, task in self.running.values()) and not self.waiting:
                return
            if not self.running:
                raise RuntimeError("all workers died, and none could be started again: see Ray's logs")
            done, _ = self.ray.wait(list(self.running), num_returns=1)
            for reference in done:
                yield from self._finished(reference, *self.running.pop(reference))

    def _hand_out(self) -> None:
        """A task to everybody who is idle, as far as there are any."""
        for hand in [*self.idle]:
            if not hand.todo and self.waiting:
                hand.todo = self.waiting.popleft()
            if hand.todo:
                self.idle.remove(hand)
                task = hand.todo.popleft()
                self.running[hand.actor.answer.remote(task)] = hand, task

    def _finished(self, reference: Any, hand: _Hand, task: Task | None) -> list[Row | Failure]:
        try:
            outcomes = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return self._failed(error, hand, task)
        self.idle.append(hand)
        return [] if task is None else outcomes

    def _failed(self, error: Exception, hand: _Hand, task: Task | None) -> list[Row | Failure]:
        """The dead one's work goes to whoever is free; it is asked for a sign of life, and works again if it gives one."""
        if task is None:
            return []  # it could not be started again
        if hand.todo:
            self.waiting.append(hand.todo)
            hand.todo = deque()
        self.running[hand.described()] = hand, None
        given_up: list[Row | Failure] = []
        for alone in task.alone():
            (unit,) = alone.units()
            self.deaths[unit.key] = self.deaths.get(unit.key, 0) + 1
            if self.deaths[unit.key] < ATTEMPTS:
                self.waiting.appendleft(deque([alone]))
            else:
                told = f"the worker died: {_last_line(error)}"
                given_up.append(Failure(**unit.model_dump(), error=told, attempts=ATTEMPTS))
        return given_up


def _begin(ray: Any, workers: int | None) -> None:
    """Join the cluster that the environment names, or make one here with as many CPUs as workers."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="ERROR")
        return
    ray.init(
        address="local",
        num_cpus=workers,
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=False,
        logging_level="ERROR",
    )


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

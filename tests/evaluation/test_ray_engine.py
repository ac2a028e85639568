"""Many processes: the rows of one, byte for byte, also where a process dies.

Real processes are slow to begin: one test has them die, the rest of the story is told by a Ray that is acted.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_model import FakeModel, make_examples
from mortal_model import Mortal

from speechprune_lib.answers import Failure
from speechprune_lib.conditions import conditions
from speechprune_lib.evaluation import SerialEngine, evaluate, open_store, ray_engine
from speechprune_lib.evaluation.asking import Answerer
from speechprune_lib.evaluation.engines import card_of
from speechprune_lib.evaluation.ray_engine import RayEngine
from speechprune_lib.evaluation.work import Task, tasks, unfinished
from speechprune_lib.store import ResultStore

ray = pytest.importorskip("ray", reason="needs the extra `cluster`")

GRID = conditions(["no-audio", "everything", "rap", "speechprune"], [0.2, 0.96], [0, 1])


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs; the workers see what the tests see."""
    before = os.environ.get("PYTHONPATH")
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1]), *filter(None, sys.path)]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False)
    yield
    ray.shutdown()
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


@pytest.fixture
def examples(tmp_path):
    return make_examples(tmp_path, 4)


def exported(folder: Path, engine, examples) -> bytes:
    with open_store(folder / "a.sqlite", engine, "noise", examples, [0, 1]) as store:
        evaluate(engine, examples, GRID, store=store, progress=False, options="rotate")
        return store.export_jsonl(folder / "a.jsonl").read_bytes()


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_dies_is_replaced_and_the_rows_are_those_of_one_process(tmp_path, examples):
    lives = tmp_path / "lives"
    lives.mkdir()
    serial = exported(tmp_path / "serial", SerialEngine(FakeModel()), examples)
    engine = RayEngine(partial(Mortal, str(lives), 1), workers=2, batch=3)
    try:
        parallel = exported(tmp_path / "parallel", engine, examples)
    finally:
        engine.close()
    assert len([*lives.iterdir()]) == 1 and serial.count(b"\n") == 4 * 4 * len(GRID)
    assert parallel == serial
    with ResultStore(tmp_path / "serial" / "a.sqlite") as one, ResultStore(tmp_path / "parallel" / "a.sqlite") as other:
        assert one.run == other.run  # no trace of the engine in what answers depend on


class Dead(Exception):
    """A process is gone."""


class Acted:
    """Ray and its workers in this process: a reference is a call that is yet to be made.

    deadly: (question, audio tokens) that a worker does not survive. back: whether a dead one can be started again.
    """

    exceptions = SimpleNamespace(RayError=Dead)

    def __init__(self, deadly: tuple[str, int], back: bool = True) -> None:
        self.deadly, self.back, self.deaths = deadly, back, 0
        self.answer = SimpleNamespace(remote=lambda task: partial(self._answer, task))
        self.describe = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: self._describe))
        self.answerer = Answerer(FakeModel())

    def _answer(self, task: Task):
        rows = self.answerer.answer(task)
        if (task.example.question, 30) == self.deadly and any(row.tokens_kept == 30 for row in rows):
            self.deaths += 1
            raise Dead("no more\nout of memory")
        return rows

    def _describe(self) -> None:
        if not self.back:
            raise Dead("cannot be started")

    @staticmethod
    def wait(references, num_returns):
        return references[:num_returns], references[num_returns:]

    @staticmethod
    def get(reference):
        return reference()


def outcomes_of(workers: list[Acted], examples, batch: int):
    grid = conditions(["everything", "original", "rap"], [0.96], [0])
    whole = tasks(examples, grid, "letter", "original")
    left = unfinished(whole, {unit.key for task in whole for unit in task.units()}, batch)
    return [*ray_engine._Round(Acted, [ray_engine._Hand(worker) for worker in workers], left).outcomes()]


DEADLY = ("Who spoke in clip 1?", 30)


@pytest.mark.parametrize("batch", [1, 3])
def test_what_kills_three_workers_is_given_up_and_the_rest_is_done(examples, batch):
    workers = [Acted(DEADLY), Acted(DEADLY)]
    outcomes = outcomes_of(workers, examples, batch)
    (failure,) = (outcome for outcome in outcomes if isinstance(outcome, Failure))
    assert (failure.example, failure.method, failure.attempts) == ("clip1", "rap", 3)
    assert failure.error == "the worker died: out of memory" and len(outcomes) == 4 * 3
    assert len({outcome.key for outcome in outcomes}) == 4 * 3
    assert sum(worker.deaths for worker in workers) == 3


def test_a_worker_that_does_not_come_back_leaves_its_work_to_the_others(examples):
    lost, well = Acted(DEADLY, back=False), Acted(("", 0))
    outcomes = outcomes_of([lost, well], [examples[1], *examples[:1], *examples[2:]], 1)
    assert len({outcome.key for outcome in outcomes}) == len(outcomes) == 4 * 3
    assert lost.deaths == 1 and not any(isinstance(outcome, Failure) for outcome in outcomes)


def test_without_any_worker_the_sweep_ends(examples):
    with pytest.raises(RuntimeError, match="all workers died, and none could be started again"):
        outcomes_of([Acted(DEADLY, back=False)], examples, 1)


def broken() -> FakeModel:
    raise FileNotFoundError("no weights at models/mini")


@pytest.mark.usefixtures("cluster")
def test_what_cannot_begin_says_why():
    with pytest.raises(RuntimeError, match="a worker could not load the model: .*no weights at models/mini"):
        RayEngine(broken, workers=1)
    with pytest.raises(ValueError, match="workers is 9, expected at most the cluster's 2"):
        RayEngine(FakeModel, workers=9)
    with pytest.raises(ValueError, match="workers is 0, expected at least 1"):
        RayEngine(FakeModel, workers=0)


class Saying:
    """A worker in the driver's own process."""

    def __init__(self, revision: str) -> None:
        self.describe = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda: self.facts))
        model = FakeModel()
        model.revision = revision
        self.facts = card_of(model), "letter"


@pytest.mark.usefixtures("cluster")
def test_workers_must_agree(monkeypatch):
    monkeypatch.setattr(RayEngine, "_hired", lambda *_: [Saying("r1"), Saying("r2")])
    monkeypatch.setattr(ray, "get", list)
    monkeypatch.setattr(ray, "kill", lambda _actor: None)
    with pytest.raises(ValueError, match=r"could not stand in one table \(model_revision: r1 -> r2\)"):
        RayEngine(FakeModel)
    monkeypatch.setattr(RayEngine, "_hired", lambda *_: [Saying("r1"), Saying("r1")])
    assert RayEngine(FakeModel).card.model_revision == "r1"

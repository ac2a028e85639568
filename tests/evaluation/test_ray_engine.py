"""Many processes: the rows of one, byte for byte, also where a process dies. One Ray for all tests here: it is slow to begin."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_model import FakeModel, make_examples
from mortal_model import Mortal

from speechprune_lib.conditions import conditions
from speechprune_lib.evaluation import SerialEngine, evaluate, open_store, ray_engine
from speechprune_lib.evaluation.engines import card_of
from speechprune_lib.evaluation.ray_engine import RayEngine
from speechprune_lib.store import ResultStore

ray = pytest.importorskip("ray", reason="needs the extra `cluster`")

GRID = conditions(["no-audio", "everything", "rap", "speechprune"], [0.2, 0.96], [0, 1])


@pytest.fixture(scope="module", autouse=True)
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


def test_a_task_that_kills_its_workers_is_given_up_and_the_rest_is_done(tmp_path, examples, monkeypatch):
    monkeypatch.setattr(ray_engine, "ATTEMPTS", 1)  # every death costs the start of a process
    lives = tmp_path / "lives"
    lives.mkdir()
    engine = RayEngine(partial(Mortal, str(lives), 1), workers=1)
    grid = conditions(["everything", "rap"], [0.96], [0])
    try:
        with open_store(tmp_path / "a.sqlite", engine, "noise", examples) as store:
            with pytest.warns(RuntimeWarning, match="1 of 8 answers failed 1 times"):
                rows = evaluate(engine, examples, grid, store=store, progress=False)
            (failure,) = store.failures()
    finally:
        engine.close()
    assert (failure.example, failure.method, failure.attempts) == ("clip1", "rap", 1)
    assert failure.error.startswith("the worker died") and len(rows) == 7


def broken() -> FakeModel:
    raise FileNotFoundError("no weights at models/mini")


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


def test_workers_must_agree(monkeypatch):
    monkeypatch.setattr(RayEngine, "_hired", lambda *_: [Saying("r1"), Saying("r2")])
    monkeypatch.setattr(ray, "get", list)
    monkeypatch.setattr(ray, "kill", lambda _actor: None)
    with pytest.raises(ValueError, match=r"could not stand in one table \(model_revision: r1 -> r2\)"):
        RayEngine(FakeModel)
    monkeypatch.setattr(RayEngine, "_hired", lambda *_: [Saying("r1"), Saying("r1")])
    assert RayEngine(FakeModel).card.model_revision == "r1"

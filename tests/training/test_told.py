"""What the training wrote down comes out as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from speechprune_lib.models.mini.load import FOLDER
from speechprune_lib.plots_training import learning_curves
from speechprune_lib.training import told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "align_1_curve.jsonl").write_text('{"step": 50, "held_out": 0.4}\n{"step": 100, "held_out": 0.5}\n')
    (tmp_path / "tune_2_curve.jsonl").write_text('{"step": 60, "held_out": 2.0}\n')
    group = {"words": 10, "smoothed": 0.25, "frame_accuracy": None}
    words = [{"spoken_at_least": 0, "words": 2, "share": 0.2, "heard": 0.5}]
    card = {"stage": "hear", "threads": 1, "known": group, "spiral-mini dev": group | {"content_words": words}}
    (tmp_path / "hear_1_after_an_hour.card.json").write_text(json.dumps(card))
    return tmp_path


def test_curves_know_their_stage_and_run(folder: Path) -> None:
    found = told.curves(folder)[["stage", "run", "step", "held_out"]].values.tolist()
    assert found == [["align", 1, 50, 0.4], ["align", 1, 100, 0.5], ["tune", 2, 60, 2.0]]


def test_what_export_leaves_is_the_newest_run(folder: Path) -> None:
    (folder / "tune_curve.jsonl").write_text('{"step": 90, "held_out": 1.5}\n')
    (folder / "tune_1_curve.jsonl").write_text('{"step": 30, "held_out": 2.5}\n')
    found = told.curves(folder).query("stage == 'tune'")
    assert dict(zip(found["run"], found["step"], strict=True)) == {1: 30, 2: 60, 3: 90}


def test_hearing_is_in_per_cent_by_group(folder: Path) -> None:
    assert told.hearing(folder).loc["after an hour"].to_dict() == {
        "the training's voices": 25.0,
        "spiral-mini dev": 25.0,
    }
    assert told.hearing(folder, "frame_accuracy").isna().all(axis=None)
    assert told.coverage(folder).loc[("after an hour", "spiral-mini dev", 0)].tolist() == [20.0, 50.0]


def test_a_connector_that_is_tested_again_has_one_line(folder: Path) -> None:
    again = {"joe": {"words": 10, "smoothed": 0.3}, "spiral-mini dev": {"words": 10, "smoothed": 0.2}}
    (folder / "hear_2_after_an_hour.card.json").write_text(json.dumps(again))
    assert told.hearing(folder).loc["after an hour"].to_dict() == {
        "the training's voices": 25.0,
        "spiral-mini dev": 20.0,
        "held-out engine": 30.0,
    }
    assert told.coverage(folder).loc[("after an hour", "spiral-mini dev", 0)].tolist() == [20.0, 50.0]


def test_the_yardstick_has_a_line_of_its_own(folder: Path) -> None:
    read = {"stage": "yardstick", "known": {"words": 10, "recognized": 0.4, "recognized_insertions": 0.1}}
    (folder / "hear_0_a_whole_recognizer.card.json").write_text(json.dumps(read))
    assert told.hearing(folder)["the training's voices"].to_dict() == {
        "a whole recognizer": 40.0,
        "after an hour": 25.0,
    }
    assert "a whole recognizer" not in told.hearing(folder, "frame_by_frame").index


def test_levers_have_a_line_each(tmp_path: Path) -> None:
    held_out = {"words": 9, "smoothed": 0.231, "frame_by_frame": 0.6484, "frame_accuracy": 0.769}
    card = {"stage": "align", "seconds_of_last_sitting": 506.2, "held_out": held_out}
    (tmp_path / "align_as_it_was.card.json").write_text(json.dumps(card))
    assert told.compared(tmp_path).loc["as it was"].tolist() == [23.1, 64.8, 76.9, 8]
    lines = [
        {"step": step, "held_out": 1.25, "held_out_accuracy": step / 200, "held_out_questions": 8} for step in (60, 90)
    ]
    (tmp_path / "tune_further.curve.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert told.tuned(tmp_path).loc["further"].tolist() == [90, 1.25, 8, 45.0]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no sittings.json in"):
        told.sittings(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"holds no \*_curve.jsonl"):
        told.curves(tmp_path)


def test_the_committed_model_tells_its_training() -> None:
    sittings, curves = told.sittings(FOLDER), told.curves(FOLDER)
    assert {*zip(sittings["stage"], sittings["run"], strict=True)} == {
        *zip(curves["stage"], curves["run"], strict=True)
    }
    assert sittings["minutes"].sum() > 60 and len(told.hearing(FOLDER)) >= 3


def test_learning_curves_are_drawn_a_panel_a_stage(folder: Path) -> None:
    figure = learning_curves(told.curves(folder))
    align, tune = figure.axes
    assert [line.get_ydata().tolist() for line in align.lines] == [[0.4, 0.5]]
    assert [line.get_label() for line in tune.lines] == ["run 2"] and tune.get_xlabel() == "step"
    assert not plt.get_fignums()

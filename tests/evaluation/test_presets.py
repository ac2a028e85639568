"""The paper's experiments as grids."""

from __future__ import annotations

from collections import Counter

import pytest
from fake_model import FakeModel, make_examples

from speechprune_lib.conditions import label
from speechprune_lib.evaluation import evaluate
from speechprune_lib.evaluation.presets import ABLATIONS, PRESETS, SEEDS, preset
from speechprune_lib.pruners import method_options, parse_method


def test_table_1_by_hand():
    grid = PRESETS["table1"].grid("mini")
    counts = Counter(one.method for one in grid)
    assert counts == {
        "no-audio": 1,
        "transcript": 1,
        "everything": 1,
        "original": 1,
        "rap": 4 * 5,
        "rac": 4 * 5,
        "speechprune": 4,
    }
    assert {one.rate for one in grid if one.method == "rap"} == {0.2, 0.4, 0.6, 0.8} and len(SEEDS) >= 5


def test_figure_3_by_hand():
    one = PRESETS["fig3"]
    assert one.hard and [condition.rate for condition in one.grid("mini") if condition.method == "phase2"] == [
        *(0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
    ]
    assert Counter(c.method for c in one.grid("mini")) == {
        "original": 1,
        "everything": 1,
        "phase1": 7,
        "phase2": 7,
        "speechprune": 7,
    }


@pytest.mark.parametrize(("model", "rate"), [("qwen2-audio", 0.2), ("mini", 0.2), ("diva", 0.15)])
def test_table_2_has_a_rate_for_every_model(model, rate):
    assert [(one.method, one.rate) for one in PRESETS["table2"].grid(model)] == [
        ("original", None),
        ("speechprune", rate),
    ]


def test_an_ablation_differs_in_one_thing():
    for what, methods in ABLATIONS.items():
        for method in methods:
            pruner = parse_method(method)
            name, *options = method.split(":")
            assert method == label(name, dict(option.split("=") for option in options)), what
            assert (len(options) <= 1 and pruner != parse_method(name)) or not options
    listed = [method for methods in ABLATIONS.values() for method in methods]
    assert len(listed) == len(set(listed))


def test_every_option_of_the_method_is_ablated_or_is_its_size():
    """budget is the paper's 750; frame_best is a departure that comes with match=max."""
    tried = {
        option.partition("=")[0] for methods in ABLATIONS.values() for one in methods for option in one.split(":")[1:]
    }
    assert set(method_options("speechprune")) - tried == {"budget", "frame_best"}


def test_a_files_rows_are_told_apart_by_preset(tmp_path):
    examples = make_examples(tmp_path, 1)
    grid = [*PRESETS["table1"].grid("fake"), *PRESETS["fig3"].grid("fake")]
    rows = evaluate(FakeModel(), examples, grid)
    assert len(PRESETS["table1"].rows(rows, "fake")) == len(PRESETS["table1"].grid("fake"))
    assert len(PRESETS["fig3"].rows(rows, "fake")) == len(PRESETS["fig3"].grid("fake"))
    assert len(rows) < len(grid)  # what both ask is asked once
    with_six = evaluate(FakeModel(), examples, ["rap"], [0.2], [0, 5])
    assert len(PRESETS["table1"].rows(with_six, "fake")) == 2  # a seed more is the same experiment


def test_unknown_presets_are_told():
    assert preset("table2") is PRESETS["table2"]
    with pytest.raises(
        ValueError,
        match="there is no preset 'table3'; there are table1, fig3, table2, chosen, open, long, adapters, ablations",
    ):
        preset("table3")

"""Our numbers beside the paper's, on small made-up runs; what is not run says so."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from committed_rows import write_run

from speechprune_lib.committed import committed_runs, hard_part
from speechprune_lib.paper_tables import (
    NOT_RUN,
    figure_3,
    gains,
    held_against,
    of_figure_3,
    table_1,
    table_2,
    what_matters,
)
from speechprune_lib.statistics import wilson

HALF = "1010101010"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    conditions = [
        ("original", None, None, "1111100000"),
        ("everything", None, None, "1111111110"),
        ("rap", 0.2, 0, HALF),
        ("rap", 0.2, 1, "1010101000"),
        ("speechprune", 0.2, None, "1111111100"),
        ("phase1", 0.2, None, HALF),
    ]
    write_run(tmp_path, "theirs", "qwen2-audio", "spiral", conditions)
    write_run(tmp_path, "mini", "mini", "spiral-mini", conditions)
    return tmp_path


def test_table_1_has_the_papers_lines_and_ours(folder: Path) -> None:
    mini = committed_runs(folder)["mini"]
    table = table_1({"mini": mini, "its hard part": hard_part(mini), "another": None})
    assert len(table) == 13
    line = table.loc[("0.2", "speechprune")]
    assert line["SPIRAL, paper"] == "89.23" and line["SPIRAL-H, paper"] == "81.64"
    assert line["mini"].startswith("80.0 (") and line["its hard part"].startswith("60.0 (")
    assert line["another"] == table.loc[("0.8", "rac"), "mini"] == NOT_RUN
    assert table.loc[("0.2", "rap"), "mini"].startswith("45.0 (")  # two seeds
    assert table.loc[("", "original"), "its hard part"].startswith("0.0 (")


def test_table_2_takes_each_models_own_runs(folder: Path) -> None:
    table = table_2(committed_runs(folder).values())
    assert table.index.tolist() == [
        *(("qwen2-audio", "original"), ("qwen2-audio", "speechprune 0.2")),
        *(("diva", "original"), ("diva", "speechprune 0.15")),
    ]
    assert table.loc[("qwen2-audio", "original"), "SPIRAL, ours"].startswith("50.0 (")
    assert table.loc[("diva", "speechprune 0.15")].tolist() == ["57.51", NOT_RUN, "53.10", NOT_RUN, "56.19", NOT_RUN]


def test_fig_3_as_lines_of_a_summary(folder: Path) -> None:
    table = figure_3().set_index(["method", "rate"])
    assert len(table) == 22
    assert table.loc[("speechprune", 0.6), "accuracy"] == pytest.approx(0.6377)  # Table I's, not the plot's
    assert table.loc[("phase2", 0.2), "accuracy"] == pytest.approx(0.7245)
    assert table.loc[("phase1", 0.5), ["accuracy", "read off"]].tolist() == [0.55, True]
    ours = of_figure_3(committed_runs(folder)["mini"].summary())
    assert set(ours["method"]) == {"everything", "phase1", "speechprune"}


def answers(method: str, rate: float, right: str, options: str = "{}", seed: int = 0) -> list[dict]:
    fields = {"method": method, "options": options, "rate": rate, "seed": seed, "scoring": "letter"}
    return [fields | {"example": f"item{n}", "correct": value == "1"} for n, value in enumerate(right)]


def test_what_matters_averages_rates_and_orders_by_points() -> None:
    better, worse = '{"match": "max"}', '{"temperature": 0.1}'
    rows = pd.DataFrame(
        [
            *(*answers("speechprune", 0.2, "1100" * 5), *answers("speechprune", 0.4, "1000" * 5)),
            *(*answers("speechprune", 0.2, "1111" * 5, better), *answers("speechprune", 0.4, "1110" * 5, better)),
            *(*answers("speechprune", 0.2, "1100" * 5, worse), *answers("speechprune", 0.4, "0000" * 5, worse)),
            *answers("phase1", 0.2, "1111" * 5),  # not asked at 0.4
        ]
    )
    table = what_matters(rows, {"nearest words": ["speechprune:match=max"]})
    assert table["lever"].tolist() == ["nearest words", ""] and set(table["against"]) == {"speechprune"}
    assert table["variant"].tolist() == ["speechprune:match=max", "speechprune:temperature=0.1"]
    assert table["points"].tolist() == pytest.approx([50.0, -12.5])
    assert table["questions"].tolist() == [20, 20]
    assert (table["p (Holm)"] >= table["p"]).all() and table["p (Holm)"][0] < 0.01
    assert table["low"][0] > 0 and table["high"][1] < 0
    (held,) = held_against(rows, "speechprune:match=max", ["speechprune"], [0.2, 0.4]).to_dict("records")
    assert held == {name: table[name][0] for name in ("points", "low", "high", "p", "questions")}
    with pytest.raises(ValueError, match=r"phase1 was not asked at all of the rates .0.2, 0.4."):
        held_against(rows, "speechprune:match=max", ["phase1"], [0.2, 0.4])
    at_one_rate = what_matters(rows, rates=[0.2])
    assert "phase1" in at_one_rate["variant"].tolist()
    with pytest.raises(ValueError, match="phase2 was asked at the rates .., expected some"):
        what_matters(rows, base="phase2")
    with pytest.raises(ValueError, match=r"speechprune was asked at the rates .0.2, 0.4., expected .0.8."):
        what_matters(rows, rates=[0.8])


def test_a_variant_is_held_against_its_own_method() -> None:
    nearest = answers("phase1", 0.2, "1110", '{"match": "max"}')
    rows = pd.DataFrame([*answers("speechprune", 0.2, "0000"), *answers("phase1", 0.2, "1000"), *nearest])
    table = what_matters(rows).set_index("variant")
    assert table.loc["phase1:match=max", ["against", "points"]].tolist() == ["phase1", 50.0]
    assert table.loc["phase1", ["against", "points"]].tolist() == ["speechprune", 25.0]
    without_its_own = what_matters(pd.DataFrame([*answers("speechprune", 0.2, "0000"), *nearest])).set_index("variant")
    assert without_its_own.loc["phase1:match=max", ["against", "points"]].tolist() == ["speechprune", 75.0]


def test_a_base_alone_has_nothing_to_compare() -> None:
    assert len(what_matters(pd.DataFrame(answers("speechprune", 0.2, HALF)))) == 0


def test_printed_gains_have_the_interval_of_two_shares() -> None:
    table = gains().set_index(["model", "benchmark"])
    assert len(table) == 6
    line = table.loc[("qwen2-audio", "dream-tts")]
    assert line["questions"] == 339 and line["gain"] == pytest.approx(11.5)
    # Newcombe 1998, method 10, from Wilson's limits of each share: 221 and 182 of 339
    (low_1, high_1), (low_2, high_2) = wilson(221, 339), wilson(182, 339)
    one, other = 221 / 339, 182 / 339
    low = one - other - math.hypot(one - low_1, high_2 - other)
    high = one - other + math.hypot(high_1 - one, other - low_2)
    assert (line["low"], line["high"]) == pytest.approx((100 * low, 100 * high), abs=0.01)
    assert table.loc[("diva", "cn-college-listen"), "low"] < 0

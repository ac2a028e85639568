"""What counts as reproduced: inside our interval, of the same model on the same benchmark, or computed outright."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import typer
from committed_rows import write_run

from speechprune_lib.cli import app
from speechprune_lib.committed import committed_runs
from speechprune_lib.key_counts import read_counts
from speechprune_lib.paper import ACCURACIES, REMARKS, TABLE_1_COST
from speechprune_lib.reproduction import (
    accuracy_status,
    command,
    commands,
    cost_status,
    directions,
    needs,
    overview,
    remark_status,
    status_table,
    to_run,
)

COUNTS = read_counts(Path(__file__).resolve().parents[1] / "data" / "results" / "spiral_key.jsonl")


def right(count: int, of: int = 100) -> str:
    return "1" * count + "0" * (of - count)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    conditions = [
        ("original", None, None, right(60)),
        ("rap", 0.2, 0, right(90)),
        ("speechprune", 0.2, None, right(89)),
    ]
    write_run(tmp_path, "theirs", "qwen2-audio", "spiral", conditions)
    write_run(tmp_path, "mini", "mini", "spiral-mini", conditions)
    return tmp_path


def test_an_accuracy_is_reproduced_inside_our_interval(folder: Path) -> None:
    table = accuracy_status(committed_runs(folder).values()).set_index("what")
    assert table.loc["qwen2-audio on spiral: original", "status"] == "reproduced"
    assert table.loc["qwen2-audio on spiral: speechprune 0.2", "status"] == "reproduced"
    rap = table.loc["qwen2-audio on spiral: rap 0.2"]
    assert (rap["status"], rap["printed"], rap["how"]) == ("differs", "42.49 %", "theirs, letter")
    assert rap["ours"].startswith("90.0% (")
    assert table.loc["qwen2-audio on spiral: rac 0.2", "status"] == "not run"


def test_the_hard_part_of_a_run_counts_for_the_hard_benchmark(folder: Path) -> None:
    table = accuracy_status(committed_runs(folder).values()).set_index("what")
    assert table.loc["qwen2-audio on spiral-h: original", "status"] == "reproduced"  # 0 %, by definition
    assert table.loc["qwen2-audio on spiral-h: rap 0.2", "ours"].startswith("75.0% (")


def test_the_mini_model_reproduces_nothing(folder: Path) -> None:
    (folder / "theirs.card.json").unlink()
    table = accuracy_status(committed_runs(folder).values())
    assert set(table["status"]) == {"not run"}
    assert len(table) == len({(one.model, one.benchmark, one.method, one.rate) for one in ACCURACIES})


def test_what_fig_3_shows_has_some_slack(tmp_path: Path) -> None:
    conditions = [("phase1", 0.3, None, right(520, 1000)), ("phase2", 0.3, None, right(600, 1000))]
    write_run(tmp_path, "hard", "qwen2-audio", "spiral-h", conditions)
    table = accuracy_status(committed_runs(tmp_path).values()).set_index("what")
    line = table.loc["qwen2-audio on spiral-h: phase1 0.3"]
    assert (line["status"], line["printed"], line["place"]) == ("reproduced", "about 52 %", "Fig. 3")
    assert table.loc["qwen2-audio on spiral-h: phase2 0.3", "status"] == "differs"
    assert table.loc["qwen2-audio on spiral-h: phase1 0.2", "printed"] == "48.13 %"


def test_counted_costs_are_reproduced_and_times_are_not() -> None:
    table = cost_status()
    assert len(table) == 4 * len(TABLE_1_COST)
    assert (table["status"] == "reproduced").sum() == 15
    assert set(table[table["status"] == "not run"]["how"]) == {"a Quadro RTX 6000, and `speechprune measure` on it"}


def test_remarks_are_reproduced_only_where_something_was_computed() -> None:
    table = remark_status(COUNTS).set_index("what")
    assert list(table.index) == list(REMARKS)
    assert table.loc["questions", "status"] == table.loc["tokens of 10 min", "status"] == "reproduced"
    assert table.loc["operations of 10 min", "status"] == "differs"
    assert (table.loc["gain over random", "status"], table.loc["gain over random", "ours"]) == ("not run", "")
    assert table.loc["mean length", "status"] == "not run"


def test_overview_and_what_it_takes(folder: Path) -> None:
    table = status_table(committed_runs(folder).values(), COUNTS)
    counted = overview(table)
    assert counted.to_numpy().sum() == len(table) and counted.loc["cost"].tolist() == [15, 0, 5]
    takes = to_run(table)
    assert takes["numbers"].sum() == counted["not run"].sum()
    assert takes.loc[needs("diva", "cn-college-listen")].tolist() == [2, "Table II"]


def test_the_commands_are_the_clis() -> None:
    """Every option is one that the program has, and all that is printed is asked for."""
    known = {text for one in typer.main.get_command(app).commands["evaluate"].params for text in one.opts}
    assert len(commands()) == 6
    for line in commands():
        program, name, *words = line.split()
        assert (program, name) == ("speechprune", "evaluate")
        assert {word for word in words if word.startswith("--")} <= known
    assert command("qwen2-audio", "spiral-h") == command("qwen2-audio", "spiral") == commands()[0]
    assert "--rates 0.2,0.3,0.4,0.5,0.6,0.7,0.8" in commands()[0] and "phase2" in commands()[0]
    assert all("--options original" in one for one in commands())  # not shuffled, as by default
    assert "--root dream-tts" in command("diva", "dream-tts") and "--rates 0.15" in command("diva", "dream-tts")
    with pytest.raises(ValueError, match="prints nothing for diva on spiral-mini"):
        command("diva", "spiral-mini")


def test_directions_compare_signs() -> None:
    def rows(method: str, rate: float | None, values: str) -> list[dict]:
        fields = {"method": method, "options": "{}", "rate": rate, "seed": 0, "scoring": "letter"}
        return [fields | {"example": f"i{n}", "correct": value == "1"} for n, value in enumerate(values)]

    table = pd.DataFrame(
        [
            *rows("original", None, right(40)),
            *rows("speechprune", 0.2, right(80)),
            *rows("rap", 0.2, right(79)),
            *rows("rac", 0.2, right(10)),
        ]
    )
    found = directions(table, rates=(0.2, 0.4)).set_index(["effect", "rate"])
    assert found.loc[("speechprune over original", 0.2), "direction"] == "same"
    assert found.loc[("speechprune over original", 0.2), "paper (points)"] == pytest.approx(28.85)
    assert found.loc[("speechprune over rap", 0.2), "direction"] == "not told apart"
    assert found.loc[("rac over original", 0.2), "direction"] == "opposite"
    assert found.loc[("rap over original", 0.2), "direction"] == "opposite"
    assert (found.xs(0.4, level="rate")["direction"] == "not run").all()
    with pytest.raises(ValueError, match="Table I has no speechprune and original at rate 0.5"):
        directions(table, rates=(0.5,))

"""The measurements that the book shows: readable, made by a committed library, and within what was promised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechprune_lib.efficiency.floor import ceilings
from speechprune_lib.efficiency.records import (
    ALL_OPTIONS,
    ONE_OPTION,
    Measured,
    read_all_measured,
    read_measured,
    share_of_prefill,
)
from speechprune_lib.efficiency.tables import REAL_LENGTHS
from speechprune_lib.paper import SHARE_OF_PRUNING, TABLE_1_RATES

FOLDER = Path(__file__).resolve().parents[2] / "data" / "results" / "efficiency"
HOUR_TOKENS, MOST_BYTES = 90_000, 2e9


def runs(name: str) -> list[Measured]:
    found = read_all_measured(FOLDER, name)
    assert found, f"no run of {name} is committed: make bench"
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_a_run_tells_where_it_comes_from(path: Path) -> None:
    card = read_measured(path).card
    assert re.fullmatch(r"[0-9a-f]{40}", card.commit), "measure with a committed library"
    assert card.device and card.dtype and card.versions["torch"]


def test_every_prompt_of_table_1_was_measured() -> None:
    for run in runs("prefill"):
        assert {row.audio_tokens for row in run.rows if row.stage == "prefill"} >= set(REAL_LENGTHS)


def test_pruning_costs_less_than_the_paper_s_one_per_cent_at_every_rate() -> None:
    for run in runs("prefill"):
        shares = share_of_prefill(run)
        assert set(shares) == set(TABLE_1_RATES) and max(shares.values()) < SHARE_OF_PRUNING


def test_an_hour_is_planned_in_under_2_gb() -> None:
    for run in runs("bench"):
        hour = [row for row in run.rows if row.stage == "prune" and row.audio_tokens == HOUR_TOKENS]
        assert {row.method for row in hour} == {"speechprune", "phase1"}
        assert all(row.peak_bytes is not None and row.peak_bytes < MOST_BYTES for row in hour)
        assert len(ceilings(run)) == 3


def test_the_fast_pruner_beats_the_plain_reading() -> None:
    for run in runs("bench"):
        seconds = {(row.method, row.rate): row.seconds for row in run.rows if row.stage == "select"}
        for rate in (0.2, 0.8):
            assert seconds["SpeechPrune, plain float32", rate].ratio(seconds["SpeechPrune", rate]) > 2


def test_a_first_use_of_the_mini_model_was_measured_and_fits_in_2_gb() -> None:
    rows = {(row.stage, row.method): row for row in read_measured(FOLDER / "mini_cpu.json").rows}
    for use in (("load", "mini"), ("listen", "mini"), ("answer", "everything"), ("answer", "speechprune")):
        peak = rows[use].peak_bytes
        assert peak is not None and peak < MOST_BYTES


def test_four_options_cost_at_most_half_more_than_one() -> None:
    rows = [row for row in read_measured(FOLDER / "mini_cpu.json").rows if row.stage == "score"]
    for one in (row for row in rows if row.method == ONE_OPTION):
        (every,) = (row for row in rows if row.method == ALL_OPTIONS and row.audio_tokens == one.audio_tokens)
        assert every.seconds.ratio(one.seconds) <= 1.5
    assert len(rows) == 4

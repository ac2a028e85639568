"""The audit's tables: what was worked out by hand beforehand, and what must hold whatever the numbers are."""

from __future__ import annotations

from math import comb
from pathlib import Path

import pytest

from speechprune_lib.audit.accuracies import (
    PRINTED,
    STATED,
    against_original,
    all_but_one,
    counts_table,
    fits,
    groups,
    possible_totals,
)
from speechprune_lib.audit.blind import beside_blind
from speechprune_lib.audit.left_out import left_out, pruner_shares
from speechprune_lib.audit.rates import two_readings
from speechprune_lib.audit.remarks import Recomputed, recompute, remarks_table
from speechprune_lib.key_counts import read_counts
from speechprune_lib.paper import REMARKS, TABLE_1_COST

COUNTS = read_counts(Path(__file__).resolve().parents[2] / "data" / "results" / "spiral_key.jsonl")


def test_every_printed_cell_is_in_one_group() -> None:
    conditions = {(one.model, one.benchmark, one.method, one.rate) for one in PRINTED}
    assert sum(map(len, groups().values())) == len(conditions) == 39


def test_which_totals_the_cells_can_be_counts_of() -> None:
    table = possible_totals()
    listed = table["totals that all fit"]
    assert listed["spiral"] == "1012"
    assert listed["spiral-h: first 30 s, RAP, RAC"] == "401, 802, 1203"
    assert listed["spiral-h: SpeechPrune"] == "403, 806, 1209"
    assert listed["dream-tts"] == "339, 678, 1017, 1356"
    assert listed["cn-college-listen"] == "945"
    assert listed["spiral-h: phase1"].endswith(", the least 160")
    fit = table["all fit it"]
    assert (fit["spiral"], fit["spiral-h: first 30 s, RAP, RAC"]) == ("yes", "yes")
    assert (fit["spiral-h: SpeechPrune"], fit["spiral-h: phase2"], fit["dream-tts"]) == ("no", "no", "")
    assert fit["spiral-h: phase1"] == fit["spiral-h: everything"] == "yes"
    assert table.loc["spiral", "by chance"] < 1e-12
    assert table.loc["spiral-h: phase2", "by chance"] == pytest.approx(402 / 10_001)


def test_counts_of_every_cell() -> None:
    table = counts_table({"spiral": (1012,), "spiral-h": (401, 403)}).set_index(
        ["place", "benchmark", "method", "rate"]
    )
    assert table.loc[("Table I", "spiral", "speechprune", "0.8"), "of 1012"] == "632"
    ours = table.loc[("Table I", "spiral-h", "speechprune", "0.2")]
    assert (ours["of 401"], ours["of 403"], ours["of 1012"]) == ("none", "329", "")
    assert table.loc[("Section IV-C", "spiral-h", "everything", ""), "of 401"] == "175"
    of_tables = counts_table({"dream-tts": (339,), "cn-college-listen": (105, 945)})
    assert of_tables["of 339"].tolist()[:2] == ["182", ""]
    assert "none" in of_tables["of 105"].tolist() and "none" not in of_tables["of 945"].tolist()


def test_the_odd_cell_of_a_benchmark_stands_out() -> None:
    table = all_but_one("cn-college-listen")["totals that all others fit"]
    assert table["qwen2-audio, original: 52.91 %"] == "105, 210, 315, 420, 525"
    assert set(table.drop("qwen2-audio, original: 52.91 %")) == {"none up to 600"}


def test_fits_has_a_row_a_cell() -> None:
    table = fits("spiral-h", range(398, 406))
    assert table.loc["speechprune 0.2: 81.64 %", [401, 403]].tolist() == [False, True]
    assert table.loc["rap 0.2: 21.45 %", [401, 403]].tolist() == [True, False]
    assert len(table) == 15


def test_against_the_first_30_s_by_hand() -> None:
    table = against_original().set_index(["method", "rate"])
    line = table.loc[("rac", 0.2)]
    # 665 right of 1,012, 193 of them of the 401; so 472 of the 611 that the first 30 s got right
    assert (line["right"], line["gained"], line["lost"]) == (665, 193, 139)
    assert line["easy kept"] == pytest.approx(472 / 611) and line["difference"] == pytest.approx((665 - 611) / 1012)
    tail = sum(comb(332, k) for k in range(140)) / 2**332
    assert line["p"] == pytest.approx(2 * tail)
    assert line["counted"] and not table.loc[("speechprune", 0.2), "counted"]
    assert len(table) == 12 and STATED == {"spiral": 1012, "spiral-h": 401}


def test_printed_accuracies_beside_blind_lines() -> None:
    table = beside_blind(COUNTS).set_index(["benchmark", "method", "rate"])
    assert len(table) == 26
    original = table.xs(("SPIRAL", "original"), level=("benchmark", "method")).iloc[0]
    assert original["letter"] == pytest.approx(603 / 1012) and original["above letter"] == "across"
    assert table.loc[("SPIRAL", "speechprune", 0.2), "above letter"] == "above"
    assert table.loc[("SPIRAL-H", "speechprune", 0.8), "above letter"] == "below"
    assert original["low"] < original["accuracy"] < original["high"]
    with pytest.raises(ValueError, match="no counts of .'SPIRAL-H'."):
        beside_blind(COUNTS[:1])


def test_only_one_reading_of_the_rate_gives_table_1() -> None:
    table = two_readings()
    assert table["TF, of 750"].round(2).tolist() == table["TF printed"].tolist()
    other = next(name for name in table.columns if name.startswith("TF, of 2"))
    assert (table[other] > 1.8 * table["TF printed"]).all()
    assert table["removed"].round(3).tolist() == [0.727, 0.795, 0.863, 0.932]


def test_what_is_left_out() -> None:
    """2.2816 TFLOPS a window, 3.16 % and 55 % of attention, 16.79 GB of weights: as counted by PyTorch on shapes alone."""
    table = left_out()
    assert table["amount"].round(2).tolist()[:2] == [2.28, 6.84]
    attention = table.loc[["attention between 857 tokens", "attention between 15,000 tokens"], "per cent of it"]
    assert attention.round(1).tolist() == [3.2, 55.3]
    assert table.loc["weights of encoder, embedding and head", "amount"] + 12.952 == pytest.approx(16.79, abs=0.01)


def test_what_choosing_costs() -> None:
    table = pruner_shares()
    assert table["phase 1 (GF)"].round(3).unique().tolist() == [0.567]
    assert table["phase 1, mean vector (GF)"].round(3).unique().tolist() == [0.045]
    assert table["phase 2 (GF)"].round(2).unique().tolist() == [54.94]
    assert (100 * table["both, of the pruned prefill"]).round(2).tolist() == [0.55, 0.70, 0.96, 1.52]
    assert table.index.tolist() == [row.rate for row in TABLE_1_COST[1:]]


def test_every_remark_is_recomputed_or_takes_the_recordings() -> None:
    found = {one.name: one for one in recompute(COUNTS)}
    assert list(found) == list(REMARKS)
    assert {name for name, one in found.items() if one.source == "the recordings"} == {
        *("mean length", "word error rate", "predicted MOS"),
    }
    disagree = {name for name, one in found.items() if one.agrees is False}
    assert disagree == {
        *("mel channels", "operations of 10 min", "share of phase 2", "activations saved", "least of phase 1 alone"),
    }
    assert found["gain over the first 30 s"].ours == pytest.approx(28.85)
    assert found["operations of 10 min"].note.endswith("58.66")


def test_agreement_is_rounding_half_up() -> None:
    assert Recomputed("gain over random", "printed numbers", 46.5).agrees
    assert not Recomputed("gain over random", "printed numbers", 46.49).agrees
    assert Recomputed("share of phase 2", "closed form", 1.0).agrees
    assert Recomputed("mean length", "the recordings", None).agrees is None


def test_remarks_for_reading() -> None:
    table = remarks_table(COUNTS)
    line = table.loc["activations saved"]
    assert (line["printed"], line["recomputed"], line["agrees"]) == ("79 %", "80.1", "no")
    assert line["note"] == "78.9 from the rounded GB"

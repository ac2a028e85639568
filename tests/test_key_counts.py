"""What an answer key gives away: counted by hand, and on SPIRAL's own where it is at hand."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from plain_examples import example

from speechprune_lib.key_counts import blind_scores, count_key, count_spiral, read_counts, write_counts

OPTIONS = ("aa", "bb", "cccc", "dddd")
WHERE = [(0, 0.0), (1, 28.0), (1, 29.0), (2, 30.0), (3, 80.0)]
FIVE = [example(n, answer, choices=OPTIONS, start=start) for n, (answer, start) in enumerate(WHERE)]


def test_counts_by_hand(tmp_path):
    counted = count_key("five", FIVE, hard=["item2", "item4"])
    assert counted.letters == {"A": 1, "B": 2, "C": 1, "D": 1}
    assert counted.longest == 1.0  # items 3 and 4: each right option is one of two longest
    assert (counted.late, counted.late_right) == (2, 1)
    assert (counted.early, counted.early_right) == (2, 2)  # item 2's key lies across the border
    assert counted.floor == 0.5
    write_counts([counted], tmp_path / "counts.jsonl")
    assert read_counts(tmp_path / "counts.jsonl") == [counted]


def test_blind_scores_are_shares():
    line = blind_scores([count_key("five", FIVE, hard=[])]).loc["five"]
    assert (line["always"], line["rotated"], line["longest"], line["floor"]) == (0.4, 0.25, 0.2, 1.0)
    unknown = blind_scores([count_key("five", FIVE)]).loc["five"]
    assert unknown["floor"] is None or unknown.isna()["floor"]


def test_questions_without_times_are_named():
    with pytest.raises(ValueError, match="no key sentences in .'item1'."):
        count_key("five", [FIVE[0], replace(FIVE[1], key_spans=())])


@pytest.mark.skipif("SPIRAL_DIR" not in os.environ, reason="needs SPIRAL's annotations in $SPIRAL_DIR")
def test_the_released_key():
    released, hard = count_spiral(Path(os.environ["SPIRAL_DIR"]))
    assert released.letters == {"A": 125, "B": 603, "C": 271, "D": 13}
    assert (released.questions, hard.questions) == (1012, 401)
    table = blind_scores([released, hard])
    assert table["always"].round(4).tolist() == [0.5958, 0.6509]
    assert table["longest"].round(3).tolist() == [0.441, 0.389]
    assert 0.41 < table["floor"].iloc[0] < 0.44

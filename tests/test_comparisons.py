"""Conditions against each other on the same questions, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from speechprune_lib.comparisons import compare, compare_models, discord, rightness, told_beneath
from speechprune_lib.statistics import compare_paired


def rows(**answers: str) -> pd.DataFrame:
    """method -> a digit a question, 1 for right; "rap_0" and "rap_1" are seeds; all but "original" at rate 0.2."""
    lines = []
    for name, digits in answers.items():
        method, _, seed = name.partition("_")
        for index, digit in enumerate(digits):
            line = {"example": f"q{index}", "method": method, "options": "{}", "scoring": "letter"}
            line |= {"rate": float("nan") if method == "original" else 0.2, "seed": int(seed) if seed else None}
            lines.append(line | {"correct": digit == "1", "arrangement": "original"})
    return pd.DataFrame(lines).astype({"seed": "Int64"})


def test_one_answer_a_question_is_mcnemars_exact_test():
    table = compare(rows(original="1110000000", speechprune="1101111110"), "original")
    (line,) = table.to_dict("records")
    assert (line["method"], line["rate"], line["n"]) == ("speechprune", 0.2, 10)
    assert (line["first_only"], line["second_only"]) == (6, 1) and line["difference"] == pytest.approx(0.5)
    assert line["p"] == line["p_holm"] == pytest.approx(0.125)  # 2 * (1 + 7) / 2**7
    assert line["low"] < 0.5 < line["high"]


def test_seeds_are_averaged_before_anything_is_compared():
    table = compare(rows(rap_0="1100", rap_1="1010", speechprune="1111"), "rap")
    (line,) = table.to_dict("records")
    assert line["n"] == 4 and line["difference"] == pytest.approx((0 + 0.5 + 0.5 + 1) / 4)
    assert (line["first_only"], line["second_only"]) == (3, 0)
    assert line["p"] == pytest.approx(0.25)  # of the eight signs of three differences only all-equal ones are as far


def test_holm_pays_for_every_line():
    answers = rows(original="0" * 10, rap_0="1" * 9 + "0", rac_0="1" * 6 + "0" * 4, phase1="1" + "0" * 9)
    table = compare(answers, "original").set_index("method")
    raw = {name: compare_paired([True] * k, [False] * k).p_value for name, k in (("rap", 9), ("rac", 6), ("phase1", 1))}
    assert table["p"].to_dict() == pytest.approx(raw)
    assert table["p_holm"].to_dict() == pytest.approx({"rap": 3 * raw["rap"], "rac": 2 * raw["rac"], "phase1": 1.0})


def test_a_missing_answer_leaves_its_question_out():
    answers = rows(original="1100", speechprune="1111")
    answers = answers[~((answers["method"] == "speechprune") & (answers["example"] == "q3"))]
    assert compare(answers, "original")["n"].tolist() == [3]


def keyed(answers: pd.DataFrame) -> pd.DataFrame:
    return answers.assign(key=answers["example"] + answers["method"] + answers["seed"].astype(str))


def test_two_models_meet_where_both_were_asked():
    first = keyed(rows(original="1100", rap_0="1111", rap_1="0000", rac_0="1111"))
    second = keyed(rows(original="0000", rap_0="1010", phase1="1111"))
    table = compare_models(first, second).set_index("method")
    assert table.index.tolist() == ["original", "rap"]
    assert table[["first", "second", "difference"]].to_numpy().tolist() == [[0.5, 0.0, 0.5], [1.0, 0.5, 0.5]]
    assert table["p"].tolist() == [0.5, 0.5] and table["p_holm"].tolist() == [1.0, 1.0]  # McNemar's of 2 to 0
    with pytest.raises(ValueError, match="no question that both models were asked"):
        compare_models(keyed(rows(rac_0="1")), keyed(rows(rap_0="1")))


def test_what_was_not_asked_cannot_be_compared():
    with pytest.raises(
        ValueError, match="no answers of 'rap' to compare with, there are those of original, speechprune"
    ):
        compare(rows(original="1", speechprune="1"), "rap")
    twice = pd.concat([rows(original="1"), rows(original="1").assign(scoring="likelihood")])
    with pytest.raises(ValueError, match="rows of the scorings letter, likelihood, expected one"):
        rightness(twice)


def test_seeds_are_averaged():
    known = rightness(rows(rap_0="1010", rap_1="0010"))
    assert known["rap", "{}", 0.2] == {"q0": 0.5, "q1": 0.0, "q2": 1.0, "q3": 0.0}


def test_discord_is_the_median_pairs():
    known = rightness(rows(original="1100", phase1="1010", phase2="1011"))
    assert discord(known.values()) == 0.5  # of 2/4, 3/4, 1/4
    assert discord([]) == 0.0
    assert told_beneath(rows(original="1100" * 24, phase1="1010" * 24)).startswith("96 questions: where two methods")

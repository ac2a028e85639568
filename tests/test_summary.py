"""Rows that were shown in several orders, and the questions that the first 30 s get wrong."""

from __future__ import annotations

import pandas as pd
import pytest

from speechprune_lib.summary import hard, pace, readable, summarize


def row(example: str, arrangement: str, answer: int | None, correct: bool, **changes) -> dict:
    fields = {"example": example, "method": "original", "options": "{}", "rate": float("nan"), "seed": None}
    fields |= {"scoring": "letter", "arrangement": arrangement, "answer": answer, "correct": correct, "measures": {}}
    return fields | {"evidence_recall": 0.5, "tokens_total": 900, "tokens_kept": 750} | changes


def table(lines: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(lines).astype({"seed": "Int64", "answer": "Int64"})


ORDERS = ("original", "rotated-1", "rotated-2", "rotated-3")


def test_consistent_answers_are_told_apart():
    """x is always right; y always says the same, which is wrong; z follows a letter."""
    lines = [row("x", order, 2, True) for order in ORDERS] + [row("y", order, 1, False) for order in ORDERS]
    lines += [row("z", order, place, place == 3) for place, order in enumerate(ORDERS)]
    (line,) = summarize(table(lines)).to_dict("records")
    assert line["n"] == 3 and line["accuracy"] == pytest.approx((1 + 0 + 0.25) / 3)
    assert line["consistent"] == pytest.approx(2 / 3) and line["consistent_right"] == pytest.approx(1 / 3)
    shown = readable(summarize(table(lines)))
    assert shown["same in all orders (%)"].tolist() == ["66.7"] and shown["right in all orders (%)"].tolist() == [
        "33.3"
    ]


def test_an_unreadable_answer_is_not_consistent():
    lines = [row("x", order, None, False) for order in ORDERS]
    assert summarize(table(lines))["consistent"].tolist() == [0.0]


def test_one_order_has_no_consistency():
    summary = summarize(table([row("x", "shuffled", 2, True)]))
    assert summary["consistent"].isna().all() and "same in all orders (%)" not in readable(summary)


def test_hard_is_what_original_gets_wrong():
    lines = [row("x", order, 2, order != "original") for order in ORDERS]  # right in three orders of four
    lines += [row("y", order, 1, order in ORDERS[:2]) for order in ORDERS]  # in two
    lines += [row(name, "original", 0, name == "y", method="speechprune", rate=0.2) for name in ("x", "y")]
    found = hard(table(lines))
    assert set(found["example"]) == {"y"} and len(found) == 5
    with pytest.raises(ValueError, match="no answers of 'original'"):
        hard(table([row("x", "original", 1, True, method="rap")]))


def test_hard_is_of_each_scoring_by_itself():
    lines = [row("x", "original", 0, scoring == "letter", scoring=scoring) for scoring in ("letter", "likelihood")]
    assert hard(table(lines))["scoring"].tolist() == ["likelihood"]


def test_the_pace_counts_a_shared_prompt_once():
    """Two questions, each prepared in 2 s for two conditions that take 1 s, and in 0.5 s for one without audio."""
    lines = []
    for name in ("x", "y"):
        for method in ("original", "everything"):
            lines.append(
                row(name, "original", 1, True, method=method, seconds={"prepare": 2.0, "plan": 0.25, "score": 0.75})
            )
        lines.append(row(name, "original", 1, True, method="no-audio", seconds={"prepare": 0.5, "score": 1.0}))
    found = pace(table(lines))
    assert found is not None
    assert found.shared == pytest.approx(6 / (2 * 2.0 + 2 * 0.5 + 6)) and found.unshared == pytest.approx(
        6 / (4 * 2.0 + 2 * 0.5 + 6)
    )
    assert pace(table([row("x", "original", 1, True, seconds={})])) is None

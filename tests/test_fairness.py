"""Checks of a benchmark's questions: counted by hand, and against SPIRAL's own published key."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from speechprune_lib.benchmarks import Example
from speechprune_lib.fairness import fairness

WORDS = ("apple", "bread", "chalk", "drums")


def example(number: int, answer: int = 0, question: str | None = None, choices=WORDS, start: float = 10.0) -> Example:
    return Example(
        id=f"item{number}",
        audio_path=None,
        question=question or f"What was number {chr(97 + number % 26)}{chr(97 + number // 26)} about?",
        choices=choices,
        answer=answer,
        transcript="",
        key_spans=((start, start + 2),),
        kind="lecture",
        duration_s=100.0,
        split="test",
    )


def checked(examples: list[Example]) -> dict[str, dict]:
    table = fairness(examples)
    return {line["check"]: line for line in table.to_dict("records")}


def test_balanced_letters_pass_and_the_released_key_of_spiral_does_not():
    fair = checked([example(n, answer=n % 4) for n in range(40)])["always A"]
    assert (fair["measured"], fair["chance"], fair["p_value"], fair["fair"]) == (0.25, 0.25, 1.0, True)
    key = [0] * 125 + [1] * 603 + [2] * 271 + [3] * 13  # A, B, C, D of the released annotations
    skewed = checked([example(n, answer=answer) for n, answer in enumerate(key)])["always B"]
    assert round(skewed["measured"], 3) == 0.596
    assert skewed["fair"] is False
    assert skewed["p_value"] < 1e-100


def test_the_longest_option_counts_where_it_stands_alone():
    alone, tied = ("apples", "bread", "chalk", "drums"), WORDS
    examples = [example(n, answer=0 if n < 9 else 1, choices=alone) for n in range(12)]
    line = checked([*examples, *(example(50 + n, choices=tied) for n in range(5))])["longest option (of 12)"]
    assert line["measured"] == 0.75
    # P(X >= 9) + P(X as unlikely from below) of 12 at 1/4: only the upper tail is
    upper = sum(math.comb(12, k) * 0.25**k * 0.75 ** (12 - k) for k in range(9, 13))
    assert line["p_value"] == pytest.approx(upper, rel=1e-6)
    assert line["fair"] is False


def test_an_option_that_repeats_the_question_is_found():
    examples = [
        example(n, question=f"Who fixed the old clock {chr(97 + n)}?", choices=("the clock man", *WORDS[1:]))
        for n in range(10)
    ]
    line = checked(examples)["option most like the question (of 10)"]
    assert (line["measured"], line["fair"]) == (1.0, False)


def test_early_key_sentences_are_told():
    lines = checked([example(n, start=2.0 * n) for n in range(20)])
    assert lines["key sentence after 30 s"]["measured"] == 0.25
    assert lines["key sentences spread evenly"]["fair"] is False


def test_twin_questions_are_named():
    twins = [example(1, question="Who painted the barn red?"), example(2, question="Who painted the red barn?")]
    line = checked([*twins, example(3, question="Where did Ann go?")])["questions asked twice"]
    assert line["named"] == ("item1", "item2")
    assert line["fair"] is False


def test_a_model_that_has_not_heard_the_key_must_not_beat_chance():
    examples = [example(n, answer=n % 4, start=10.0 if n < 8 else 50.0) for n in range(20)]
    right = {"no-audio": 5, "original": 20}  # of 20; the first 30 s hold 8 of the key sentences
    rows = [
        {"example": e.id, "method": method, "correct": place < count}
        for method, count in right.items()
        for place, e in enumerate(examples)
    ]
    lines = fairness(examples, pd.DataFrame(rows)).set_index("check")
    assert lines.loc["no audio (of 20)", "fair"]
    assert lines.loc["no audio (of 20)", "measured"] == 0.25
    early = lines.loc["first 30 s, key later (of 12)"]
    assert not early["fair"]
    assert early["p_value"] == pytest.approx(0.25**12)


def test_a_strategy_without_a_case_decides_nothing():
    lines = checked([example(n, choices=("aaaa", "bbbb", "cccc", "dddd")) for n in range(4)])
    assert lines["longest option (of 0)"]["fair"] is None
    assert math.isnan(lines["longest option (of 0)"]["p_value"])


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="got no examples"):
        fairness([])

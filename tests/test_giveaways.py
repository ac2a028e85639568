"""Checks of a benchmark's questions: counted by hand, and against SPIRAL's own published key."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from plain_examples import WORDS, example

from speechprune_lib.benchmarks import Example
from speechprune_lib.giveaways import fairness


def upper_tail(right: int, of: int) -> float:
    """P(X >= right) where one in four is right by chance."""
    return sum(math.comb(of, k) * 0.25**k * 0.75 ** (of - k) for k in range(right, of + 1))


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
    assert line["p_value"] == pytest.approx(upper_tail(9, of=12), rel=1e-6)
    assert line["fair"] is False


def test_an_option_that_repeats_the_question_is_found():
    examples = [
        example(n, question=f"Who fixed the old clock {chr(97 + n)}?", choices=("the clock man", *WORDS[1:]))
        for n in range(10)
    ]
    line = checked(examples)["option most like the question (of 10)"]
    assert (line["measured"], line["fair"]) == (1.0, False)


def unmentioned(number: int, holds: bool) -> Example:
    """The text goes through all places and is right, but in the last of the first eight."""
    choices = [f"{word}{number}" for word in WORDS]
    if holds:
        choices[number % 4] = "Not mentioned"
    return example(number, answer=(number + (number == 7)) % 4, choices=tuple(choices))


def test_an_option_of_most_questions_is_tried():
    line = checked([unmentioned(n, holds=n < 8) for n in range(16)])["commonest option (of 8)"]
    assert (line["measured"], line["chance"], line["fair"]) == (7 / 8, 0.25, False)
    # 7 or 8 of 8; none right is likelier than that
    assert line["p_value"] == pytest.approx(8 * 0.25**7 * 0.75 + 0.25**8)


def test_an_option_of_fewer_than_half_the_questions_is_no_strategy():
    assert not [name for name in checked([unmentioned(n, holds=n < 8) for n in range(17)]) if "commonest" in name]


def test_of_equally_common_options_the_best_pays_for_all():
    rotated = [example(n, answer=-n % 4, choices=WORDS[n % 4 :] + WORDS[: n % 4]) for n in range(8)]
    assert {e.choices[e.answer or 0] for e in rotated} == {"apple"}
    line = checked(rotated)["commonest option (of 8)"]
    assert line["measured"] == 1.0
    assert line["p_value"] == pytest.approx(4 * 0.25**8)


def test_early_key_sentences_are_told():
    lines = checked([example(n, start=2.0 * n) for n in range(20)])
    assert lines["key sentence after 30 s"]["measured"] == 0.25
    assert lines["key sentences spread evenly"]["fair"] is False


def test_evenly_placed_key_sentences_pass_however_many():
    # in the middle of 1,012 equal parts of the 94 s in which two sentences over 6 s can begin
    starts = [94 * (n + 0.5) / 1012 for n in range(1012)]
    placed = [replace(example(n), key_spans=((s, s + 2), (s + 3, s + 6))) for n, s in enumerate(starts)]
    line = checked(placed)["key sentences spread evenly"]
    assert line["p_value"] == pytest.approx(1.0)  # against 100 s, the distance 0.06 would be p = 0.001
    assert line["fair"] is True


def test_a_key_sentence_begins_within_what_its_own_length_leaves():
    # a quarter into 98 s: of one place the distance d is 3/4, and P(D >= d) = 2 (1 - d)
    line = checked([example(1, start=24.5)])["key sentences spread evenly"]
    assert line["p_value"] == pytest.approx(0.5)


def test_a_key_sentence_that_fills_its_recording_has_no_place():
    filled = replace(example(1), key_spans=((0.0, 100.0),))
    line = checked([filled])["key sentences spread evenly"]
    assert math.isnan(line["p_value"])
    assert line["fair"] is None


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


def even(number: int) -> Example:
    """Of 16 that give nothing away: each strategy is right in 4, and 11 of the keys begin after 30 s."""
    sign = chr(97 + number)
    texts = (f"longlonglong{sign}", f"no{sign}", f"clock{sign}", f"plain{sign}")
    choices = tuple(texts[(place - number // 4) % 4] for place in range(4))
    return example(number, number % 4, f"Who fixed the clock{sign}?", choices, start=98 * (number + 0.5) / 16)


@pytest.mark.parametrize(
    ("blind", "late", "fair"),
    [
        (8, 3, True),  # p = 0.027, times 7
        (9, 3, True),  # p = 0.0075, times 7 = 0.052
        (9, 11, False),  # the same, times 6 = 0.045 after the check that fails first
        (10, 3, False),  # p = 0.0016, times 7
    ],
)
def test_of_seven_checks_one_must_be_surer(blind: int, late: int, fair: bool):
    examples = [even(n) for n in range(16)]
    rows = [{"example": e.id, "method": "no-audio", "correct": n < blind} for n, e in enumerate(examples)]
    rows += [{"example": e.id, "method": "original", "correct": n < 5 + late} for n, e in enumerate(examples)]
    lines = fairness(examples, pd.DataFrame(rows)).set_index("check")
    assert lines["p_value"].notna().sum() == 7
    line = lines.loc["no audio (of 16)"]
    assert line["p_value"] == pytest.approx(upper_tail(blind, of=16))
    assert line["fair"] is fair
    assert lines.loc["first 30 s, key later (of 11)", "p_value"] == pytest.approx(upper_tail(late, of=11))
    others = lines["p_value"].drop(["no audio (of 16)", "first 30 s, key later (of 11)"]).dropna()
    assert others.tolist() == pytest.approx([1.0] * 5)


@pytest.mark.parametrize("method", ["no-audio", "original"])
def test_an_example_that_would_count_twice_is_refused(method: str):
    examples = [example(n) for n in range(4)]
    once = [{"example": e.id, "method": m, "correct": True} for e in examples for m in ("no-audio", "original")]
    draws = [{"example": "item1", "method": "random", "correct": True}] * 2
    fairness(examples, pd.DataFrame(once + draws))
    again = {"example": "item1", "method": method, "correct": True}
    with pytest.raises(ValueError, match=f"item1 has 2 rows of '{method}'.*rows of one scoring"):
        fairness(examples, pd.DataFrame([*once, again]))


def test_a_strategy_without_a_case_decides_nothing():
    lines = checked([example(n, choices=("aaaa", "bbbb", "cccc", "dddd")) for n in range(4)])
    assert lines["longest option (of 0)"]["fair"] is None
    assert math.isnan(lines["longest option (of 0)"]["p_value"])


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="got no examples"):
        fairness([])

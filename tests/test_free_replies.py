"""Measures of free replies, by examples worked by hand."""

from __future__ import annotations

import pytest

from speechprune_lib.free_replies import score_reply, words

BARK = ["pine bark", "bark of pine trees"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The old Mill, by the river!", ["old", "mill", "by", "river"]),
        ("Twenty-one  cafés", ["twenty", "one", "cafes"]),
        ('A. N. Other\'s "pot"', ["n", "others", "pot"]),
        ("theory", ["theory"]),  # no article within a word
        ("…", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("reply", "contains", "exact", "f1"),
    [
        ("Pine bark.", 1, 1, 1),
        ("The pine bark", 1, 1, 1),
        ("a thick ring of pine bark", 1, 0, 2 / 3),  # the second form: 3 of 5 words and of 4, 2 * 3 / (5 + 4)
        ("Bark of pine trees", 1, 1, 1),  # the second form
        ("bark, pine", 0, 0, 1),  # the same words in another order
        ("pinebark", 0, 0, 0),
        ("pine pine pine", 0, 0, 2 / 5),  # one "pine" counts: 2 * 1 / (3 + 2)
        ("egg shells", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_replies_worked_by_hand(reply, contains, exact, f1):
    assert score_reply(reply, BARK) == pytest.approx({"contains": contains, "exact": exact, "f1": f1})


def test_a_number_is_not_found_within_another():
    assert score_reply("13", ["3"])["contains"] == 0.0
    assert score_reply("on day 3 of it", ["3"])["contains"] == 1.0


@pytest.mark.parametrize("references", [[], ["  "], ["ok", "the"]])
def test_references_without_words_are_refused(references):
    with pytest.raises(ValueError, match="expected one or more texts"):
        score_reply("x", references)

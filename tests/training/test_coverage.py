"""Coverage by hand."""

from collections import Counter

import pytest

from speechprune_lib.training.coverage import coverage, spoken_words
from speechprune_lib.training.reading import Reading, plain


def test_words_are_counted_without_the_held_out_passages(corpus):
    counts = spoken_words(corpus)
    clips, held_out = 24, 1
    assert counts["cat"] == counts["anna"] == 5 * (clips - held_out)


def test_content_words_by_how_often_they_were_spoken():
    """ "the" is no content word; kettle was heard, the first mountain was not."""
    read = [Reading("the mountain kettle the mountain", "the fountain kettle the mountain", "", "", 0, 0)]
    rows = coverage(read, Counter(mountain=12, the=900))
    assert [row["words"] for row in rows] == [1, 0, 2, 0]
    assert rows[0]["heard"] == 1.0 and rows[1]["heard"] is None
    assert rows[2]["heard"] == 0.5 and rows[2]["share"] == pytest.approx(2 / 3)


def test_case_and_punctuation_do_not_count():
    assert plain("Well-known, isn't it?") == "well known isn't it"

"""What an answer is known by, and what of it is written down."""

from __future__ import annotations

import pytest
from answer_rows import row
from pydantic import ValidationError

from speechprune_lib.answers import row_key


def test_a_rate_is_one_key_however_it_was_computed() -> None:
    assert row(rate=0.1 + 0.2).key == row(rate=0.3).key == row_key("a", "rap", {}, 0.1 + 0.2, 0, "letter")
    assert row(rate=0.3).key != row(rate=0.4).key
    assert len({row(**change).key for change in ({}, {"seed": None}, {"rate": None}, {"options": {"a": 1}})}) == 4


@pytest.mark.parametrize("field", [{"scores": (float("nan"),)}, {"evidence_recall": float("inf")}, {"tokens_kept": -1}])
def test_numbers_that_are_none_are_refused(field: dict) -> None:
    with pytest.raises(ValidationError):
        row(**field)


def test_the_printed_order_of_options_is_nothing_to_tell() -> None:
    assert row().key == row_key("a", "rap", {}, 0.2, 0, "letter") == '["a", "rap", {}, 0.2, 0, "letter"]'
    assert row(arrangement="rotated-1").key == '["a", "rap", {}, 0.2, 0, "letter", "rotated-1"]'
    assert "arrangement" not in row().lasting() and row(arrangement="shuffled").lasting()["arrangement"] == "shuffled"
    assert {"seconds", "measures"}.isdisjoint(row(seconds={"plan": 1.0}).lasting())

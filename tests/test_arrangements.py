"""The orders in which options are shown."""

from __future__ import annotations

from collections import Counter

import pytest

from speechprune_lib.arrangements import Arrangement, arrangements


def test_every_option_stands_once_at_every_place() -> None:
    rotations = arrangements("rotate", "x", 4)
    assert [(one.name, one.order) for one in rotations] == [
        ("original", (0, 1, 2, 3)),
        ("rotated-1", (1, 2, 3, 0)),
        ("rotated-2", (2, 3, 0, 1)),
        ("rotated-3", (3, 0, 1, 2)),
    ]
    assert arrangements("original", "x", 4) == rotations[:1]


def test_what_is_shown_comes_back_in_the_printed_order() -> None:
    one = Arrangement("some", (2, 0, 1))
    assert one.shown(["a", "b", "c"]) == ["c", "a", "b"]
    assert one.printed([0.3, 0.1, 0.2]) == (0.1, 0.2, 0.3)


def test_shuffles_are_an_examples_own_and_even() -> None:
    orders = [arrangements("shuffle", f"clip{index}", 3)[0].order for index in range(600)]
    assert orders == [arrangements("shuffle", f"clip{index}", 3)[0].order for index in range(600)]
    counts = Counter(orders)
    assert len(counts) == 6 and min(counts.values()) > 70  # of 100 expected
    assert arrangements("shuffle", "clip0", 4)[0].order == (3, 1, 2, 0)  # on any machine


def test_open_questions_have_nothing_to_arrange() -> None:
    for options in ("original", "rotate", "shuffle"):
        assert [(one.name, one.order) for one in arrangements(options, "x", 0)] == [("original", ())]
    with pytest.raises((ValueError, TypeError), match="reversed"):
        arrangements("reversed", "x", 4)  # type: ignore[arg-type]

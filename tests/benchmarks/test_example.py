"""What an example says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain_examples import example


@pytest.mark.parametrize(
    ("spans", "start", "late"),
    [
        ((), None, False),
        (((0.0, 40.0),), 0.0, False),
        (((29.99, 32.0),), 29.99, False),
        (((30.0, 32.0),), 30.0, True),
        (((10.0, 12.0), (50.0, 52.0)), 10.0, False),
    ],
)
def test_a_key_is_late_where_it_begins_after_the_first_30_s(spans: tuple, start: float | None, late: bool) -> None:
    one = replace(example(1), key_spans=spans)
    assert (one.key_start_s, one.key_is_late) == (start, late)


def test_lengths_of_choices_are_characters() -> None:
    assert example(1, choices=("fig", "plüm", "sour cherry")).choice_lengths == [3, 4, 11]

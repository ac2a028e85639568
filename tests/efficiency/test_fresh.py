"""A model in a process of its own."""

from __future__ import annotations

import os

import pytest

from speechprune_lib.efficiency.fresh import measure_fresh


def test_a_fresh_process_loads_listens_and_answers() -> None:
    rows = list(measure_fresh("mini", rounds=1))
    assert [(row.stage, row.method) for row in rows] == [
        ("load", "mini"),
        ("listen", "mini"),
        ("answer", "everything"),
        ("answer", "speechprune"),
    ]
    assert [row.audio_tokens for row in rows] == [0, 2250, 2250, 2250] and rows[-1].kept == 600
    listen, everything, pruned = (row.seconds.median for row in rows[1:])
    assert min(listen, everything, pruned) > 0
    if os.name == "posix" and rows[0].peak_bytes is not None:
        assert rows[0].peak_bytes > 5e8  # the LLM's weights alone


def test_a_model_that_no_process_knows_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"could not use 'maxi': ValueError: unknown model 'maxi', expected"):
        list(measure_fresh("maxi", rounds=1))

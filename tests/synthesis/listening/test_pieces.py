"""Cutting turns: margins, pieces of 30 s, recordings that are too short."""

import numpy as np
import pytest

from speechprune_lib.synthesis.listening.pieces import cut_turns, pieces
from speechprune_lib.synthesis.listening.spoken import Turn

RATE = 16_000


def turn(start: float, end: float) -> Turn:
    return Turn("spk_1", "voice", "Words.", start, end)


def counting(seconds: float) -> np.ndarray:
    """Samples that say where they are: 1, 2, 3, ..."""
    return np.arange(1, round(seconds * RATE) + 1, dtype=np.float32)


def spans(seconds: float, *turns: Turn) -> list[tuple[float, float]]:
    cut = cut_turns(counting(seconds), turns)
    return [(float(parts[0][0] - 1) / RATE, float(parts[-1][-1]) / RATE) for parts in cut]


def test_a_turn_has_a_margin_of_at_most_half_the_gap():
    assert spans(9.0, turn(1.0, 2.0), turn(2.1, 4.0), turn(6.0, 8.0)) == [
        pytest.approx((0.9, 2.05)),
        pytest.approx((2.05, 4.1)),
        pytest.approx((5.9, 8.1)),
    ]


def test_margins_end_where_the_recording_does_and_none_is_taken_from_an_overlap():
    assert spans(4.0, turn(0.05, 2.0), turn(1.9, 4.0)) == [pytest.approx((0.0, 2.0)), pytest.approx((1.9, 4.0))]


def test_a_coder_may_cut_off_the_end_but_not_half_the_turn():
    assert spans(3.8, turn(3.0, 4.0)) == [pytest.approx((2.9, 3.8))]
    with pytest.raises(ValueError, match="spk_1 speaks until 4.00 s and the recording ends at 3.40 s"):
        cut_turns(counting(3.4), [turn(3.0, 4.0)])


def test_30_seconds_are_one_piece():
    assert [len(piece) for piece in pieces(np.ones(30 * RATE, np.float32))] == [30 * RATE]


def test_long_speech_is_cut_in_its_pauses_and_nothing_is_lost():
    speech = np.random.default_rng(0).uniform(0.1, 0.2, 70 * RATE).astype(np.float32)
    for pause in (10.0, 17.0, 27.0, 50.0):  # 10 is too early; of 17 and 27 the longer one counts
        speech[round(pause * RATE) : round((pause + (0.3 if pause == 27.0 else 0.15)) * RATE)] = 0.0
    parts = pieces(speech)
    assert np.array_equal(np.concatenate(parts), speech)
    ends = np.cumsum([len(part) for part in parts]) / RATE
    assert 27.0 <= ends[0] <= 27.3 and 49.9 <= ends[1] <= 50.25 and ends[2:].tolist() == [70.0]
    assert all(len(part) <= 30 * RATE for part in parts)

"""Turns cut out of a recording, in pieces that a recognizer hears whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Waveform
from .spoken import Turn

MARGIN_SECONDS = 0.1
"""Cut more generously than the engine's times, which may lie within a breathed consonant."""

PAUSE_SECONDS = 0.2
"""Longer than the silence before a plosive, shorter than a pause between sentences."""

BEYOND_SECONDS = 0.5
"""A coder may drop this much at the end; more is another recording."""


def cut_turns(recording: Waveform, turns: Sequence[Turn]) -> list[list[Waveform]]:
    """For every turn its pieces of at most 30 s.

    A turn comes with a margin, of at most half the gap to its neighbours. Raises ValueError for a turn that lies
    beyond the recording's end.
    """
    return [pieces(_samples(recording, span, turn)) for span, turn in zip(_spans(turns), turns, strict=True)]


def pieces(waveform: Waveform) -> list[Waveform]:
    """The waveform in pieces of at most 30 s, cut where it is quietest between 15 and 30 s."""
    parts: list[Waveform] = []
    while len(waveform) > WINDOW_SAMPLES:
        half = WINDOW_SAMPLES // 2
        end = half + _quietest(waveform[half:WINDOW_SAMPLES])
        parts.append(waveform[:end])
        waveform = waveform[end:]
    return [*parts, waveform]


def _spans(turns: Sequence[Turn]) -> list[tuple[float, float]]:
    """(start, end) in seconds of every turn with its margins."""
    gaps = [max(0.0, after.start_s - before.end_s) for before, after in pairwise(turns)]
    margins = [MARGIN_SECONDS, *(min(MARGIN_SECONDS, gap / 2) for gap in gaps), MARGIN_SECONDS]
    return [
        (max(0.0, turn.start_s - before), turn.end_s + after)
        for turn, (before, after) in zip(turns, pairwise(margins), strict=True)
    ]


def _samples(recording: Waveform, span: tuple[float, float], turn: Turn) -> Waveform:
    length_s = len(recording) / SAMPLE_RATE_HZ
    if turn.end_s > length_s + BEYOND_SECONDS:
        raise ValueError(
            f"{turn.speaker} speaks until {turn.end_s:.2f} s and the recording ends at {length_s:.2f} s: it is "
            f"another recording than the split tells of; build the benchmark again"
        )
    start, end = (round(second * SAMPLE_RATE_HZ) for second in span)
    return recording[start:end]


def _quietest(samples: Waveform) -> int:
    """Middle of the stretch of PAUSE_SECONDS that has the least energy."""
    width = round(PAUSE_SECONDS * SAMPLE_RATE_HZ)
    sums = np.cumsum(np.concatenate([[0.0], samples.astype(np.float64) ** 2]))
    return int((sums[width:] - sums[:-width]).argmin()) + width // 2

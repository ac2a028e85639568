"""Which word is said when: an offline recognizer's words, timed by its own cross-attention."""

# pyright: basic
from __future__ import annotations

from dataclasses import dataclass

from ...audio import SAMPLE_RATE_HZ, Waveform, mel_frames
from .pieces import pieces
from .recognizers import WhisperTinyEn

FRAME_SECONDS = 0.02
"""Of Whisper's encoder, on which its decoder looks."""


@dataclass(frozen=True)
class HeardWord:
    text: str
    start_s: float
    end_s: float


def word_times(waveform: Waveform, recognizer: WhisperTinyEn | None = None) -> list[HeardWord]:
    """The words of 16 kHz mono of any length, in order, as Whisper tiny.en hears them.

    Times come from dynamic time warping over its cross-attention, good to a tenth of a second or two; a word ends where
    the next one begins. Raises ModuleNotFoundError where the recognizer's packages are missing.
    """
    recognizer = WhisperTinyEn() if recognizer is None else recognizer
    words, start = [], 0.0
    for piece in pieces(waveform):
        words += [HeardWord(w.text, w.start_s + start, w.end_s + start) for w in _of_piece(piece, recognizer)]
        start += len(piece) / SAMPLE_RATE_HZ
    return words


def _of_piece(piece: Waveform, recognizer: WhisperTinyEn) -> list[HeardWord]:
    """At most 30 s; words begin with the tokens that begin with a space."""
    tokens, begins = recognizer.timed_tokens(piece, mel_frames(len(piece)))
    ends = [*begins[1:], len(piece) / SAMPLE_RATE_HZ / FRAME_SECONDS]
    words: list[list] = []
    for text, begin, end in zip(tokens, begins, ends, strict=True):
        if text.startswith(" ") or not words:
            words.append([text, begin, end])
        else:
            words[-1] = [words[-1][0] + text, words[-1][1], end]
    return [
        HeardWord(text.strip(), begin * FRAME_SECONDS, end * FRAME_SECONDS)
        for text, begin, end in words
        if text.strip()
    ]

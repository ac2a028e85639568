"""What every speech engine gives back: samples, and when each word was said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...packages import needed

QUIET = 0.02
"""Share of the peak below which the edges of a sentence count as silence."""


@dataclass(frozen=True)
class Speech:
    """Mono float32 samples in [-1, 1] at `rate_hz`, and (word, start, end) in seconds for every word of the text;
    a sign that stands alone, such as a dash, is none to most engines (`is_said`).

    An engine that does not tell when its words begin has a single entry for the whole text (`as_one`).
    """

    samples: np.ndarray
    rate_hz: int
    words: tuple[tuple[str, float, float], ...]


def is_said(word: str) -> bool:
    """Whether a piece of a text has a letter or a digit to be said."""
    return any(character.isalnum() for character in word)


def plain(text: str, engine: str) -> str:
    """The text for an engine that reads ASCII: "—" as "-", "é" as "e", "€" as "EUR", its words still the words of the text.

    Raises ValueError naming the engine for a word of which nothing is left.
    """
    if text.isascii():
        return text
    said = [needed("anyascii", f"{engine} on text beyond ASCII", "synthesis").anyascii(word) for word in text.split()]
    if any(len(word.split()) != 1 for word in said):
        raise ValueError(f"{engine} speaks plain ASCII, got {text!r}: write it without signs that are no words")
    return " ".join(said)


def as_one(text: str, samples: np.ndarray, rate_hz: int) -> Speech:
    """Speech whose only known times are its own, from the first to the last sample above `QUIET`.

    Raises ValueError for silence.
    """
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max(initial=0.0))
    if len(loud) == 0:
        raise ValueError(f"the engine said nothing for {text!r}: write it out in plain words")
    return Speech(samples, rate_hz, ((text, float(loud[0] / rate_hz), float((loud[-1] + 1) / rate_hz)),))

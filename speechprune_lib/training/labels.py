"""Frame labels from word times: which of the LLM's tokens is being spoken in each 40 ms frame."""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..audio import TOKENS_PER_SECOND

PUNCTUATION_SECONDS = 0.08
BLANK = -1

TimedWord = tuple[str, float, float]


def timed_tokens(words: Sequence[TimedWord], tokenizer: Callable[..., Any]) -> list[tuple[int, float, float]]:
    """(token id, start, end) in seconds: a word's time is split over its tokens by their letters.

    Punctuation that is a token of its own takes the first 80 ms after the word. Every word is read as in running text,
    with a space before it.
    """
    text = "".join(" " + word for word, _, _ in words)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    starts = np.cumsum([0] + [len(word) + 1 for word, _, _ in words])
    tokens = []
    for token, (first, last) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True):
        index = int(np.searchsorted(starts, first, side="right")) - 1
        word, start, end = words[index]
        spoken = len(word.rstrip(".,;:!?"))
        if text[first:last].strip(" .,;:!?") == "":
            tokens.append((token, end, end + PUNCTUATION_SECONDS))
            continue
        letters = (end - start) / max(1, spoken)
        left = max(0, first - starts[index] - 1)
        right = min(spoken, last - starts[index] - 1)
        tokens.append((token, start + left * letters, start + max(right, left + 0.1) * letters))
    return tokens


def frame_labels(tokens: Sequence[tuple[int, float, float]], frames: int) -> np.ndarray:
    """Token id spoken at the middle of each frame, or `BLANK`; shape (frames,)."""
    labels = np.full(frames, BLANK, np.int64)
    for token, start, end in tokens:
        first = round(start * TOKENS_PER_SECOND)
        labels[first : max(first + 1, round(end * TOKENS_PER_SECOND))] = token
    return labels

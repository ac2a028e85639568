"""Counts of which class follows which, in the labelled speech and in texts, for the connector's smoothing over time."""

# pyright: basic
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..models.mini.transitions import Transitions

FEWEST = 2
"""Pairs that occur less often are left to the frequency of their second class."""


def count_transitions(runs: Iterable[np.ndarray], tokens: int) -> Transitions:
    """From sequences of classes that follow each other, none equal to the one before; `tokens` without "no word here"."""
    size = tokens + 1
    frequency, keys = np.zeros(size, np.int64), [np.zeros(0, np.int64)]
    for said in runs:
        np.add.at(frequency, said, 1)
        keys.append(said[:-1].astype(np.int64) * size + said[1:])
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
    often = counts >= FEWEST
    transitions = Transitions(size, int(often.sum()))
    transitions.pairs.copy_(torch.from_numpy(pairs[often]))
    transitions.counts.copy_(torch.from_numpy(counts[often]))
    transitions.frequency.copy_(torch.from_numpy(frequency))
    return transitions


def spoken_runs(classes: np.ndarray, held_out: list[int]) -> Iterator[np.ndarray]:
    """Rows of frame labels (-100: not heard), those held out left aside, a run of equal labels as one."""
    for row in np.delete(classes, held_out, axis=0):
        yield _without_repeats(row[row >= 0])


def text_runs(texts: Sequence[str], tokenizer: Callable[..., Any], token_ids: np.ndarray) -> Iterator[np.ndarray]:
    """What frames would name, were these sentences spoken: no word (0) around them and after punctuation.

    A token without a class, one that nobody speaks, parts its sentence.
    """
    known = {int(token): index for index, token in enumerate(token_ids, 1)}
    silent = {token for token in known if _punctuation(tokenizer, token)}
    for text in texts:
        run = [0]
        for token in tokenizer(" " + text, add_special_tokens=False)["input_ids"]:
            if token not in known:
                yield _without_repeats(np.array(run))
                run = []
            else:
                run += [known[token], 0] if token in silent else [known[token]]
        yield _without_repeats(np.array([*run, 0]))


def _punctuation(tokenizer: Any, token: int) -> bool:
    return not str(tokenizer.decode([token])).strip(" .,;:!?")


def _without_repeats(run: np.ndarray) -> np.ndarray:
    return run[np.flatnonzero(np.diff(run, prepend=-1))].astype(np.int64)

"""Counts of which class follows which in the labelled speech, for the connector's smoothing over time."""

# pyright: basic
from __future__ import annotations

import numpy as np
import torch

from ..models.mini.transitions import Transitions

FEWEST = 2
"""Pairs that occur less often are left to the frequency of their second class."""


def count_transitions(classes: np.ndarray, held_out: list[int], tokens: int) -> Transitions:
    """From rows of frame labels (-100: not heard), those held out left aside; `tokens` without "no word here"."""
    size = tokens + 1
    frequency, keys = np.zeros(size, np.int64), []
    for row in np.delete(classes, held_out, axis=0):
        heard = row[row >= 0]
        said = heard[np.flatnonzero(np.diff(heard, prepend=-1))]
        np.add.at(frequency, said, 1)
        keys.append(said[:-1].astype(np.int64) * size + said[1:])
    pairs, counts = np.unique(np.concatenate(keys), return_counts=True)
    often = counts >= FEWEST
    transitions = Transitions(size, int(often.sum()))
    transitions.pairs.copy_(torch.from_numpy(pairs[often]))
    transitions.counts.copy_(torch.from_numpy(counts[often]))
    transitions.frequency.copy_(torch.from_numpy(frequency))
    return transitions

"""Counted transitions against counts by hand, and what they do to a posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from speechprune_lib.models.mini.smoothing import SWITCH, smooth
from speechprune_lib.models.mini.transitions import Transitions
from speechprune_lib.training.count import count_transitions, spoken_runs, text_runs

# "no word" is 0; 1 2 is said three times, 1 3 once (too seldom to be a pair), frames repeat what they say
ROWS = np.array(
    [
        [0, 1, 1, 2, 2, 2, 1, 2, -100, -100],
        [1, 1, 2, 2, 1, 1, 1, 3, 3, 3],
        [3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
    ]
)


@pytest.fixture
def counted() -> Transitions:
    return count_transitions(spoken_runs(ROWS, held_out=[2]), tokens=3)


def test_pairs_and_frequencies_by_hand(counted):
    """0 1 2 1 2 | 1 2 1 3: the pairs (1, 2) three times, (2, 1) twice, the others once."""
    assert counted.frequency.tolist() == [1, 4, 3, 1]
    assert counted.pairs.tolist() == [1 * 4 + 2, 2 * 4 + 1]
    assert counted.counts.tolist() == [3, 2]


def test_probabilities_by_hand(counted):
    alone = np.array([2, 5, 4, 2]) / 13  # add-one frequencies
    pair = counted.probability(torch.tensor([1, 1]), torch.tensor([2, 3]))
    prior = Transitions.PRIOR
    expected = [(3 + prior * alone[2]) / (4 + prior), prior * alone[3] / (4 + prior)]
    torch.testing.assert_close(pair.double(), torch.tensor(expected))


def test_they_sum_to_less_than_one_by_the_pairs_that_were_left_out(counted):
    for before, left_out in ((0, 1), (1, 1), (2, 0)):
        total = counted.probability(torch.full((4,), before), torch.arange(4)).sum()
        count = counted.frequency[before].item()
        ended = count - counted.counts[counted.pairs // 4 == before].sum().item() - left_out
        assert total.item() == pytest.approx(1 - (left_out + ended) / (count + Transitions.PRIOR), abs=1e-6)


def test_staying_weighs_one_and_without_pairs_every_change_the_same(counted):
    before, after = torch.tensor([1, 1]), torch.tensor([1, 2])
    stay, change = counted(before, after).tolist()
    assert stay == 1.0
    assert change == pytest.approx(SWITCH * counted.probability(before[1:], after[1:]).item())
    assert Transitions(4, 0)(before, after).tolist() == pytest.approx([1.0, SWITCH])


def test_a_likelier_successor_wins_between_two_that_sound_alike(counted):
    classes = torch.tensor([[[1, 0, 2, 3], [2, 3, 1, 0]]])
    probability = torch.tensor([[[0.9, 0.05, 0.03, 0.02], [0.45, 0.5, 0.03, 0.02]]])
    assert smooth(probability, classes)[0, 1].argmax() == 1
    assert smooth(probability, classes, counted)[0, 1].argmax() == 0


def test_texts_are_counted_as_if_they_were_spoken():
    """Words 1 and 3 around a token that nobody speaks; punctuation 2 is followed by no word, as the sentence's end is."""

    words = {5: "a", 6: ".", 7: "b", 9: "unspoken"}

    class Tokenizer:
        def __call__(self, text, add_special_tokens):
            return {"input_ids": [{w: i for i, w in words.items()}[word] for word in text.split()]}

        def decode(self, tokens):
            return words[tokens[0]]

    ids = np.array([5, 6, 7])
    runs = [run.tolist() for run in text_runs(["a . b", "a unspoken b"], Tokenizer(), ids)]
    assert runs == [[0, 1, 2, 0, 3, 0], [0, 1], [3, 0]]
    counted = count_transitions(map(np.array, runs), tokens=3)
    assert dict(zip(counted.pairs.tolist(), counted.counts.tolist(), strict=True)) == {0 * 4 + 1: 2, 3 * 4 + 0: 2}

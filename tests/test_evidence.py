"""What a plan keeps of the answer, counted by hand."""

import pytest
import torch

from speechprune_lib import audio
from speechprune_lib.evidence import evidence_recall, word_recall
from speechprune_lib.prompt import Plan


@pytest.mark.parametrize(
    ("keep", "spans", "recall"),
    [
        ([0, 1, 2], [(0.0, 0.12)], 1.0),
        ([0, 1, 2], [(0.0, 0.16)], 0.75),
        ([3], [(0.0, 0.12)], 0.0),
        ([7], [(0.28, 0.32)], 1.0),  # 0.28 * 25 is just above 7 in floats
        ([6], [(0.24, 0.28)], 1.0),
        ([0, 9], [(0.0, 0.04), (0.36, 0.4)], 1.0),
        ([0], [(0.0, 0.04), (0.0, 0.04)], 1.0),  # counted once
        ([9], [(0.36, 9.0)], 1.0),  # clipped to the audio
        ([9], [(5.0, 9.0)], None),
        ([9], [], None),
    ],
)
def test_evidence_recall_by_hand(keep, spans, recall):
    assert evidence_recall(Plan(torch.tensor(keep), 10), spans, 25.0) == recall


def test_evidence_is_where_audio_says_it_is():
    everything = Plan(torch.arange(1000), 1000)
    for start, end in [(0.5, 1.0), (1.234, 5.678), (0.28, 12.0), (3.999, 4.001)]:
        key = list(audio.tokens_in(start, end))
        only = Plan(torch.tensor(key), 1000)
        assert evidence_recall(only, [(start, end)], 25.0) == evidence_recall(everything, [(start, end)], 25.0) == 1.0
        assert evidence_recall(Plan(torch.tensor(key[:1]), 1000), [(start, end)], 25.0) == pytest.approx(1 / len(key))


def test_evidence_at_another_token_rate():
    tokens = Plan(torch.tensor([1]), 40)  # 14.93 a second, as DiVA's: token 1 is 0.067-0.134 s
    assert evidence_recall(tokens, [(0.07, 0.13)], 14.93) == 1.0
    assert evidence_recall(tokens, [(0.05, 0.13)], 14.93) == 0.5


WORDS = ["the", "the", "", "fox", "fox", "fox", "", "fox", "slept", "slept"]


@pytest.mark.parametrize(
    ("keep", "spans", "recall"),
    [
        ([0], [(0.0, 0.4)], 1 / 4),  # the | fox | fox | slept
        ([1, 4, 7, 9], [(0.0, 0.4)], 1.0),
        ([3, 4, 5], [(0.0, 0.4)], 1 / 4),  # three tokens of one word
        ([2, 6], [(0.0, 0.4)], 0.0),  # tokens without a word
        ([4], [(0.12, 0.32)], 1 / 2),  # a pause parts the two foxes
        ([0], [(0.08, 0.12)], None),  # no word there
    ],
)
def test_word_recall_by_hand(keep, spans, recall):
    assert word_recall(Plan(torch.tensor(keep), 10), WORDS, spans, 25.0) == recall


def test_words_are_one_for_each_token():
    with pytest.raises(ValueError, match="got 2 words for 10 audio tokens"):
        word_recall(Plan(torch.tensor([0]), 10), ["a", "b"], [(0.0, 0.1)], 25.0)

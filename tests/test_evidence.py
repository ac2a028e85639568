"""What a plan keeps of the answer, counted by hand."""

import pytest
import torch
from fake_model import FakeModel, make_examples

from speechprune_lib import audio
from speechprune_lib.evidence import evidence_recall, kept_evidence, unevenness, word_recall
from speechprune_lib.prompt import Plan
from speechprune_lib.pruners import get_method


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


@pytest.mark.parametrize(
    ("keep", "gini"),
    [
        ([0, 1, 25, 26, 50, 51, 75, 76], 0.0),  # two of every second
        ([*range(25)], 0.75),  # one second of four: (n - 1) / n
        ([*range(25), *range(75, 100)], 0.5),
        ([0, 25, 50, 51, 75, 76], 1 / 6),  # 1 1 2 2: sum |x - y| over all pairs is 8, over 2 * 16 * 1.5
        ([0, 25, 50, 75, 100, 101, 102], 0.0),  # a part of a second at the end does not count
        ([105], 0.0),
    ],
)
def test_unevenness_by_hand(keep, gini):
    assert unevenness(Plan(torch.tensor(keep, dtype=torch.long), 110), 25.0) == pytest.approx(gini)


def test_unevenness_needs_a_second():
    with pytest.raises(ValueError, match="over 24 audio tokens"):
        unevenness(Plan(torch.tensor([0]), 24), 25.0)


def test_the_table_holds_what_the_parts_give(tmp_path):
    model, (example,) = FakeModel(), make_examples(tmp_path, 1)
    table = kept_evidence(model, [example], ["rap", "original:budget=30"], [0.96], [0, 1], progress=False)
    assert table["method"].tolist() == ["rap", "rap", "original:budget=30"]
    prompt = model.prepare(audio.load(example.audio_path), example.question, instruction="?")
    plan = get_method("rap").plan(prompt, 0.96, seed=1)
    row = table.iloc[1]
    assert (row["seed"], row["share_kept"]) == (1, 30 / 50)
    assert row["token_recall"] == evidence_recall(plan, example.key_spans, 25.0)
    assert row["word_recall"] == word_recall(plan, model.nearest_words(prompt.audio), example.key_spans, 25.0)
    assert row["unevenness"] == unevenness(plan, 25.0)
    assert table["share_kept"][2] == 30 / 50 and table["unevenness"][2] == pytest.approx(0.5 - 5 / 30)  # 25 and 5

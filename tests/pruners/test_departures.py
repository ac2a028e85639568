"""The options that depart from the paper, each against a hand-worked example or a slow loop."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from speechprune_lib.prompt import FirstAttention
from speechprune_lib.pruners import get_method
from speechprune_lib.pruners.attention import AttentionPhase
from speechprune_lib.pruners.similarity import SimilarityPhase, centred, frame_scores, nearest, repeated, similarity

from . import reference
from .prompts import random_prompt


def lists(tensor: torch.Tensor) -> list[list[float]]:
    return tensor.double().tolist()


@pytest.mark.parametrize(("match", "counted"), [("mean", 0), ("max", 1), ("top1", 1), ("top3", 3), ("top12", 12)])
def test_how_many_words_a_match_counts(match, counted):
    assert nearest(match) == counted


@pytest.mark.parametrize("match", ["median", "3", "top", "top0", "top-1", "topmost", ""])
def test_other_matches_are_refused(match):
    with pytest.raises(ValueError, match="expected 'mean', 'max', or as many as in 'top3'"):
        SimilarityPhase(match=match)


@pytest.mark.parametrize("counted", [1, 2, 3, 5, 9])
def test_the_nearest_words_by_a_slow_loop(counted):
    prompt = random_prompt(20, words=5)
    expected = []
    for token in lists(prompt.audio):
        best = sorted((reference.cosine(token, word) for word in lists(prompt.question)), reverse=True)[:counted]
        expected.append(sum(best) / len(best))
    found = similarity(prompt.audio.double(), prompt.question.double(), f"top{counted}").tolist()
    assert found == pytest.approx(expected, abs=1e-12)


def test_top1_is_max_and_all_are_the_mean():
    prompt = random_prompt(30, words=4)
    assert similarity(prompt.audio, prompt.question, "top1").equal(similarity(prompt.audio, prompt.question, "max"))
    expected = similarity(prompt.audio, prompt.question, "mean")
    torch.testing.assert_close(similarity(prompt.audio, prompt.question, "top4"), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("centre", ["audio", "both"])
def test_centring_by_a_slow_loop(centre):
    vocabulary = torch.linspace(-1, 1, 8, dtype=torch.float64)
    prompt = replace(random_prompt(23, words=3), vocabulary_mean=lambda: vocabulary)
    audio, words = lists(prompt.audio), lists(prompt.question)
    mean = [sum(column) / len(audio) for column in zip(*audio, strict=True)]
    audio = [[x - m for x, m in zip(row, mean, strict=True)] for row in audio]
    if centre == "both":
        words = [[x - m for x, m in zip(row, vocabulary.tolist(), strict=True)] for row in words]
    found = SimilarityPhase(centre=centre).similarity(prompt).tolist()
    assert found == pytest.approx(reference.mean_similarities(audio, words), abs=1e-12)


def test_what_all_tokens_share_does_not_count_when_centred():
    prompt = random_prompt(40)
    shifted = replace(prompt, embeddings=prompt.embeddings.double() + 100.0 * prompt.is_audio[:, None])
    phase = SimilarityPhase(centre="audio")
    torch.testing.assert_close(phase.similarity(shifted), phase.similarity(prompt), rtol=0, atol=1e-6)
    assert (SimilarityPhase().similarity(shifted) - SimilarityPhase().similarity(prompt)).abs().max() > 0.1


def test_nothing_is_left_of_equal_tokens():
    """0.1 summed ten times is not 1: rounding must not become a direction."""
    same = torch.full((10, 3), 0.1)
    assert centred(same, same.double().mean(0) * (1 + 1e-13)).eq(0).all()
    prompt = random_prompt(30)
    prompt.embeddings[prompt.is_audio] = 0.1
    assert SimilarityPhase(centre="audio").similarity(prompt).eq(0).all()


def test_a_prompt_without_the_vocabulary_cannot_be_centred_by_it():
    with pytest.raises(ValueError, match="carries no vocabulary_mean"):
        SimilarityPhase(centre="both").select(random_prompt(30), 5)


A, B, C = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.1, 1.0]


def test_repeats_are_neighbours_that_say_the_same():
    assert repeated(torch.tensor([A, A, B, A, C, C, [2 * x for x in C]])).tolist() == [0, 1, 0, 0, 0, 1, 1]
    assert repeated(torch.zeros(0, 3)).tolist() == []


def test_a_word_counts_once_in_a_frame_however_long_it_lasts():
    """Frames of four: A A A B and B C C C; B lasts over the border, and counts in both."""
    tokens = torch.tensor([A, A, A, B, B, C, C, C])
    scores = torch.tensor([0.9, 0.6, 0.9, 0.2, 0.4, 0.1, 0.2, 0.3], dtype=torch.float64)
    assert frame_scores(scores, 4).tolist() == pytest.approx([2.6, 1.0])
    once = frame_scores(scores, 4, repeats=repeated(tokens))
    assert once.tolist() == pytest.approx([4 * (0.8 + 0.2) / 2, 4 * (0.4 + 0.2) / 2])


@pytest.mark.parametrize("last_frame", ["scaled", "literal"])
def test_words_counted_once_by_a_slow_loop(last_frame):
    prompt = random_prompt(33, seed=3)
    scores, again = similarity(prompt.audio, prompt.question), repeated(prompt.audio)
    expected = []
    for frame in reference.frames_of(33, 5):
        runs: list[list[float]] = []
        for place in frame:
            if again[place] and place != frame.start:
                runs[-1].append(float(scores[place]))
            else:
                runs.append([float(scores[place])])
        mean = sum(sum(run) / len(run) for run in runs) / len(runs)
        expected.append(mean * (5 if last_frame == "scaled" else len(frame)))
    assert frame_scores(scores, 5, last_frame, repeats=again).tolist() == pytest.approx(expected)
    assert 0 < int(again.sum()) < 33


def test_without_repeats_nothing_changes_and_both_ways_to_count_exclude_each_other():
    scores = torch.arange(7, dtype=torch.float64)
    assert frame_scores(scores, 3, repeats=torch.zeros(7, dtype=torch.bool)).equal(frame_scores(scores, 3))
    with pytest.raises(ValueError, match="frame_best is 5 with repeats='once'"):
        SimilarityPhase(frame_best=5, repeats="once")


@pytest.mark.parametrize("count", [4, 5, 12, 33])
def test_a_temperature_near_zero_keeps_whole_seconds(count):
    """The most similar seconds whole, one after the other, and of the next one its best tokens."""
    prompt = random_prompt(53, seed=1)
    scores = similarity(prompt.audio, prompt.question)
    frames = reference.frames_of(53, 5)
    sums = reference.frame_sums(scores.tolist(), 5, "scaled")
    expected: list[int] = []
    for frame in sorted(frames, key=lambda frame: -sums[frame.start // 5]):
        best = sorted(frame, key=lambda place: -scores[place])
        expected += best[: count - len(expected)]
    kept = get_method("phase1", temperature=1e-6, budget=100).plan(prompt, 1 - count / 100).keep.tolist()
    assert kept == sorted(expected)


def test_another_text_is_compared_as_if_it_were_the_question():
    prompt = random_prompt(60)
    content = torch.randn(2, 8, generator=torch.Generator().manual_seed(9))
    carrying = replace(prompt, texts={"content": content}.__getitem__)
    for name in ("phase1", "speechprune"):
        other = get_method(name, text="content", budget=40).plan(carrying, 0.5)
        assert other.keep.equal(get_method(name, budget=40).plan(replace(prompt, question=content), 0.5).keep)
        assert not other.keep.equal(get_method(name, budget=40).plan(prompt, 0.5).keep)
    with pytest.raises(ValueError, match="carries its question alone, and no text 'content'"):
        get_method("phase1", text="content", budget=40).plan(prompt, 0.5)


def test_the_true_attention_by_a_slow_loop():
    """The layer's own queries and keys, here a rotation by the position, in Eqs. 12 and 13."""
    prompt = random_prompt(12, dim=4, query_heads=2, key_heads=2, head_dim=2)
    weights = torch.randn(2, 2, 2, 4, generator=torch.Generator().manual_seed(5)).double()

    def project(audio, positions):
        turned = [torch.einsum("hod,nd->hno", weight, audio.double()) for weight in weights]
        cos, sin = positions.double().cos(), positions.double().sin()
        return tuple(
            torch.stack([x[..., 0] * cos - x[..., 1] * sin, x[..., 0] * sin + x[..., 1] * cos], -1) for x in turned
        )

    attention = replace(prompt.first_attention(), project=project)
    prompt = replace(prompt, first_attention=lambda: attention)
    survivors = torch.tensor([0, 2, 3, 5, 6, 8, 9, 11])
    queries, keys = project(prompt.audio[survivors], survivors + 2)  # two tokens of text before
    received = [0.0] * len(survivors)
    for head in range(2):
        for query in queries[head].tolist():
            row = reference.softmax(
                [sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(2) for key in keys[head].tolist()]
            )
            received = [total + share for total, share in zip(received, row, strict=True)]
    best = sorted(range(len(survivors)), key=lambda place: -received[place])[:3]
    kept = AttentionPhase(attention="true").select(prompt, survivors, 3)
    assert kept.tolist() == sorted(survivors[best].tolist())


def test_a_layer_of_an_unknown_make_has_no_true_attention():
    with pytest.raises(ValueError, match="first layer is of an unknown make: use attention='binarized'"):
        get_method("phase2", attention="true", budget=20).plan(random_prompt(40), 0.5)
    assert FirstAttention.__dataclass_fields__["project"].default is None

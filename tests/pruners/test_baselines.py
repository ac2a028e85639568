from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechprune_lib.prompt import SpeechPrompt
from speechprune_lib.pruners import METHODS, get_method
from speechprune_lib.pruners.baselines import Everything, Original, RandomCrop, RandomTokens, UniformStride

from .prompts import random_prompt

LONG = random_prompt(2197, dim=2)
"""The audio tokens of 87.89 s, SPIRAL's mean."""


def test_original_hears_the_first_thirty_seconds_at_any_rate():
    for rate in (0.0, 0.8):
        assert Original().plan(LONG, rate).keep.tolist() == list(range(750))


def test_everything_is_everything_at_any_rate_and_budget():
    assert Everything(budget=3).plan(LONG, 0.8).keep.tolist() == list(range(2197))


def test_a_crop_is_one_stretch_and_starts_anywhere():
    starts = set()
    for seed in range(80):
        keep = RandomCrop(budget=4).plan(random_prompt(10, dim=2), 0.0, seed).keep
        assert torch.equal(keep, torch.arange(keep[0], keep[0] + 4))
        starts.add(int(keep[0]))
    assert starts == set(range(7))


def test_random_tokens_take_every_token_equally_often():
    prompt, drawn = random_prompt(20, dim=2), torch.zeros(20)
    for seed in range(300):
        drawn[RandomTokens(budget=5).plan(prompt, 0.0, seed).keep] += 1
    # 300 draws at 1/4: 75, standard deviation 7.5
    assert drawn.min() > 75 - 4 * 7.5 and drawn.max() < 75 + 4 * 7.5


def test_a_higher_rate_keeps_a_subset_of_the_same_random_tokens():
    plans = [set(RandomTokens().plan(LONG, rate, seed=3).keep.tolist()) for rate in (0.0, 0.2, 0.4, 0.6, 0.8)]
    assert all(later < earlier for earlier, later in pairwise(plans))


def test_draws_are_those_of_pythons_promised_generator():
    """Pinned: a changed draw would make committed results stale without anyone noticing."""
    prompt = random_prompt(12, dim=2)
    assert RandomTokens(budget=4).plan(prompt, 0.0, seed=0).keep.tolist() == [6, 7, 8, 11]
    # the first draw is 0.79508..., of 2197 - 600 + 1 = 1598 starts
    assert int(RandomCrop().plan(LONG, 0.2, seed=0).keep[0]) == 1270


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.uses_seed])
def test_seeds_and_lengths_change_the_draw(name):
    method = get_method(name, budget=20)
    prompt = random_prompt(200, dim=2)
    assert not torch.equal(method.plan(prompt, 0.0, 0).keep, method.plan(prompt, 0.0, 1).keep)
    assert not torch.equal(method.plan(prompt, 0.0, 1).keep, method.plan(prompt, 0.0, -1).keep)
    assert not torch.equal(method.plan(prompt, 0.0, 0).keep, method.plan(random_prompt(201, dim=2), 0.0, 0).keep)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3000), st.data())
def test_a_uniform_stride_is_even(total, data):
    count = data.draw(st.integers(1, total))
    keep = UniformStride().choose(_of_length(total), count, 0)
    assert len(keep) == count and 0 <= int(keep[0]) and int(keep[-1]) < total
    steps = torch.diff(keep)
    if count > 1:
        assert int(steps.min()) >= 1 and int(steps.max()) - int(steps.min()) <= 1
    # as far from the start as from the end, to a token
    assert abs(int(keep[0]) - (total - 1 - int(keep[-1]))) <= 1


def test_a_uniform_stride_takes_middles():
    assert UniformStride(budget=4).plan(random_prompt(10, dim=2), 0.0).keep.tolist() == [1, 3, 6, 8]


def _of_length(total: int) -> SpeechPrompt:
    return random_prompt(total, dim=1, head_dim=1)

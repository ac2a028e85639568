import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechprune_lib.prompt import Positions
from speechprune_lib.pruners.base import best_first, check_choice, top_k
from speechprune_lib.pruners.baselines import RandomTokens

from .prompts import random_prompt


def test_top_k_is_in_time_order():
    assert top_k(torch.tensor([0.1, 0.9, 0.5, 0.7]), 3).tolist() == [1, 2, 3]


def test_the_earliest_of_tied_tokens_wins_even_if_float_noise_says_otherwise():
    assert top_k(torch.zeros(40), 3).tolist() == [0, 1, 2]
    assert top_k(torch.tensor([0.5, 0.5 + 1e-12, 0.4, 0.5 + 2e-12], dtype=torch.float64), 2).tolist() == [0, 1]
    assert top_k(torch.tensor([0.5, 0.5 + 1e-6], dtype=torch.float64), 1).tolist() == [1]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 7.0]), min_size=1, max_size=30), st.data())
def test_top_k_sorts_as_python_does(scores, data):
    k = data.draw(st.integers(0, len(scores)))
    best = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    assert best_first(torch.tensor(scores)).tolist() == best
    assert top_k(torch.tensor(scores), k).tolist() == sorted(best[:k])


def test_bad_scores_and_counts_are_refused():
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        top_k(torch.tensor([1.0, torch.nan, 0.0]), 2)
    for k in (-1, 4):
        with pytest.raises(ValueError, match=f"cannot choose {k} of 3 tokens"):
            top_k(torch.zeros(3), k)


def test_half_precision_scores_are_ranked():
    assert top_k(torch.tensor([1.0, 3.0, 2.0], dtype=torch.bfloat16), 2).tolist() == [1, 2]


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_a_rate_outside_its_range_is_refused_even_for_short_audio(rate):
    with pytest.raises(ValueError, match=r"prune_rate .* must lie in \[0, 1\)"):
        RandomTokens().plan(random_prompt(3), rate)


def test_bad_fields_are_refused():
    with pytest.raises(ValueError, match="budget is 0"):
        RandomTokens(budget=0)
    with pytest.raises((ValueError, TypeError), match="old"):  # TypeError: when types are checked while testing
        RandomTokens(positions="old")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positions is 'old', expected one of 'original', 'renumbered'"):
        check_choice("positions", "old", Positions)


def test_fields_reach_the_plan():
    plan = RandomTokens(budget=10, positions="renumbered").plan(random_prompt(30), 0.5)
    assert (len(plan.keep), plan.total, plan.positions) == (5, 30, "renumbered")

from dataclasses import replace

import pytest
import torch

from speechprune_lib.prompt import FirstAttention
from speechprune_lib.pruners import get_method
from speechprune_lib.pruners.attention import AttentionPhase, attention_map, binary_projections
from speechprune_lib.pruners.similarity import SimilarityPhase, frame_scores, similarity
from speechprune_lib.pruners.speechprune import AttentionOnly, SimilarityOnly, SpeechPrune

from . import reference
from .prompts import prompt_of, random_prompt

SIX = prompt_of(
    torch.tensor([[1.0, 0, 0], [3, -4, 0], [0, 1, 0], [4, 0, -3], [0, -1, 0], [0, 0, 2]]),
    torch.tensor([[2.0, 0, 0]]),
    3.0,
    FirstAttention(
        torch.tensor([[0.2, 0.5, -0.1], [0.3, -0.6, 0.4]]),
        torch.tensor([[-0.3, 0.4, 0.6], [0.7, 0.1, -0.2]]),
        1,
        1,
        lambda x: x,
    ),
)
"""Six tokens, two frames of three, a question of one token, one head of two dimensions; worked by hand below."""


def test_phase_1_by_hand():
    """Cosines to (2, 0, 0): 1, 3/5, 0 | 4/5, 0, 0. Frame sums 1.6 and 0.8, so p = 1 / (1 + e^-0.8) = 0.690 and 0.310.
    Of 3 tokens: 2.07 and 0.93. Literal floors are 2 and 0; the exact rule gives the third to the larger remainder.
    """
    cosines = similarity(SIX.audio, SIX.question)
    torch.testing.assert_close(cosines, torch.tensor([1, 0.6, 0, 0.8, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(frame_scores(cosines, 3), torch.tensor([1.6, 0.8], dtype=torch.float64))
    assert SimilarityPhase(budget_rule="literal").select(SIX, 3).tolist() == [0, 1]
    assert SimilarityPhase().select(SIX, 3).tolist() == [0, 1, 3]


def test_phase_2_by_hand():
    """Signs of the survivors 0, 1, 3 (zeros are +): +++, +-+, ++-. Of W_Q's rows: ++-, +-+; of W_K's: -++, ++-.
    Q' = (1, 1), (-1, 3), (3, -1); K' = (1, 1), (-1, -1), (-1, 3).
    Q'K'^T = (2, -2, 2), (2, -2, 10), (2, -2, -6); divided by sqrt(2), as powers of e:
    (4.113, 0.243, 4.113) / 8.469, (4.113, 0.243, 1177.4) / 1181.8, (4.113, 0.243, 0.0144) / 4.371.
    Columns add up to 1.430, 0.0845, 1.485: token 3 receives most attention, then 0, then 1.
    """
    queries, keys = binary_projections(SIX.audio[[0, 1, 3]], SIX.first_attention())
    assert queries[0].tolist() == [[1, 1], [-1, 3], [3, -1]]
    assert keys[0].tolist() == [[1, 1], [-1, -1], [-1, 3]]
    by_hand = torch.tensor([1.430, 0.0845, 1.485], dtype=torch.float64)
    torch.testing.assert_close(attention_map(queries, keys).sum(0), by_hand, atol=1e-3, rtol=0)


def test_both_phases_by_hand():
    """Budget 3. Rate 1/3 leaves 2 tokens, rate 2/3 leaves 1: token 3, which is not the question's nearest."""
    method = SpeechPrune(budget=3)
    assert method.plan(SIX, 0.0).keep.tolist() == [0, 1, 3]
    assert method.plan(SIX, 1 / 3).keep.tolist() == [0, 3]
    assert method.plan(SIX, 2 / 3).keep.tolist() == [3]
    assert SimilarityOnly(budget=3).plan(SIX, 2 / 3).keep.tolist() == [0]


@pytest.mark.parametrize("binarize", ["normalized", "raw"])
@pytest.mark.parametrize("heads", ["per-head", "one"])
@pytest.mark.parametrize("scale", ["literal", "xnor"])
@pytest.mark.parametrize("last_frame", ["scaled", "literal"])
@pytest.mark.parametrize("rule", ["exact", "literal"])
@pytest.mark.parametrize("temperature", [1.0, 0.2])
def test_every_combination_agrees_with_the_slow_loops(temperature, rule, last_frame, scale, heads, binarize):
    prompt = random_prompt(33, seed=5)
    options = {"temperature": temperature, "budget_rule": rule, "last_frame": last_frame}
    method = get_method("speechprune", budget=15, scale=scale, heads=heads, binarize=binarize, **options)
    speech, text = prompt.audio.double().tolist(), prompt.question.double().tolist()
    attention = prompt.first_attention()
    inputs = attention.normalize(prompt.audio).double().tolist() if binarize == "normalized" else speech
    query, key = attention.query_weight.double().tolist(), attention.key_weight.double().tolist()

    survivors = reference.first_phase(speech, text, 5, 15, temperature, rule, last_frame)
    maps = reference.attention_maps([inputs[i] for i in survivors], query, key, 4, 2, scale, heads)
    order = reference.second_phase(reference.attention_received(maps), 6)
    assert method.plan(prompt, 0.6).keep.tolist() == [survivors[j] for j in order]


def test_phase_2_is_left_out_when_phase_1_has_done_all_and_the_other_way_round():
    prompt = random_prompt(60)
    untouchable = replace(prompt, first_attention=lambda: pytest.fail("phase 2 has nothing to do"))
    assert len(SpeechPrune(budget=30).plan(untouchable, 0.0).keep) == 30
    within_budget = replace(prompt, question=torch.full((1, 8), torch.nan))
    assert len(SpeechPrune(budget=60).plan(within_budget, 0.5).keep) == 30


def test_phase_1_alone_is_not_phase_1_then_phase_2():
    prompt = random_prompt(100)
    plans = [
        get_method(name, budget=40).plan(prompt, 0.5).keep.tolist() for name in ("speechprune", "phase1", "phase2")
    ]
    assert len({tuple(plan) for plan in plans}) == 3


def test_phase_2_alone_needs_no_question():
    prompt = replace(random_prompt(60), question=torch.empty(0, 8))
    assert len(AttentionOnly(budget=30).plan(prompt, 0.5).keep) == 15
    with pytest.raises(ValueError, match="the question has no tokens"):
        SpeechPrune(budget=30).plan(prompt, 0.5)


def test_literal_budgets_keep_fewer_and_never_more():
    prompt = random_prompt(100)
    phase = SimilarityPhase(budget_rule="literal")
    survivors = len(phase.select(prompt, 40))
    assert survivors < 40
    assert len(SpeechPrune(budget=40, phase1=phase).plan(prompt, 0.0).keep) == survivors
    assert len(SpeechPrune(budget=40, phase1=phase).plan(prompt, 0.9).keep) == 4


def test_silence_keeps_an_even_share_of_every_second():
    """Zeros resemble nothing and attend to all alike: the budget is flat, and ties go to each second's start."""
    prompt = random_prompt(50)
    prompt.embeddings[prompt.is_audio] = 0.0
    assert SpeechPrune(budget=10).plan(prompt, 0.0).keep.tolist() == list(range(0, 50, 5))
    assert SpeechPrune(budget=10).plan(prompt, 0.5).keep.tolist() == [0, 5, 10, 15, 20]


def test_gradients_do_not_follow():
    prompt = random_prompt(50)
    prompt.embeddings.requires_grad_()
    for method in (SpeechPrune(budget=10), AttentionOnly(budget=10, phase=AttentionPhase(scale="xnor"))):
        assert not method.plan(prompt, 0.5).keep.requires_grad

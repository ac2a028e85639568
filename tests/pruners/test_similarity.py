import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechprune_lib.pruners.similarity import (
    SimilarityPhase,
    best_of_frames,
    frame_budget,
    frame_scores,
    frame_sizes,
    similarity,
)

from . import reference
from .prompts import prompt_of, random_prompt

FLAT_CLIP = frame_sizes(2197, 25)
"""87.89 s, SPIRAL's mean: 88 frames of a second, the last one of 22 tokens."""


def test_the_mean_unit_vector_gives_the_mean_of_all_cosines():
    prompt = random_prompt(50, dim=16, words=7)
    audio, question = prompt.audio.double(), prompt.question.double()
    expected = torch.nn.functional.cosine_similarity(audio[:, None], question[None], dim=-1).mean(1)
    torch.testing.assert_close(similarity(audio, question), expected, rtol=0, atol=1e-15)


def test_the_length_of_a_vector_does_not_matter_and_zero_is_similar_to_nothing():
    question = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    audio = torch.tensor([[6.0, 8.0], [600.0, 800.0], [-4.0, 3.0], [0.0, 0.0]])
    torch.testing.assert_close(similarity(audio, question), torch.tensor([0.5, 0.5, 0, 0], dtype=torch.float64))


def test_the_nearest_of_the_questions_tokens_can_count_instead_of_their_mean():
    prompt = random_prompt(50, dim=16, words=7)
    audio, question = prompt.audio.double(), prompt.question.double()
    expected = torch.nn.functional.cosine_similarity(audio[:, None], question[None], dim=-1).amax(1)
    torch.testing.assert_close(similarity(audio, question, "max"), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(dtype):
    """The squares of float16's largest numbers are far outside float16."""
    audio = (60000 * torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])).to(dtype)
    result = similarity(audio, audio[:1])
    torch.testing.assert_close(result, torch.tensor([1.0, 0.0], dtype=torch.float64))


def test_unusable_embeddings_are_refused():
    audio = torch.ones(4, 8)
    with pytest.raises(ValueError, match="the question has no tokens"):
        similarity(audio, torch.ones(0, 8))
    with pytest.raises(ValueError, match="8 dimensions and the question's 6"):
        similarity(audio, torch.ones(2, 6))
    with pytest.raises(ValueError, match="the question's embeddings hold NaN"):
        similarity(audio, torch.full((2, 8), torch.nan))
    with pytest.raises(ValueError, match="the audio's embeddings hold NaN or infinity"):
        similarity(audio * torch.inf, torch.ones(2, 8))


def test_frames_of_three_with_a_ragged_end():
    scores = torch.tensor([1, 2, 3, 4, 5, 6, 7], dtype=torch.float64)
    assert frame_sizes(7, 3).tolist() == [3, 3, 1]
    assert frame_scores(scores, 3, "literal").tolist() == [6, 15, 7]
    assert frame_scores(scores, 3, "scaled").tolist() == [6, 15, 21]
    assert frame_sizes(6, 3).tolist() == [3, 3] and frame_sizes(2, 3).tolist() == [2]


def test_a_frame_can_score_by_its_best_tokens_alone():
    scores = torch.tensor([1, 2, 3, 4, 5, 6, 7], dtype=torch.float64)
    assert frame_scores(scores, 3, "literal", best=2).tolist() == [5, 11, 7]
    assert frame_scores(scores, 3, "scaled", best=2).tolist() == [5, 11, 14]
    assert frame_scores(scores, 3, best=9).tolist() == frame_scores(scores, 3).tolist()  # no more than there are


def test_what_matters_to_the_nearest_word_is_kept_by_max_and_not_by_mean():
    """Token 0 is one of the question's words; token 1 lies between the words, and is near to none."""
    question = torch.tensor([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])
    audio = torch.tensor([[1.0, 0, 0], [1.0, 1.0, 0.2]])
    attention = random_prompt(2, dim=3).first_attention()
    prompt = prompt_of(audio, question, 25.0, attention)
    assert SimilarityPhase(match="mean").select(prompt, 1).tolist() == [1]
    assert SimilarityPhase(match="max").select(prompt, 1).tolist() == [0]


def test_a_literal_short_frame_scores_nearer_to_zero_whatever_it_says():
    assert frame_scores(torch.full((7,), 0.2, dtype=torch.float64), 3, "literal").tolist()[-1] == 0.2  # others 0.6
    assert frame_scores(torch.full((7,), -0.2, dtype=torch.float64), 3, "literal").tolist()[-1] == -0.2  # others -0.6


def test_equal_frames_share_equally_and_the_remainder_goes_to_the_earliest():
    scores = torch.zeros(4, dtype=torch.float64)
    assert frame_budget(scores, torch.full((4,), 25), 40).tolist() == [10, 10, 10, 10]
    assert frame_budget(scores, torch.full((4,), 25), 42).tolist() == [11, 11, 10, 10]
    assert frame_budget(scores, torch.full((4,), 25), 42, rule="literal").tolist() == [10, 10, 10, 10]


def test_what_overflows_a_frame_is_shared_among_the_others_in_their_proportion():
    """Shares of 12 are 8, 2, 1, 1. The first frame holds 4: the other 8 are shared 4, 2, 2, and the second holds 3:
    the last 5 are shared 2.5, 2.5."""
    scores = torch.tensor([8.0, 2.0, 1.0, 1.0], dtype=torch.float64).log()
    sizes = torch.tensor([4, 3, 4, 4])
    assert frame_budget(scores, sizes, 12).tolist() == [4, 3, 3, 2]
    assert frame_budget(scores, sizes, 12, rule="literal").tolist() == [4, 2, 1, 1]


def test_temperature_sharpens_and_flattens():
    scores, sizes = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([100, 100])
    assert frame_budget(scores, sizes, 100, temperature=1 / math.log(3)).tolist() == [75, 25]
    assert frame_budget(scores, sizes, 100, temperature=1e-3).tolist() == [100, 0]
    assert frame_budget(scores, sizes, 130, temperature=1e-3).tolist() == [100, 30]
    assert frame_budget(scores, sizes, 100, temperature=1e6).tolist() == [50, 50]


def test_the_literal_floor_on_a_flat_clip():
    """88 equal frames: 750 / 88 = 8.5 and 150 / 88 = 1.7 lose their fractions, and 80 / 88 loses everything."""
    flat = torch.zeros(88, dtype=torch.float64)
    kept = {count: int(frame_budget(flat, FLAT_CLIP, count, rule="literal").sum()) for count in (750, 600, 150, 80)}
    assert kept == {750: 704, 600: 528, 150: 88, 80: 0}
    assert int(frame_budget(flat, FLAT_CLIP, 150).sum()) == 150


def test_literal_budgets_of_nothing_say_so():
    """Silence: every similarity is 0, so 100 frames ask for 0.5 tokens each."""
    prompt = random_prompt(500)
    prompt.embeddings[prompt.is_audio] = 0.0
    with pytest.raises(ValueError, match=r"rounds 50 tokens over 100 frames down to none.*exact"):
        SimilarityPhase(budget_rule="literal").select(prompt, 50)
    assert len(SimilarityPhase().select(prompt, 50)) == 50


def test_more_than_there_is_cannot_be_kept():
    with pytest.raises(ValueError, match="cannot keep 9 of 8 tokens"):
        frame_budget(torch.zeros(2, dtype=torch.float64), torch.tensor([4, 4]), 9)


def test_ties_inside_a_frame_go_to_the_earliest():
    scores = torch.tensor([0.5, 0.5, 0.5, 0.1, 0.5, 0.5], dtype=torch.float64)
    assert best_of_frames(scores, torch.tensor([2, 1]), 3, 3).tolist() == [0, 1, 4]


@pytest.mark.parametrize(
    ("tokens_per_second", "frame_seconds", "frames"), [(25.0, 1.0, 4), (14.93, 1.0, 7), (5.0, 0.04, 100)]
)
def test_frame_length(tokens_per_second, frame_seconds, frames):
    """25, round(14.93) = 15 (DiVA) and at least 1 token: with everything tied, exact budgets show the frames."""
    prompt = random_prompt(100, tokens_per_second=tokens_per_second)
    prompt.embeddings[prompt.is_audio] = 1.0
    kept = SimilarityPhase(frame_seconds=frame_seconds).select(prompt, frames).tolist()
    assert kept == list(range(0, 100, -(-100 // frames)))


@pytest.mark.parametrize("field", ["temperature", "frame_seconds"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_fields_must_be_positive(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, expected a positive number"):
        SimilarityPhase(**{field: value})


def test_unknown_rules_are_refused():
    with pytest.raises((ValueError, TypeError), match="floor"):
        SimilarityPhase(budget_rule="floor")  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeError), match="padded"):
        SimilarityPhase(last_frame="padded")  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeError), match="median"):
        SimilarityPhase(match="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="frame_best is -1, expected a number of tokens, or 0"):
        SimilarityPhase(frame_best=-1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("temperature", [1.0, 0.1])
@pytest.mark.parametrize("last_frame", ["scaled", "literal"])
@pytest.mark.parametrize("rule", ["exact", "literal"])
def test_agrees_with_the_slow_loops(rule, last_frame, temperature, seed):
    prompt = random_prompt(53, seed=seed)
    phase = SimilarityPhase(temperature=temperature, budget_rule=rule, last_frame=last_frame)
    speech, text = prompt.audio.double().tolist(), prompt.question.double().tolist()
    for count in (11, 30, 52, 53):
        expected = reference.first_phase(speech, text, 5, count, temperature, rule, last_frame)
        assert phase.select(prompt, count).tolist() == expected


@st.composite
def budget_cases(draw):
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=12))
    scores = draw(st.lists(st.integers(-60, 60).map(lambda n: n / 8), min_size=len(sizes), max_size=len(sizes)))
    return (
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(sizes),
        draw(st.integers(0, sum(sizes))),
        draw(st.sampled_from([0.01, 0.1, 1.0, 10.0])),
    )


@settings(max_examples=100, deadline=None)
@given(budget_cases())
def test_budgets_are_exact_fair_and_never_below_the_literal_ones(case):
    scores, sizes, count, temperature = case
    budget = frame_budget(scores, sizes, count, temperature)
    assert int(budget.sum()) == count
    assert bool((budget >= 0).all()) and bool((budget <= sizes).all())
    assert bool((budget >= frame_budget(scores, sizes, count, temperature, "literal")).all())
    # a frame that scores higher never gets less, unless it has no more to give
    for i in range(len(sizes)):
        assert all(budget[i] >= budget[j] or budget[i] == sizes[i] for j in range(len(sizes)) if scores[i] > scores[j])


@settings(max_examples=100, deadline=None)
@given(budget_cases())
def test_budgets_agree_with_the_slow_loops(case):
    scores, sizes, count, temperature = case
    for rule in ("exact", "literal"):
        expected = reference.frame_budgets(scores.tolist(), sizes.tolist(), count, temperature, rule)
        assert frame_budget(scores, sizes, count, temperature, rule).tolist() == expected

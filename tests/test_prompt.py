from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speechprune_lib.prompt import WINDOW_TOKENS, FirstAttention, Plan, SpeechPrompt, apply, kept_count


def no_attention() -> FirstAttention:
    raise AssertionError("cutting a prompt needs no weights")


def prompt_with(positions: torch.Tensor) -> SpeechPrompt:
    """Two text tokens, four audio tokens, two text tokens; token i's embedding is (i, i)."""
    return SpeechPrompt(
        embeddings=torch.arange(8.0)[:, None].expand(8, 2).clone(),
        position_ids=positions,
        is_audio=torch.tensor([False, False, True, True, True, True, False, False]),
        question=torch.ones(1, 2),
        tokens_per_second=25.0,
        first_attention=no_attention,
    )


def plan_of(*keep: int, total: int = 4, positions="original") -> Plan:
    return Plan(torch.tensor(keep, dtype=torch.int64), total, positions)


@pytest.mark.parametrize(("rate", "kept"), [(0.0, 750), (0.2, 600), (0.4, 450), (0.6, 300), (0.8, 150), (0.999, 1)])
def test_kept_count_of_the_papers_rates(rate, kept):
    """Table I; int(750 * (1 - 0.8)) would keep 149."""
    assert kept_count(WINDOW_TOKENS, rate) == kept


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20_000), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_kept_count_is_in_range_and_falls_with_the_rate(total, one, other):
    low, high = sorted((one, other))
    assert 1 <= kept_count(total, high) <= kept_count(total, low) <= total
    assert kept_count(total, 0.0) == total


@pytest.mark.parametrize("rate", [-0.01, 1.0, 2.0, float("nan"), float("inf")])
def test_kept_count_refuses_other_rates(rate):
    with pytest.raises(ValueError, match=r"prune_rate is the share removed and must lie in \[0, 1\), got"):
        kept_count(750, rate)


def test_kept_count_refuses_no_tokens():
    with pytest.raises(ValueError, match="at least one audio token"):
        kept_count(0, 0.5)


@pytest.mark.parametrize("keep", [[1, 0], [0, 0, 1], [-1, 2], [2, 4]])
def test_a_plan_is_increasing_and_in_range(keep):
    with pytest.raises(ValueError, match=r"strictly increase within 0..3"):
        plan_of(*keep)


def test_a_plan_keeps_something():
    with pytest.raises(ValueError, match="at least one audio token: lower the prune rate"):
        plan_of()


def test_times_of_a_plan():
    plan = plan_of(0, 1, 2, 5, 7, 30, total=31)
    assert plan.seconds(25.0).tolist() == pytest.approx([0, 0.04, 0.08, 0.2, 0.28, 1.2])
    flat = [edge for span in plan.spans(25.0) for edge in span]
    assert flat == pytest.approx([0, 0.12, 0.2, 0.24, 0.28, 0.32, 1.2, 1.24])


def test_spans_join_over_small_gaps():
    plan = plan_of(0, 1, 2, 5, 7, 30, total=31)  # gaps of 2, 1 and 22 tokens
    assert len(plan.spans(25.0, gap_seconds=0.04)) == 3
    assert plan.spans(25.0, gap_seconds=0.08) == [(0.0, 8 / 25), (30 / 25, 31 / 25)]
    assert plan.spans(25.0, gap_seconds=10.0) == [(0.0, 31 / 25)]


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 60), min_size=1), st.floats(1, 50))
def test_spans_hold_exactly_the_kept_time(keep, rate):
    spans = plan_of(*sorted(keep), total=61).spans(rate)
    assert sum(end - start for start, end in spans) == pytest.approx(len(keep) / rate)
    assert all(end < start for (_, end), (start, _) in pairwise(spans))


def test_a_prompt_with_nan_or_infinity_is_refused():
    prompt = prompt_with(torch.arange(8))
    for bad in (torch.nan, torch.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            replace(prompt, embeddings=prompt.embeddings * bad)


def test_audio_is_the_marked_part():
    prompt = prompt_with(torch.arange(8))
    assert prompt.audio[:, 0].tolist() == [2, 3, 4, 5] and prompt.audio_tokens == 4


def test_apply_cuts_everything_together():
    prompt = prompt_with(torch.arange(8))
    pruned = apply(prompt, plan_of(1, 3))
    assert pruned.embeddings[:, 0].tolist() == [0, 1, 3, 5, 6, 7]
    assert pruned.is_audio.tolist() == [False, False, True, True, False, False]
    assert pruned.position_ids.tolist() == [0, 1, 3, 5, 6, 7]
    assert torch.equal(pruned.question, prompt.question) and pruned.tokens_per_second == 25.0
    assert prompt.audio_tokens == 4, "the prompt itself stays as it was"


def test_renumbered_positions_close_the_gaps():
    prompt = prompt_with(torch.arange(8))
    pruned = apply(prompt, plan_of(1, 3, positions="renumbered"))
    assert pruned.position_ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert pruned.position_ids.dtype == prompt.position_ids.dtype


@pytest.mark.parametrize("positions", ["original", "renumbered"])
def test_keeping_all_changes_nothing(positions):
    prompt = prompt_with(torch.arange(8))
    pruned = apply(prompt, plan_of(0, 1, 2, 3, positions=positions))
    assert torch.equal(pruned.embeddings, prompt.embeddings)
    assert torch.equal(pruned.position_ids, prompt.position_ids)


FRACTIONAL = torch.tensor([0, 1, 2, 2.15, 2.3, 2.45, 3.45, 4.45])
"""Audio at 0.15 a token, text after it one past the last: the mini model's layout."""


def test_fractional_positions():
    prompt = prompt_with(FRACTIONAL)
    kept = apply(prompt, plan_of(0, 3))
    assert kept.position_ids.tolist() == pytest.approx([0, 1, 2, 2.45, 3.45, 4.45])
    renumbered = apply(prompt, plan_of(0, 3, positions="renumbered"))
    assert renumbered.position_ids.tolist() == pytest.approx([0, 1, 2, 2.15, 3.15, 4.15])


@pytest.mark.parametrize("keep", [(0, 3), (1, 2), (0,), (1, 3)])
def test_every_axis_of_two_dimensional_positions_is_cut_and_renumbered(keep):
    """Qwen-Omni's rotary positions have several axes; here one counts, one stands still over the audio."""
    axes = torch.stack([torch.arange(8), torch.tensor([0, 1, 2, 2, 2, 2, 3, 4])])
    prompt = prompt_with(axes)
    original = apply(prompt, plan_of(*keep))
    assert torch.equal(original.position_ids, axes[:, [0, 1, *(2 + k for k in keep), 6, 7]])
    renumbered = apply(prompt, plan_of(*keep, positions="renumbered")).position_ids
    assert renumbered[0].tolist() == list(range(len(keep) + 4))
    assert renumbered[1, : len(keep) + 2].tolist() == [0, 1] + [2] * len(keep)


def test_a_plan_for_another_prompt_is_refused():
    with pytest.raises(ValueError, match="the plan is for 5 audio tokens, the prompt has 4"):
        apply(prompt_with(torch.arange(8)), plan_of(0, total=5))


def test_a_pruned_prompt_can_be_pruned_again():
    once = apply(prompt_with(torch.arange(8)), plan_of(0, 1, 3))
    twice = apply(once, plan_of(0, 2, total=3))
    assert twice.position_ids.tolist() == [0, 1, 2, 5, 6, 7]

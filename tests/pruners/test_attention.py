import math
from dataclasses import replace

import pytest
import torch

from speechprune_lib.prompt import FirstAttention
from speechprune_lib.pruners import attention as attention_module
from speechprune_lib.pruners.attention import (
    AttentionPhase,
    attention_map,
    attention_received,
    attention_rows,
    binary_projections,
)

from . import reference
from .prompts import random_prompt


def plain(query: list, key: list, query_heads: int = 1, key_heads: int = 1) -> FirstAttention:
    return FirstAttention(torch.tensor(query), torch.tensor(key), query_heads, key_heads, lambda x: x)


def test_the_sign_of_zero_is_plus_one():
    queries, keys = binary_projections(torch.tensor([[0.0, -0.0, -3.0]]), plain([[0.0, 2.0, 0.1]], [[-1.0, 1.0, -1.0]]))
    assert (queries.item(), keys.item()) == (1 + 1 - 1, -1 + 1 + 1)


def test_products_of_signs_are_exact_whole_numbers_in_every_precision():
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        prompt = random_prompt(6, dim=3000, head_dim=2, dtype=dtype)
        attention = prompt.first_attention()
        queries, _ = binary_projections(prompt.audio, attention, binarize="raw")
        signs = torch.where(prompt.audio >= 0, 1, -1), torch.where(attention.query_weight >= 0, 1, -1)
        expected = (signs[0] @ signs[1].T).unflatten(1, (4, 2)).transpose(0, 1)
        assert torch.equal(queries, expected.double())


def test_xnor_scales_by_the_mean_sizes_of_the_token_and_of_the_outputs_weights():
    """By hand: signs (+,-) against (+,+) and (-,+) give 0 and -2; the token's mean size is 2, the outputs' 3 and 0.5."""
    queries, _ = binary_projections(
        torch.tensor([[1.0, -3.0]]), plain([[2.0, 4.0], [-0.5, 0.5]], [[1.0, 1.0], [1.0, 1.0]]), "xnor"
    )
    assert queries.flatten().tolist() == [0 * 2 * 3, -2 * 2 * 0.5]


def test_xnor_is_exact_where_all_sizes_are_equal():
    """Then signs times mean sizes is the matrix itself, and the estimate is the layer's real product."""
    signs = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).sign()
    attention = plain((0.3 * signs[:2]).tolist(), (0.7 * signs[2:4]).tolist())
    audio = signs * torch.arange(1.0, 6.0)[:, None]
    queries, keys = binary_projections(audio, attention, "xnor")
    torch.testing.assert_close(queries[0], (audio @ attention.query_weight.T).double())
    torch.testing.assert_close(keys[0], (audio @ attention.key_weight.T).double())


def test_rows_sum_to_one_so_the_mean_of_eq_13_over_axis_1_could_not_rank():
    queries, keys = binary_projections(random_prompt(20).audio, random_prompt(20).first_attention())
    attention = attention_map(queries, keys)
    torch.testing.assert_close(attention.mean(1), torch.full((20,), 1 / 20, dtype=torch.float64))
    torch.testing.assert_close(attention.mean(0), attention_received(queries, keys).exp())


def test_heads_as_one_are_one_softmax_of_the_whole_product():
    queries, keys = binary_projections(random_prompt(9).audio, random_prompt(9).first_attention())
    whole = [x.transpose(0, 1).flatten(1) for x in (queries, keys)]  # 4 heads of 3: d_k = 12
    expected = (whole[0] @ whole[1].T / math.sqrt(12)).softmax(-1)
    torch.testing.assert_close(attention_map(queries, keys, "one"), expected)


def test_shared_key_heads_are_repeated_for_their_query_heads():
    """4 query heads over 2 key heads: 0 and 1 look with key head 0, 2 and 3 with key head 1, as transformers does."""
    prompt = random_prompt(9)
    _, keys = binary_projections(prompt.audio, prompt.first_attention())
    assert keys.shape == (4, 9, 3)
    assert torch.equal(keys[0], keys[1]) and torch.equal(keys[2], keys[3]) and not torch.equal(keys[1], keys[2])


def test_normalized_and_raw_signs_differ_by_the_norms_negative_weights():
    prompt = random_prompt(40)
    attention = prompt.first_attention()
    flipped = replace(attention, normalize=lambda x: -x)
    seen = [binary_projections(prompt.audio, a, binarize="normalized")[0] for a in (attention, flipped)]
    raw = binary_projections(prompt.audio, attention, binarize="raw")[0]
    assert not torch.equal(seen[0], raw) and torch.equal(seen[1], -raw)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("binarize", ["normalized", "raw"])
@pytest.mark.parametrize("heads", ["per-head", "one"])
@pytest.mark.parametrize("scale", ["literal", "xnor"])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_agrees_with_the_slow_loops(key_heads, scale, heads, binarize, seed):
    prompt = random_prompt(17, key_heads=key_heads, seed=seed)
    attention = prompt.first_attention()
    inputs = attention.normalize(prompt.audio) if binarize == "normalized" else prompt.audio
    query, key = attention.query_weight.double().tolist(), attention.key_weight.double().tolist()
    maps = reference.attention_maps(inputs.double().tolist(), query, key, 4, key_heads, scale, heads)
    received = reference.attention_received(maps)

    phase = AttentionPhase(scale=scale, heads=heads, binarize=binarize)
    ours = attention_received(*binary_projections(prompt.audio, attention, scale, binarize), heads)
    torch.testing.assert_close(ours, torch.tensor([float(x.ln()) for x in received], dtype=torch.float64))
    for count in (1, 5, 16):
        assert phase.select(prompt, torch.arange(17), count).tolist() == reference.second_phase(received, count)


def test_the_ranking_survives_where_float32_attention_is_zero():
    """At 1024 dimensions scores differ by about 1024: many tokens receive less than float32's smallest number."""
    prompt = random_prompt(24, dim=1024, head_dim=16, query_heads=1, key_heads=1)
    attention = prompt.first_attention()
    queries, keys = binary_projections(prompt.audio, attention)
    in_float32 = (queries @ keys.mT / 4).float().softmax(-1).mean((0, 1))
    assert int((in_float32 == 0).sum()) >= 8

    inputs = attention.normalize(prompt.audio).double().tolist()
    weights = attention.query_weight.double().tolist(), attention.key_weight.double().tolist()
    received = reference.attention_received(reference.attention_maps(inputs, *weights, 1, 1, "literal", "per-head"))
    for count in range(1, 24):
        ours = AttentionPhase().select(prompt, torch.arange(24), count).tolist()
        assert ours == reference.second_phase(received, count)


@pytest.mark.parametrize("heads", ["per-head", "one"])
def test_chunks_change_nothing(heads, monkeypatch):
    queries, keys = binary_projections(random_prompt(50).audio, random_prompt(50).first_attention())
    whole = attention_received(queries, keys, heads)
    monkeypatch.setattr(attention_module, "CHUNK_SCORES", 4 * 50 * 7)
    sizes = [rows.shape[1] for rows in attention_rows(queries, keys, heads)]
    assert sizes == [7] * 7 + [1]
    torch.testing.assert_close(attention_received(queries, keys, heads), whole)
    monkeypatch.setattr(attention_module, "CHUNK_SCORES", 1)
    torch.testing.assert_close(attention_received(queries, keys, heads), whole)


def test_tokens_of_equal_signs_tie_and_the_earliest_stays():
    prompt = random_prompt(30)
    prompt.embeddings[prompt.is_audio] = prompt.audio[:1] * torch.rand(30, 1)
    assert AttentionPhase().select(prompt, torch.arange(30), 4).tolist() == [0, 1, 2, 3]


def test_survivors_keep_their_indices_and_are_not_ranked_when_all_stay():
    survivors = torch.tensor([3, 8, 20, 21])
    prompt = random_prompt(30)
    assert set(AttentionPhase().select(prompt, survivors, 2).tolist()) < {3, 8, 20, 21}
    for count in (4, 9):
        assert AttentionPhase().select(prompt, survivors, count) is survivors


def test_weights_that_do_not_fit_are_refused():
    audio, eight, six = torch.ones(3, 2), [[1.0, 1.0]] * 8, [[1.0, 1.0]] * 6
    for attention in (
        plain([[1.0] * 3] * 8, [[1.0] * 3] * 8),  # other dimensions than the audio's
        plain(eight, eight, 3, 1),  # 8 outputs are no 3 heads
        plain(six, [[1.0, 1.0]] * 4, 3, 2),  # 2 key heads for 3 query heads
        plain(eight, eight, 4, 2),  # heads of 2 and of 4
    ):
        with pytest.raises(ValueError, match="do not fit audio of 2 dimensions"):
            binary_projections(audio, attention)


def test_a_norm_that_breaks_is_noticed():
    prompt = random_prompt(5)
    broken = replace(prompt.first_attention(), normalize=lambda x: x * torch.nan)
    with pytest.raises(ValueError, match="the first layer's inputs hold NaN"):
        binary_projections(prompt.audio, broken)


def test_unknown_values_are_refused():
    for field, value in (("scale", "fp"), ("heads", "all"), ("binarize", "no")):
        with pytest.raises((ValueError, TypeError), match=value):
            AttentionPhase(**{field: value})

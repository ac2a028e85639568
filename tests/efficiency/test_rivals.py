"""Every rival does what its paper says, on a few tokens, by exhaustive search or by a slow loop."""

from __future__ import annotations

import pytest
import torch
from pruners.prompts import random_prompt

from speechprune_lib.efficiency import rivals
from speechprune_lib.pruners import get_method
from speechprune_lib.pruners.attention import attention_map, binary_projections


def tokens(count: int, dim: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def cosines(audio: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(audio[:, None], audio[None], dim=-1)


def test_plain_speechprune_keeps_what_the_library_keeps_but_for_its_rounding() -> None:
    """With literal budgets both round alike; what differs is single precision and topk's ties."""
    prompt = random_prompt(2000, dim=64, words=5, tokens_per_second=25.0, head_dim=16)
    literal = get_method("speechprune", budget_rule="literal").plan(prompt, 0.6).keep.tolist()
    plain = rivals.plain_speechprune(prompt.audio, prompt.question, prompt.first_attention(), 300).tolist()
    assert len(set(plain) & set(literal)) >= 0.97 * 300


def test_fastv_ranks_by_the_causal_map() -> None:
    prompt = random_prompt(30, dim=16, head_dim=4)
    first, inputs = prompt.first_attention(), prompt.first_attention().normalize(prompt.audio)
    received = torch.zeros(30, dtype=torch.float64)
    for head in range(4):
        query = inputs @ first.query_weight[4 * head : 4 * head + 4].T
        key = inputs @ first.key_weight[4 * (head // 2) : 4 * (head // 2) + 4].T
        for i in range(30):
            row = (query[i] @ key[: i + 1].T / 2).double().softmax(0)
            received[: i + 1] += row
    assert rivals.fastv(prompt.audio, first, 7).tolist() == sorted(received.topk(7).indices.tolist())


def test_tome_merges_the_most_similar_pair_into_its_mean() -> None:
    audio = tokens(8)
    audio[5] = audio[2] + 1e-3  # 2 is even and 5 odd: they are the best pair
    places, merged = rivals.tome(audio, 7)
    assert places.tolist() == [0, 1, 3, 4, 5, 6, 7]
    torch.testing.assert_close(merged[4], (audio[2] + audio[5]) / 2)
    torch.testing.assert_close(merged[0], audio[0])


@pytest.mark.parametrize("keep", [1, 3, 20, 41])
def test_tome_merges_in_rounds_and_loses_no_weight(keep: int) -> None:
    """A mean weighted by sizes keeps the sum; of equal tokens, all become that token."""
    places, merged = rivals.tome(torch.ones(41, 3), keep)
    assert len(places) == keep and torch.equal(places, places.sort().values)
    torch.testing.assert_close(merged, torch.ones(keep, 3))


def test_divprune_grows_by_the_token_furthest_from_the_chosen() -> None:
    audio = tokens(12)
    distance = 1 - cosines(audio).double()
    chosen = [max(range(12), key=lambda i: min(distance[i, j] for j in range(12) if j != i))]
    while len(chosen) < 5:
        rest = [i for i in range(12) if i not in chosen]
        chosen.append(max(rest, key=lambda i: min(distance[i, j] for j in chosen)))
    assert rivals.divprune(audio, 5).tolist() == sorted(chosen)
    assert rivals.divprune(torch.ones(6, 3), 4).unique().numel() == 4


def test_cdpruner_is_greedy_in_the_determinant() -> None:
    """By the definition: each step takes the token that makes the kernel's determinant largest."""
    audio, question = tokens(10, dim=12), tokens(3, dim=12, seed=1)
    similarity = torch.nn.functional.cosine_similarity(audio[:, None], question[None], dim=-1).mean(1)
    relevance = (similarity - similarity.min()) / (similarity.max() - similarity.min()) + 1e-3
    kernel = (relevance[:, None] * cosines(audio) * relevance).double()
    chosen: list[int] = []
    for _ in range(4):
        rest = [i for i in range(10) if i not in chosen]
        chosen.append(max(rest, key=lambda i: float(torch.det(kernel[[*chosen, i]][:, [*chosen, i]]))))
    assert rivals.cdpruner(audio, question, 4).tolist() == sorted(chosen)


def test_the_plain_map_is_the_library_s() -> None:
    prompt = random_prompt(12, dim=32, head_dim=4)
    first = prompt.first_attention()
    inputs = rivals._sign(first.normalize(prompt.audio))
    query, key = inputs @ rivals._sign(first.query_weight).T, inputs @ rivals._sign(first.key_weight).T
    expected = attention_map(*binary_projections(prompt.audio, first))
    torch.testing.assert_close(rivals._attention_map(query, key, first).mean(0).double(), expected, atol=1e-5, rtol=0)

"""SpeechPrune as one reads Eqs. 4-13, in double precision: what the library's fast code must agree with.

Unlike `reference.py`, whose loops take minutes at a model's real size, this is matrices, and nothing is saved: F of all
tokens and words, budgets by the loop, the whole N x N map of every head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from speechprune_lib.prompt import SpeechPrompt

DECIMALS = 9


def plan(prompt: SpeechPrompt, budget: int, count: int) -> list[int]:
    survivors = first_phase(prompt, budget)
    received = received_in(prompt, survivors)
    return survivors[best_first(received)[:count].sort().values].tolist()


def first_phase(prompt: SpeechPrompt, keep: int) -> Tensor:
    tokens = torch.nn.functional.normalize(prompt.audio.double(), dim=1)
    words = torch.nn.functional.normalize(prompt.question.double(), dim=1)
    similarity = (tokens @ words.T).mean(1)  # mean(F, axis=1)
    frames = similarity.split(round(prompt.tokens_per_second))
    sums = torch.stack([frame.mean() * len(frames[0]) for frame in frames])
    budgets = shared_out(sums, torch.tensor([len(frame) for frame in frames]), keep)
    kept, start = [], 0
    for frame, budget in zip(frames, budgets.tolist(), strict=True):
        kept.append(start + best_first(frame)[:budget])
        start += len(frame)
    return torch.cat(kept).sort().values


def shared_out(sums: Tensor, sizes: Tensor, keep: int) -> Tensor:
    full = torch.zeros(len(sums), dtype=torch.bool)
    while True:
        p = sums.masked_fill(full, -math.inf).softmax(0).nan_to_num(0.0)
        shares = ((keep - int(sizes[full].sum())) * p).round(decimals=DECIMALS)
        over = ~full & (shares >= sizes)
        if not over.any():
            break
        full |= over
    budgets = torch.where(full, sizes, shares.floor().long())
    left = best_first((shares - shares.floor()).masked_fill(full, -1))[: keep - int(budgets.sum())]
    budgets[left] += 1
    return budgets


def received_in(prompt: SpeechPrompt, survivors: Tensor) -> Tensor:
    """log mean(A) over queries and heads, A of the signs in the first layer."""
    first = prompt.first_attention()
    inputs, heads = sign(first.normalize(prompt.audio[survivors])), first.query_heads
    query, key = inputs @ sign(first.query_weight).T, inputs @ sign(first.key_weight).T
    query, key = (x.unflatten(1, (-1, len(first.query_weight) // heads)).transpose(0, 1) for x in (query, key))
    key = key.repeat_interleave(heads // first.key_heads, 0)
    attention = (query @ key.mT / math.sqrt(query.shape[2])).log_softmax(-1)
    return attention.logsumexp((0, 1)) - math.log(heads * len(survivors))


def sign(x: Tensor) -> Tensor:
    return torch.where(x >= 0, 1.0, -1.0).double()


def best_first(scores: Tensor) -> Tensor:
    return scores.round(decimals=DECIMALS).sort(descending=True, stable=True).indices

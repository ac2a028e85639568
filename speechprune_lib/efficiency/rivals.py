"""What other ways to choose tokens cost, each from its published formula, on the embeddings that pruners see.

For the benchmark alone: their answers are not compared here (a method in use is a `Pruner`). All take audio tokens
(audio, dim) and return the increasing indices of `keep` of them.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from ..prompt import WINDOW_TOKENS, FirstAttention

Audio = Float[Tensor, "audio dim"]
Words = Float[Tensor, "words dim"]
Kept = Int[Tensor, " kept"]


def plain_speechprune(audio: Audio, question: Words, attention: FirstAttention, keep: int, frame: int = 25) -> Kept:
    """Eqs. 4-13 as printed, in single precision: F of all words, float products of signs, every head's whole map.

    Only what cannot be taken literally is not: budgets are cut at a frame's size, and the mean of Eq. 13 is over
    queries.
    """
    similarity = (normalize(audio.float(), dim=1) @ normalize(question.float(), dim=1).T).mean(1)
    frames = torch.stack([part.sum() for part in similarity.split(frame)])
    budgets = (WINDOW_TOKENS * frames.softmax(0)).floor().long().clamp(max=frame)
    parts = zip(similarity.split(frame), budgets.tolist(), strict=True)
    kept = [i * frame + part.topk(min(budget, len(part))).indices for i, (part, budget) in enumerate(parts)]
    survivors = torch.cat(kept).sort().values
    inputs = _sign(attention.normalize(audio[survivors]))
    query, key = inputs @ _sign(attention.query_weight).T, inputs @ _sign(attention.key_weight).T
    received = _attention_map(query, key, attention).mean((0, 1))
    return survivors[received.topk(min(keep, len(survivors))).indices].sort().values


def fastv(audio: Audio, attention: FirstAttention, keep: int) -> Kept:
    """FastV (arXiv 2403.06764): the attention that tokens receive in a layer, by its whole causal map.

    Of the first layer, whose inputs are here, and without its rotary positions; FastV takes the second layer's, and so
    pays for the first one of all tokens as well.
    """
    inputs = attention.normalize(audio)
    query, key = inputs @ attention.query_weight.detach().T, inputs @ attention.key_weight.detach().T
    return _attention_map(query, key, attention, causal=True).mean((0, 1)).topk(keep).indices.sort().values


def tome(audio: Audio, keep: int) -> tuple[Kept, Float[Tensor, "kept dim"]]:
    """Token Merging (arXiv 2210.09461): every other token looks for its most similar among the rest; the best merge.

    Bipartite, by cosine, a mean weighted by how many tokens each stands for; a round removes at most half, so it takes
    several. Returns the survivors and what they became.
    """
    tokens, sizes = audio.clone(), torch.ones(len(audio), 1, device=audio.device, dtype=audio.dtype)
    places = torch.arange(len(audio), device=audio.device)
    while len(tokens) > keep:
        unit = normalize(tokens, dim=1)
        best, partner = (unit[::2] @ unit[1::2].T).max(1)
        merged = best.topk(min(len(tokens) - keep, len(best))).indices
        weighted = tokens * sizes
        goes, to = 2 * merged, 2 * partner[merged] + 1
        weighted = weighted.index_add(0, to, weighted[goes])
        sizes = sizes.index_add(0, to, sizes[goes])
        stays = torch.ones(len(tokens), dtype=torch.bool, device=audio.device)
        stays[goes] = False
        tokens, sizes, places = (weighted / sizes)[stays], sizes[stays], places[stays]
    return places, tokens


def divprune(audio: Audio, keep: int) -> Kept:
    """DivPrune (arXiv 2503.02175): the subset whose closest pair is furthest apart, greedily, by cosine distance."""
    unit = normalize(audio, dim=1)
    distance = 1 - unit @ unit.T
    distance.fill_diagonal_(math.inf)
    chosen = torch.empty(keep, dtype=torch.long, device=audio.device)
    chosen[0] = distance.amin(1).argmax()
    distance.fill_diagonal_(0.0)
    nearest = distance[chosen[0]].clone()
    for step in range(1, keep):
        nearest[chosen[step - 1]] = -1.0  # never again, also among tokens that are all alike
        chosen[step] = nearest.argmax()
        nearest = torch.minimum(nearest, distance[chosen[step]])
    return chosen.sort().values


def cdpruner(audio: Audio, question: Words, keep: int) -> Kept:
    """CDPruner (arXiv 2506.10967): a determinantal point process conditioned on the question's relevance.

    Kernel r_i cos(i, j) r_j with r the similarity to the question scaled to 0..1; its most likely subset greedily, by
    the fast update of Chen et al. (arXiv 1709.05135).
    """
    unit = normalize(audio, dim=1)
    relevance = (unit @ normalize(question, dim=1).T).mean(1)
    relevance = (relevance - relevance.amin()) / (relevance.amax() - relevance.amin()).clamp(min=1e-9) + 1e-3
    kernel = relevance[:, None] * (unit @ unit.T) * relevance
    gain, rows = kernel.diagonal().clone(), torch.zeros(keep, len(audio), device=audio.device, dtype=audio.dtype)
    chosen = torch.empty(keep, dtype=torch.long, device=audio.device)
    for step in range(keep):
        best = gain.argmax()
        chosen[step] = best
        rows[step] = (kernel[best] - rows[:step, best] @ rows[:step]) / gain[best].clamp(min=1e-12).sqrt()
        gain = gain - rows[step] ** 2
        gain[best] = -math.inf
    return chosen.sort().values


def _attention_map(
    query: Float[Tensor, "audio query_out"],
    key: Float[Tensor, "audio key_out"],
    attention: FirstAttention,
    causal: bool = False,
) -> Float[Tensor, "heads audio audio"]:
    queries = query.unflatten(1, (attention.query_heads, -1)).transpose(0, 1)
    keys = key.unflatten(1, (attention.key_heads, -1)).transpose(0, 1)
    keys = keys.repeat_interleave(attention.query_heads // attention.key_heads, 0)
    scores = queries @ keys.mT / math.sqrt(queries.shape[2])
    if causal:
        after = torch.ones(len(query), len(query), dtype=torch.bool, device=query.device).triu(1)
        scores = scores.masked_fill(after, -math.inf)
    return scores.softmax(-1)


def _sign(tensor: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """In single precision, whatever the tensor's: half of it could not hold the products."""
    return torch.where(tensor.detach() >= 0, 1.0, -1.0)

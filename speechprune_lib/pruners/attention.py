"""SpeechPrune's phase 2 (arXiv 2412.12009, Eqs. 10-13): what the audio itself attends to, estimated from signs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from ..prompt import FirstAttention, SpeechPrompt, signs
from . import fast_attention
from .base import as_float64, check_choice, check_finite, on_host, top_k

Scale = Literal["literal", "xnor"]
Heads = Literal["per-head", "one"]
Binarize = Literal["normalized", "raw"]
Attention = Literal["binarized", "true"]

CHUNK_SCORES = 2**23
"""Attention scores held at a time (64 MiB)."""


@dataclass(frozen=True)
class AttentionPhase:
    """Phase 2, Eqs. 10-13: the tokens that receive most attention in the LLM's first layer, estimated from signs.

    `binarize`: take the signs of what that layer sees ("normalized"), or of the embeddings themselves ("raw", Eq. 10
    to the letter); they differ where the layer's norm has negative weights or a bias. `scale`: see
    `binary_projections`. `heads`: see `attention_rows`. `attention` "true" takes the layer's own queries and keys in
    place of their estimate, biases and rotary positions included; of Eqs. 12 and 13 all else stays, so that every token
    still looks at all others, and not at earlier ones alone as in the layer.
    """

    scale: Scale = "literal"
    heads: Heads = "per-head"
    binarize: Binarize = "normalized"
    attention: Attention = "binarized"

    def __post_init__(self) -> None:
        check_choice("attention", self.attention, Attention)
        check_choice("scale", self.scale, Scale)
        check_choice("heads", self.heads, Heads)
        check_choice("binarize", self.binarize, Binarize)

    def select(self, prompt: SpeechPrompt, survivors: Int[Tensor, " survivors"], count: int) -> Int[Tensor, " kept"]:
        """The `count` of the `survivors` that receive most attention from all of them; all if there are fewer."""
        if count >= len(survivors):
            return survivors
        survivors = survivors.to(prompt.embeddings.device)
        audio, attention = prompt.audio[survivors], prompt.first_attention()
        if self.attention == "true":
            queries, keys = _true(audio, prompt.position_ids[..., prompt.is_audio][..., survivors], attention)
        else:
            queries, keys = _projections(audio, attention, self.scale, self.binarize)
        return survivors[top_k(self._received(queries, keys), count)]

    def _received(
        self, queries: Float[Tensor, "heads audio head_dim"], keys: Float[Tensor, "heads audio head_dim"]
    ) -> Float64[Tensor, " audio"]:
        """`attention_received`; on a CPU by the few scores that matter."""
        if not on_host(queries):
            return attention_received(as_float64(queries), as_float64(keys), self.heads)
        if self.heads == "one":
            queries, keys = (x.transpose(0, 1).flatten(1)[None] for x in (queries, keys))
        return fast_attention.attention_received(queries, keys, queries.shape[2])


def binary_projections(
    audio: Float[Tensor, "audio dim"],
    attention: FirstAttention,
    scale: Scale = "literal",
    binarize: Binarize = "normalized",
) -> tuple[Float64[Tensor, "heads audio head_dim"], Float64[Tensor, "heads audio head_dim"]]:
    """Q' and K' of Eqs. 10 and 11 by query head; a key head shared by several query heads is repeated for each.

    "literal" multiplies signs: every entry is a whole number between -dim and dim, exact. "xnor", unlike Eq. 11,
    scales the entry of token i and output o by the mean over dims of |S[i, :]| and of |W[o, :]|, XNOR-Net's estimate
    of the real product; S is what was binarized. The sign of 0 is +1. Biases and rotary positions are left out, as in
    the paper. Raises ValueError for weights of other shapes than the audio and the heads call for.
    """
    queries, keys = _projections(audio, attention, scale, binarize)
    return as_float64(queries), as_float64(keys)


def attention_rows(
    queries: Float64[Tensor, "heads audio head_dim"],
    keys: Float64[Tensor, "heads audio head_dim"],
    heads: Heads = "per-head",
) -> Iterator[Float64[Tensor, "maps rows audio"]]:
    """log A of Eq. 12, some queries at a time, so that no whole N x N map is ever held.

    "per-head": one map a head, d_k = head_dim, as the layer itself does. "one": the heads side by side as one matrix,
    one map, d_k = heads * head_dim (with shared key heads: after their repetition).
    """
    count, tokens, size = keys.shape
    d_k = size if heads == "per-head" else count * size
    for chunk in torch.split(queries, max(1, CHUNK_SCORES // (count * tokens)), dim=1):
        products = chunk @ keys.mT
        if heads == "one":
            products = products.sum(0, keepdim=True)
        yield (products / math.sqrt(d_k)).log_softmax(-1)


def attention_received(
    queries: Float64[Tensor, "heads audio head_dim"],
    keys: Float64[Tensor, "heads audio head_dim"],
    heads: Heads = "per-head",
) -> Float64[Tensor, " audio"]:
    """Logarithm of the mean attention that each token receives, over all queries and maps: what phase 2 ranks by.

    Unlike Eq. 13, whose mean over axis 1 of a softmax over that axis is the constant 1/N, the mean is over queries.
    Kept as a logarithm because the binary products spread over hundreds or thousands: each query's softmax is all but
    one-hot, in float32 half of the means are exactly 0, and top-k would pick among those by index, which is by time.
    In the logarithm what still ties are tokens of equal signs and tokens with the same whole number of queries' votes.
    """
    parts = [rows.logsumexp((0, 1)) for rows in attention_rows(queries, keys, heads)]
    maps = len(queries) if heads == "per-head" else 1
    return torch.stack(parts).logsumexp(0) - math.log(maps * queries.shape[1])


def attention_map(
    queries: Float64[Tensor, "heads audio head_dim"],
    keys: Float64[Tensor, "heads audio head_dim"],
    heads: Heads = "per-head",
) -> Float64[Tensor, "audio audio"]:
    """A of Eq. 12 as a whole (query, key), averaged over heads: for looking at; O(N^2) memory."""
    return torch.cat([rows.exp().mean(0) for rows in attention_rows(queries, keys, heads)])


def _projections(
    audio: Float[Tensor, "audio dim"], attention: FirstAttention, scale: Scale, binarize: Binarize
) -> tuple[Float[Tensor, "heads audio head_dim"], Float[Tensor, "heads audio head_dim"]]:
    """As `binary_projections`; whole numbers ("literal") in single precision, which holds them exactly."""
    _check_shapes(audio, attention)
    inputs = attention.normalize(audio) if binarize == "normalized" else audio
    check_finite("the first layer's inputs", inputs)
    products = [fast_attention.sign_product(signs(inputs), of_weight) for of_weight in attention.signs]
    if scale == "xnor":
        sizes = as_float64(inputs).abs().mean(1, keepdim=True)
        weights = (attention.query_weight, attention.key_weight)
        products = [as_float64(p) * sizes * as_float64(w).abs().mean(1) for p, w in zip(products, weights, strict=True)]
    queries = products[0].unflatten(1, (attention.query_heads, -1)).transpose(0, 1)
    keys = products[1].unflatten(1, (attention.key_heads, -1)).transpose(0, 1)
    shared = keys[:, None].expand(-1, attention.query_heads // attention.key_heads, -1, -1)
    return queries, shared.flatten(0, 1)


def _true(
    audio: Float[Tensor, "audio dim"], positions: Tensor, attention: FirstAttention
) -> tuple[Float64[Tensor, "heads audio head_dim"], Float64[Tensor, "heads audio head_dim"]]:
    """What the first layer multiplies, in double precision."""
    if attention.project is None:
        raise ValueError("this model's first layer is of an unknown make: use attention='binarized'")
    queries, keys = attention.project(audio, positions)
    check_finite("the first layer's queries", queries)
    return as_float64(queries), as_float64(keys)


def _check_shapes(audio: Float[Tensor, "audio dim"], attention: FirstAttention) -> None:
    dims = {audio.shape[1], attention.query_weight.shape[1], attention.key_weight.shape[1]}
    query_size, query_rest = divmod(attention.query_weight.shape[0], attention.query_heads)
    key_size, key_rest = divmod(attention.key_weight.shape[0], attention.key_heads)
    uneven = query_rest or key_rest or attention.query_heads % attention.key_heads
    if len(dims) > 1 or uneven or query_size != key_size:
        raise ValueError(
            f"query weight {tuple(attention.query_weight.shape)} with {attention.query_heads} heads and key weight "
            f"{tuple(attention.key_weight.shape)} with {attention.key_heads} heads do not fit audio of "
            f"{audio.shape[1]} dimensions: expected (heads * head_dim, dimensions), key heads dividing query heads"
        )

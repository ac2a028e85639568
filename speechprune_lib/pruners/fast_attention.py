"""Phase 2 near the machine's limit: `attention.py`'s numbers, from int8 products and without the N x N map.

Products of signs are whole numbers, so int8 arithmetic is exact. And since Q'K'^T spreads over thousands, all but a few
entries of a row's softmax are far below what double precision tells from nothing: only those near the largest of their
column are ever exponentiated.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float, Float32, Float64, Int8, Int32
from torch import Tensor

REACH = 64.0
"""Entries more than e^-64 below the largest of their column change no sum: 90,000^2 of them make 1e-18 of it."""
CHUNK_SCORES = 2**20
"""Scores held at a time: 4 MiB in single precision, about a core's cache."""
SMALLEST_ROWS = 16
"""CUDA's int8 product takes more rows than these, and sizes that are multiples of 8."""
EXACT_FLOAT32 = 2**23
"""Below this, whole numbers and their differences are exact in single precision."""


def sign_product(rows: Int8[Tensor, "rows dim"], weight: Int8[Tensor, "out dim"]) -> Float32[Tensor, "rows out"]:
    """rows @ weight.T of signs, exact: in int8 where the device has it and gets it right, else in single precision."""
    if multiplies_int8(rows.device) and len(rows) > SMALLEST_ROWS and not any(n % 8 for n in weight.shape):
        return int8_product(rows, weight).float()
    return rows.float() @ weight.float().T


def int8_product(rows: Int8[Tensor, "rows dim"], weight: Int8[Tensor, "out dim"]) -> Int32[Tensor, "rows out"]:
    """rows @ weight.T. Raises RuntimeError where the device cannot."""
    return torch._int_mm(rows, weight.T)  # pyright: ignore[reportPrivateImportUsage, reportPrivateUsage]


@cache
def multiplies_int8(device: torch.device) -> bool:
    """Tried once a device: `int8_product` is there, and right at the extremes."""
    if device.type not in ("cpu", "cuda"):
        return False
    one = torch.ones(32, 64, dtype=torch.int8, device=device)
    try:
        return bool((int8_product(one, -one) == -64).all())
    except (AttributeError, RuntimeError):  # NotImplementedError is a RuntimeError
        return False


def attention_received(
    queries: Float[Tensor, "maps audio size"], keys: Float[Tensor, "maps audio size"], d_k: int
) -> Float64[Tensor, " audio"]:
    """As `attention.attention_received`, on a CPU: the logarithm of the mean attention that each token receives.

    Some queries of one map at a time; of every chunk only the column's largest and its near entries are kept.
    """
    scale = 1 / math.sqrt(d_k)
    single = largest_score(queries, keys) < EXACT_FLOAT32
    top = torch.full((keys.shape[1],), -math.inf, dtype=torch.float64)
    total = torch.zeros_like(top)
    for query, key in zip(queries, keys, strict=True):
        if not single:
            query, key = query.double(), key.double()
        for rows in query.split(max(1, CHUNK_SCORES // len(key))):
            top, total = _add(rows @ key.T, scale, top, total)
    return top + total.log() - math.log(len(queries) * queries.shape[1])


def largest_score(queries: Float[Tensor, "maps audio size"], keys: Float[Tensor, "maps audio size"]) -> float:
    """A bound on every partial sum of every score (Cauchy-Schwarz); infinite for numbers that are not whole."""
    if queries.dtype != torch.float32:
        return math.inf
    norms = [torch.linalg.vector_norm(x, dim=-1).amax() for x in (queries, keys)]
    return float(norms[0] * norms[1])


def _add(
    scores: Float[Tensor, "rows audio"], scale: float, top: Float64[Tensor, " audio"], total: Float64[Tensor, " audio"]
) -> tuple[Float64[Tensor, " audio"], Float64[Tensor, " audio"]]:
    """The columns' sums of softmax rows, as `total` times e^`top`, with these rows added. Overwrites the scores.

    A row's own largest stands at 0 after the subtraction, so it is near its column's largest and counts in the row's
    sum, with all that is within `REACH` of it.
    """
    scores -= scores.amax(1, keepdim=True)
    highest = torch.maximum(top, scale * scores.amax(0).double())
    floor = ((highest - REACH) / scale).to(scores.dtype)
    places = torch.from_numpy((scores > floor).flatten().numpy().nonzero()[0])
    rows, columns = places // scores.shape[1], places % scores.shape[1]
    near = scale * scores.flatten()[places].double()
    of_row = torch.zeros(len(scores), dtype=torch.float64).index_add_(0, rows, near.exp())
    shares = (near - highest[columns]).exp() / of_row[rows]
    return highest, (total * (top - highest).exp()).index_add_(0, columns, shares)

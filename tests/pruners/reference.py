"""Eqs. 4-13 as slow loops over Python numbers, to compare the library with; nothing here is imported from it.

Two scores that agree to nine decimals tie, and of tied tokens the earlier is better.
"""

import math
from decimal import Decimal

Vector = list[float]
Matrix = list[Vector]


def mean_similarities(speech: Matrix, text: Matrix) -> Vector:
    """Eq. 4's F, and mean(F, axis=1)."""
    return [sum(cosine(s, t) for t in text) / len(text) for s in speech]


def cosine(a: Vector, b: Vector) -> float:
    norms = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def frames_of(tokens: int, f: int) -> list[range]:
    return [range(start, min(start + f, tokens)) for start in range(0, tokens, f)]


def frame_sums(similarities: Vector, f: int, last_frame: str) -> Vector:
    """Eq. 5; a short last frame's sum stands for f tokens if "scaled"."""
    sums = []
    for frame in frames_of(len(similarities), f):
        total = sum(similarities[j] for j in frame)
        sums.append(total / len(frame) * f if last_frame == "scaled" else total)
    return sums


def softmax(scores: Vector) -> Vector:
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def frame_budgets(sums: Vector, sizes: list[int], keep: int, temperature: float, rule: str) -> list[int]:
    """Eqs. 6 and 7, and the exact rule: full frames leave the softmax until nobody overflows."""
    sums = [score / temperature for score in sums]
    if rule == "literal":
        return [min(math.floor(round(keep * p, 9)), size) for p, size in zip(softmax(sums), sizes, strict=True)]
    budgets = [0] * len(sums)
    open_frames = list(range(len(sums)))
    while open_frames:
        left = keep - sum(budgets)
        shares = {i: left * p for i, p in zip(open_frames, softmax([sums[i] for i in open_frames]), strict=True)}
        full = [i for i in open_frames if round(shares[i], 9) >= sizes[i]]
        if not full:
            return largest_remainder(budgets, shares, keep)
        for i in full:
            budgets[i] = sizes[i]
            open_frames.remove(i)
    return budgets


def largest_remainder(budgets: list[int], shares: dict[int, float], keep: int) -> list[int]:
    for i, share in shares.items():
        budgets[i] = math.floor(round(share, 9))
    by_remainder = sorted(shares, key=lambda i: (-round(shares[i] - budgets[i], 9), i))
    for i in by_remainder[: keep - sum(budgets)]:
        budgets[i] += 1
    return budgets


def first_phase(
    speech: Matrix, text: Matrix, f: int, keep: int, temperature: float, rule: str, last_frame: str
) -> list[int]:
    """Eqs. 4-9."""
    if keep >= len(speech):
        return list(range(len(speech)))
    similarities = mean_similarities(speech, text)
    frames = frames_of(len(speech), f)
    sums = frame_sums(similarities, f, last_frame)
    budgets = frame_budgets(sums, [len(frame) for frame in frames], keep, temperature, rule)
    kept = []
    for frame, budget in zip(frames, budgets, strict=True):
        kept += sorted(frame, key=lambda j: (-round(similarities[j], 9), j))[:budget]
    return sorted(kept)


def rms_norm(speech: Matrix, weight: Vector) -> Matrix:
    normed = []
    for row in speech:
        rms = math.sqrt(sum(x * x for x in row) / len(row) + 1e-6)
        normed.append([x / rms * w for x, w in zip(row, weight, strict=True)])
    return normed


def sign(x: float) -> int:
    return 1 if x >= 0 else -1


def mean_abs(row: Vector) -> float:
    return sum(abs(x) for x in row) / len(row)


def binary_product(speech: Matrix, weight: Matrix, scale: str) -> Matrix:
    """Eqs. 10 and 11; `weight` row by row, one row an output."""
    product = []
    for s in speech:
        row: Vector = []
        for w in weight:
            entry = sum(sign(x) * sign(y) for x, y in zip(s, w, strict=True))
            row.append(entry * mean_abs(s) * mean_abs(w) if scale == "xnor" else entry)
        product.append(row)
    return product


def attention_maps(
    speech: Matrix, query: Matrix, key: Matrix, query_heads: int, key_heads: int, scale: str, heads: str
) -> list[list[list[Decimal]]]:
    """Eq. 12, one map a head or one for all; Decimal, because as floats most entries would be 0."""
    q, k = binary_product(speech, query, scale), binary_product(speech, key, scale)
    size = len(query) // query_heads
    per_head = []
    for head in range(query_heads):
        shared = head * key_heads // query_heads
        columns = [(head * size + c, shared * size + c) for c in range(size)]
        per_head.append([[sum(qi[a] * kj[b] for a, b in columns) for kj in k] for qi in q])
    if heads == "one":
        per_head = [[[sum(m[i][j] for m in per_head) for j in range(len(k))] for i in range(len(q))]]
    d_k = Decimal(size if heads == "per-head" else size * query_heads)
    return [[decimal_softmax([Decimal(x) / d_k.sqrt() for x in row]) for row in scores] for scores in per_head]


def decimal_softmax(scores: list[Decimal]) -> list[Decimal]:
    powers = [score.exp() for score in scores]
    return [power / sum(powers) for power in powers]


def attention_received(maps: list[list[list[Decimal]]]) -> list[Decimal]:
    """Eq. 13's mean, over queries instead of keys, and over heads."""
    rows = [row for attention in maps for row in attention]
    return [sum(row[j] for row in rows) / len(rows) for j in range(len(rows[0]))]


def second_phase(received: list[Decimal], keep: int) -> list[int]:
    """Eq. 13's top-k."""
    return sorted(sorted(range(len(received)), key=lambda j: (-round(float(received[j].ln()), 9), j))[:keep])

"""How fast SpeechPrune could be: its bytes and operations over what the machine was measured to do at best."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..prompt import WINDOW_TOKENS
from ..pruners.fast_attention import int8_product, multiplies_int8
from .records import Measured, Measurement
from .shapes import DecoderShape
from .timing import measure_seconds

SCORE_BYTES = 4
"""Of a score in single precision."""
READ, INT8, FLOAT = "bytes read", "int8 operations", "float operations"


def measure_ceilings(
    device: torch.device, dtype: torch.dtype, size: int = 4096, rounds: int = 5
) -> Iterator[Measurement]:
    """The machine's best at three kinds of work: a sum over 8 size^2 numbers, products of (size / 2, size, size)."""
    numbers = torch.ones(8, size, size, device=device, dtype=dtype)
    one = numbers[0]
    half = one[: size // 2]
    small = torch.ones(size, size, dtype=torch.int8, device=device)
    operations = 2.0 * half.numel() * size
    work = {READ: float(numbers.numel() * numbers.element_size()), FLOAT: operations}
    calls = {READ: lambda: torch.aminmax(numbers), FLOAT: lambda: half @ one}
    if multiplies_int8(device):
        work[INT8] = operations
        calls[INT8] = lambda: int8_product(small[: size // 2], small)
    for name, seconds in measure_seconds(calls, device, rounds, warm_up=2).items():
        yield Measurement(stage="ceiling", method=name, audio_tokens=0, seconds=seconds, work=work[name])


def ceilings(run: Measured) -> dict[str, float]:
    """Work a second, by kind; the float ceiling stands in for int8 where the machine has none."""
    best = {r.method: r.work / min(r.seconds.rounds) for r in run.rows if r.stage == "ceiling" and r.work is not None}
    missing = {READ, FLOAT} - best.keys()
    if missing:
        raise ValueError(f"no ceiling was measured for {', '.join(sorted(missing))}: run `make bench` again")
    return {INT8: best[FLOAT]} | best


def floor_seconds(
    decoder: DecoderShape,
    tokens: int,
    best: dict[str, float],
    survivors: int = WINDOW_TOKENS,
    embedding_bytes: int = 4,
) -> dict[str, float]:
    """Seconds that each part would take at the ceilings, nothing overlapped.

    Phase 1 reads every token once. Phase 2 reads the weights' signs and multiplies, then multiplies queries by keys;
    the scores, in a cache or not, are written and read once.
    """
    width = (decoder.heads + decoder.key_heads) * decoder.head_dim
    projections = 2 * survivors * decoder.hidden * width / best[INT8] + decoder.hidden * width / best[READ]
    products = 2 * survivors**2 * decoder.heads * decoder.head_dim / best[FLOAT]
    passes = 2 * SCORE_BYTES * survivors**2 * decoder.heads / best[READ]
    return {
        "phase 1": embedding_bytes * tokens * decoder.hidden / best[READ],
        "projections": projections,
        "scores": products + passes,
    }

"""Counted costs as tables: Table I beside its recomputation, what it leaves out, and how cost grows with the audio."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false
from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..audio import SAMPLE_RATE_HZ, WINDOW_SECONDS, WINDOW_TOKENS, audio_tokens
from ..paper import CLIP_SECONDS, TABLE_1_COST, TABLE_1_RATES, TEN_MINUTES_TOKENS
from ..prompt import kept_count
from .counting import QUESTION_WORDS, count_answer, count_encoder, count_projector, count_pruner
from .shapes import QWEN2_AUDIO_SHAPE, ModelShape
from .table1 import TABLE_1_TEXT_TOKENS, count_calflops, count_table1

CLIP_TOKENS = audio_tokens(round(CLIP_SECONDS * SAMPLE_RATE_HZ))
REAL_LENGTHS = (*(kept_count(WINDOW_TOKENS, row.rate or 0.0) for row in TABLE_1_COST), CLIP_TOKENS, TEN_MINUTES_TOKENS)
"""Audio tokens of Table I's prompts, of a whole clip, and of the paper's ten minutes."""


def checked_lengths(lengths: Iterable[int]) -> tuple[int, ...]:
    """Audio tokens, each once, rising. Raises ValueError for none, and for lengths that are not positive."""
    chosen = tuple(sorted(set(lengths)))
    if not chosen or chosen[0] < 1:
        raise ValueError(f"lengths are {list(chosen)}, expected audio tokens, each at least 1, such as 150,750")
    return chosen


def table1_comparison() -> pd.DataFrame:
    """Table I's cost columns as printed and as recomputed, a row a rate."""
    lines = []
    for row in TABLE_1_COST:
        flops, memory, activations = count_table1(row.rate).rounded()
        lines.append(
            {
                "rate": "none" if row.rate is None else f"{row.rate:g}",
                "TF printed": f"{row.teraflops:.2f}",
                "TF": str(flops),
                "TM printed": f"{row.total_memory_gb:.2f}",
                "TM": str(memory),
                "SA printed": f"{row.activations_gb:.2f}",
                "SA": str(activations),
            }
        )
    return pd.DataFrame(lines).set_index("rate")


def end_to_end(shape: ModelShape = QWEN2_AUDIO_SHAPE, seconds: float = CLIP_SECONDS) -> pd.DataFrame:
    """TFLOPS of encoder, pruner and LLM for the first 30 s, SpeechPrune at Table I's rates, and everything.

    The LLM's as Table I counts it, so that what Table I leaves out is all that differs; the pruner's with Eq. 4 as
    written. The last columns compare the sums with the first 30 s and with everything: 0.17 costs 17 % more.
    """
    total = audio_tokens(round(seconds * SAMPLE_RATE_HZ))
    lines = [_stages("first 30 s", shape, float(WINDOW_SECONDS), WINDOW_TOKENS)]
    lines += [
        _stages(f"SpeechPrune {rate:g}", shape, seconds, kept_count(WINDOW_TOKENS, rate)) for rate in TABLE_1_RATES
    ]
    table = pd.DataFrame([*lines, _stages("everything", shape, seconds, total)]).set_index("method")
    table["sum"] = table[["encoder", "pruner", "LLM"]].sum(axis=1)
    for name in ("first 30 s", "everything"):
        table[f"against {name}"] = table["sum"] / table.at[name, "sum"] - 1
    return table


def by_length(
    shape: ModelShape, lengths_seconds: Iterable[float], rates: Iterable[float | None] = (None, 0.2)
) -> pd.DataFrame:
    """TFLOPS and GB of `count_answer` for every length and rate (None: everything, unpruned)."""
    lines = []
    for rate in rates:
        for seconds in lengths_seconds:
            cost, memory = count_answer(shape, seconds, rate)
            stages = {"encoder": cost.encoder, "pruner": cost.pruner, "prefill": cost.prefill}
            line = {name: value / 1e12 for name, value in (*stages.items(), ("a reply token", cost.decode))}
            sizes = {"weights": memory.weights, "cache": memory.cache, "peak": memory.peak}
            line |= {f"{name} (GB)": value / 1e9 for name, value in sizes.items()}
            lines.append({"rate": "everything" if rate is None else f"{rate:g}", "seconds": seconds} | line)
    return pd.DataFrame(lines)


def _stages(name: str, shape: ModelShape, seconds: float, kept: int) -> dict[str, float | str]:
    total = audio_tokens(round(seconds * SAMPLE_RATE_HZ))
    windows = -(-total // WINDOW_TOKENS)
    pruner = 0 if kept == total else count_pruner(shape.decoder, total, WINDOW_TOKENS, QUESTION_WORDS, naive=True)
    counts = {
        "encoder": count_encoder(shape.encoder, windows) + count_projector(shape, windows),
        "pruner": pruner,
        "LLM": count_calflops(shape.decoder, kept + TABLE_1_TEXT_TOKENS),
    }
    return {"method": name} | {stage: count / 1e12 for stage, count in counts.items()}

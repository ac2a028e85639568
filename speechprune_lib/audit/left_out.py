"""What Table I's cost columns do not count, in their own units."""

from __future__ import annotations

import pandas as pd

from ..audio import SAMPLE_RATE_HZ, audio_tokens
from ..efficiency.counting import QUESTION_WORDS, count_encoder, count_projector, count_pruner, count_weight_bytes
from ..efficiency.shapes import QWEN2_AUDIO_SHAPE, ModelShape
from ..efficiency.table1 import HALF_BYTES, TABLE_1_TEXT_TOKENS, count_calflops, count_unseen_attention
from ..paper import CLIP_SECONDS, TABLE_1_COST, TEN_MINUTES_TOKENS
from ..prompt import WINDOW_TOKENS, kept_count


def left_out(shape: ModelShape = QWEN2_AUDIO_SHAPE, seconds: float = CLIP_SECONDS) -> pd.DataFrame:
    """A line a thing: how much, in TFLOPS or GB, and its size beside what the column has at the same place (per cent)."""
    decoder, first = shape.decoder, TABLE_1_COST[0]
    total = audio_tokens(round(seconds * SAMPLE_RATE_HZ))
    windows = -(-total // WINDOW_TOKENS)
    window = (count_encoder(shape.encoder, 1) + count_projector(shape, 1)) / 1e12
    prompt = WINDOW_TOKENS + TABLE_1_TEXT_TOKENS
    weights = (count_weight_bytes(shape) - HALF_BYTES * decoder.block_weights) / 1e9
    lines = [
        ("encoder and projector, the first 30 s", "TFLOPS", window, first.teraflops),
        (f"encoder and projector, {seconds:g} s ({windows} windows)", "TFLOPS", windows * window, first.teraflops),
    ]
    for tokens in (prompt, TEN_MINUTES_TOKENS):
        attention, seen = count_unseen_attention(decoder, tokens) / 1e12, count_calflops(decoder, tokens) / 1e12
        lines.append((f"attention between {tokens:,} tokens", "TFLOPS", attention, seen))
    lines.append(("weights of encoder, embedding and head", "GB", weights, first.total_memory_gb))
    table = pd.DataFrame(lines, columns=["left out", "unit", "amount", "the column has"]).set_index("left out")
    table["per cent of it"] = 100 * table["amount"] / table["the column has"]
    return table


def pruner_shares(shape: ModelShape = QWEN2_AUDIO_SHAPE, seconds: float = CLIP_SECONDS) -> pd.DataFrame:
    """A line a rate: GFLOPS of both phases as the equations are written, and their shares of Table I's TF.

    Of the prefill that is left after pruning, and of the first 30 s' unpruned one. `phase 1, mean vector`: the same
    scores from one dot product with the mean of the question's unit vectors, instead of one with every word.
    """
    decoder, total = shape.decoder, audio_tokens(round(seconds * SAMPLE_RATE_HZ))
    first = count_pruner(decoder, total, 0, QUESTION_WORDS, naive=True)
    second = count_pruner(decoder, total, WINDOW_TOKENS, QUESTION_WORDS, naive=True) - first
    quick = count_pruner(decoder, total, 0, QUESTION_WORDS)
    unpruned = count_calflops(decoder, WINDOW_TOKENS + TABLE_1_TEXT_TOKENS)
    lines = []
    for rate in (row.rate for row in TABLE_1_COST if row.rate is not None):
        left = count_calflops(decoder, kept_count(WINDOW_TOKENS, rate) + TABLE_1_TEXT_TOKENS)
        line = {"rate": rate, "phase 1 (GF)": first / 1e9, "phase 1, mean vector (GF)": quick / 1e9}
        line |= {"phase 2 (GF)": second / 1e9}
        line |= {
            "both, of the pruned prefill": (first + second) / left,
            "phase 2, of the pruned prefill": second / left,
        }
        lines.append(line | {"phase 2, of the unpruned": second / unpruned})
    return pd.DataFrame(lines).set_index("rate")

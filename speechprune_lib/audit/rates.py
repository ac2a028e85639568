"""What a pruning rate is a share of: Table I's operations tell the two readings apart."""

from __future__ import annotations

import pandas as pd

from ..audio import SAMPLE_RATE_HZ, audio_tokens
from ..efficiency.shapes import QWEN2_AUDIO_SHAPE, DecoderShape
from ..efficiency.table1 import TABLE_1_TEXT_TOKENS, count_calflops
from ..paper import CLIP_SECONDS, TABLE_1_COST
from ..prompt import WINDOW_TOKENS, kept_count


def two_readings(decoder: DecoderShape = QWEN2_AUDIO_SHAPE.decoder, seconds: float = CLIP_SECONDS) -> pd.DataFrame:
    """A line a rate: TFLOPS as printed, and as counted if the rate removes a share of 750 tokens, or of the recording's.

    `removed`: the share of the recording that goes under the first reading.
    """
    total = audio_tokens(round(seconds * SAMPLE_RATE_HZ))
    lines = []
    for row in TABLE_1_COST:
        if row.rate is None:
            continue
        of_window, of_clip = kept_count(WINDOW_TOKENS, row.rate), kept_count(total, row.rate)
        lines.append(
            {
                "rate": row.rate,
                "TF printed": row.teraflops,
                "tokens, of 750": of_window,
                "TF, of 750": count_calflops(decoder, of_window + TABLE_1_TEXT_TOKENS) / 1e12,
                "removed": 1 - of_window / total,
                f"tokens, of {total}": of_clip,
                f"TF, of {total}": count_calflops(decoder, of_clip + TABLE_1_TEXT_TOKENS) / 1e12,
            }
        )
    return pd.DataFrame(lines).set_index("rate")

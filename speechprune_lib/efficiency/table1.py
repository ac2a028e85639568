"""Table I's cost columns as the tools behind them count: exact, and blind to what those tools leave out.

TF is calflops': every matrix at every position, the head included, and one operation an activation of the MLP; none of
the attention, whose fused kernel it does not see. TM and SA are LLM-Viewer's at 16 bits without flash attention: TM
what *decoding* holds (weights of the blocks, the cache, one token's outputs), SA what one layer's operations write in
the prefill. Neither knows the audio encoder, the embedding table or the head's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from ..prompt import WINDOW_TOKENS, kept_count
from .shapes import QWEN2_AUDIO_SHAPE, DecoderShape

TABLE_1_TEXT_TOKENS = 107
"""Prompt and question: the number that makes all fifteen cells come out."""
HALF_BYTES = 2
"""Bytes of a number at 16 bits."""


@dataclass(frozen=True)
class Table1Cost:
    """In operations and bytes; `rounded` as the paper prints them."""

    flops: int
    total_memory_bytes: int
    activation_bytes: int

    def rounded(self) -> tuple[Decimal, Decimal, Decimal]:
        """(TFLOPS, GB, GB) to two decimals, halves up; GB are 10^9 bytes."""
        cells = (self.flops / 10**12, self.total_memory_bytes / 10**9, self.activation_bytes / 10**9)
        one, two, three = (Decimal(cell).quantize(Decimal("0.01"), ROUND_HALF_UP) for cell in cells)
        return one, two, three


def count_table1(
    rate: float | None, decoder: DecoderShape = QWEN2_AUDIO_SHAPE.decoder, text_tokens: int = TABLE_1_TEXT_TOKENS
) -> Table1Cost:
    """A row of Table I; rate None is the paper's "Original", 750 audio tokens."""
    tokens = text_tokens + kept_count(WINDOW_TOKENS, rate or 0.0)
    return Table1Cost(
        count_calflops(decoder, tokens),
        count_llm_viewer_decode_bytes(decoder, tokens),
        count_llm_viewer_prefill_activations(decoder, tokens),
    )


def count_calflops(decoder: DecoderShape, tokens: int) -> int:
    """TF: two operations a weight and token, head included, and one for each SiLU."""
    per_token = 2 * (decoder.block_weights + decoder.head_weights) + decoder.layers * decoder.intermediate
    return per_token * _positive(tokens)


def count_llm_viewer_decode_bytes(decoder: DecoderShape, tokens: int) -> int:
    """TM: the blocks' weights, keys and values of all layers, and what one decoded token writes in one layer."""
    weights = HALF_BYTES * decoder.block_weights
    cache = HALF_BYTES * 2 * decoder.layers * decoder.key_heads * decoder.head_dim * _positive(tokens)
    return weights + cache + _outputs(decoder) + 2 * HALF_BYTES * decoder.heads * tokens


def count_llm_viewer_prefill_activations(decoder: DecoderShape, tokens: int) -> int:
    """SA: what one layer's operations write for the whole prompt; scores and softmax are (heads, tokens, tokens)."""
    return _outputs(decoder) * _positive(tokens) + 2 * HALF_BYTES * decoder.heads * tokens**2


def count_remark(decoder: DecoderShape, tokens: int) -> int:
    """The convention of the remark on 15,000 tokens: blocks and causal attention, no head."""
    width = decoder.heads * decoder.head_dim
    return 2 * decoder.block_weights * _positive(tokens) + 2 * tokens**2 * width * decoder.layers


def count_unseen_attention(decoder: DecoderShape, tokens: int) -> int:
    """The attention's two products between all pairs of tokens, in the fused kernel that calflops does not see."""
    return 2 * 2 * _positive(tokens) ** 2 * decoder.heads * decoder.head_dim * decoder.layers


def _outputs(decoder: DecoderShape) -> int:
    """Bytes that a token's operations in one layer write: nine vectors of the hidden size, two of the MLP's.

    Two norms, query, the heads' sums, output, two residual sums, the MLP's activation (LLM-Viewer gives it the hidden
    size) and its output; gate and up. Keys and values count as cache.
    """
    return HALF_BYTES * (9 * decoder.hidden + 2 * decoder.intermediate)


def _positive(tokens: int) -> int:
    if tokens < 1:
        raise ValueError(f"{tokens} tokens, expected at least one: a cost is counted for a prompt")
    return tokens

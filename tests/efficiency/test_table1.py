"""Table I to the last printed digit, and the tools behind it asked themselves."""

from __future__ import annotations

from decimal import Decimal

import pytest
import torch
from calflops import calculate_flops
from transformers import Qwen2Config, Qwen2ForCausalLM

from speechprune_lib.efficiency.shapes import QWEN2_1_5B, QWEN2_AUDIO_SHAPE, decoder_shape
from speechprune_lib.efficiency.table1 import (
    TABLE_1_TEXT_TOKENS,
    count_calflops,
    count_llm_viewer_decode_bytes,
    count_llm_viewer_prefill_activations,
    count_remark,
    count_table1,
)
from speechprune_lib.paper import TABLE_1_COST, TEN_MINUTES_TERAFLOPS, TEN_MINUTES_TOKENS, CostRow


@pytest.mark.parametrize("row", TABLE_1_COST, ids=lambda row: str(row.rate))
def test_a_row_of_table_1_comes_out_to_the_last_digit(row: CostRow) -> None:
    printed = [Decimal(f"{cell:.2f}") for cell in (row.teraflops, row.total_memory_gb, row.activations_gb)]
    assert list(count_table1(row.rate).rounded()) == printed


def test_no_other_number_of_text_tokens_gives_the_fifteen_cells() -> None:
    def cells(text: int) -> list[Decimal]:
        return [c for row in TABLE_1_COST for c in count_table1(row.rate, text_tokens=text).rounded()]

    printed = cells(TABLE_1_TEXT_TOKENS)
    assert [text for text in range(1, 400) if cells(text) == printed] == [TABLE_1_TEXT_TOKENS]


def test_the_remark_on_ten_minutes_is_of_a_smaller_model() -> None:
    assert round(count_remark(QWEN2_1_5B, TEN_MINUTES_TOKENS) / 1e12, 2) == TEN_MINUTES_TERAFLOPS
    assert round(count_calflops(QWEN2_AUDIO_SHAPE.decoder, TEN_MINUTES_TOKENS) / 1e12, 1) == 213.5


@pytest.mark.parametrize("key_heads", [1, 4])
def test_calflops_counts_the_same(key_heads: int) -> None:
    config = Qwen2Config(
        hidden_size=64,
        intermediate_size=172,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=key_heads,
        vocab_size=1000,
    )
    ids = torch.ones(1, 11, dtype=torch.long)
    flops, _, _ = calculate_flops(
        Qwen2ForCausalLM(config),
        kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids)},
        print_results=False,
        print_detailed=False,
        output_as_string=False,
    )
    assert count_calflops(decoder_shape(config), 11) == flops


def llm_viewer(tokens: int) -> tuple[float, float]:
    """(decode memory_consumption, prefill memory_consumption_tmp_act) of Qwen2-Audio's LLM, operation by operation.

    Restated from LLM-Viewer's `model_analyzer.py` (hahnyuan/LLM-Viewer, commit 01b269d): batch 1, 16 bits, without
    flash attention. Every operation states what it stores per token; keys and values go to the cache.
    """
    hidden, mlp, heads, layers = 4096, 11008, 32, 32
    linear = {
        "q_proj": (hidden, hidden),
        "k_proj": (hidden, hidden),
        "v_proj": (hidden, hidden),
        "out_proj": (hidden, hidden),
        "gate_proj": (hidden, mlp),
        "up_proj": (hidden, mlp),
        "down_proj": (mlp, hidden),
    }
    weights = layers * sum(rows * columns * 2 for rows, columns in linear.values())
    cache = layers * 2 * hidden * tokens * 2
    a_token = sum(out * 2 for name, (_, out) in linear.items() if name not in ("k_proj", "v_proj"))
    a_token += hidden * 2  # sv_matmul
    a_token += sum(hidden * 2 for _ in ("attn_norm", "mlp_norm", "attn_add", "mlp_add", "mlp_act"))
    maps = 2 * heads * tokens * 2  # qk_matmul and softmax, of one query
    return weights + cache + a_token + maps, (a_token + maps) * tokens


@pytest.mark.parametrize("tokens", [1, 257, 857, 15_000])
def test_llm_viewer_counts_the_same(tokens: int) -> None:
    decoder = QWEN2_AUDIO_SHAPE.decoder
    ours = count_llm_viewer_decode_bytes(decoder, tokens), count_llm_viewer_prefill_activations(decoder, tokens)
    assert ours == llm_viewer(tokens)


def test_no_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="0 tokens, expected at least one"):
        count_calflops(QWEN2_AUDIO_SHAPE.decoder, 0)

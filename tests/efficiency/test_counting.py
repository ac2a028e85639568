"""The closed forms against PyTorch's own counter on the meta device, where a model has shapes and no weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_model import FakeModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    Qwen2AudioConfig,
    Qwen2AudioEncoder,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from speechprune_lib.efficiency import counting
from speechprune_lib.efficiency.shapes import (
    QWEN2_AUDIO_SHAPE,
    DecoderShape,
    decoder_shape,
    encoder_shape,
    model_shape,
)
from speechprune_lib.efficiency.table1 import count_calflops, count_unseen_attention
from speechprune_lib.efficiency.tables import by_length, end_to_end, table1_comparison
from speechprune_lib.models import load_model
from speechprune_lib.paper import TABLE_1_RATES

SHAPE, DECODER, ENCODER = QWEN2_AUDIO_SHAPE, QWEN2_AUDIO_SHAPE.decoder, QWEN2_AUDIO_SHAPE.encoder
TEXT = {"hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008, "vocab_size": 156_032}
TEXT |= {"num_attention_heads": 32, "num_key_value_heads": 32}


def counted(model: torch.nn.Module, **inputs: Any) -> dict[str, int]:
    """Operations by kind, as PyTorch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs)
    return {str(kind).rpartition(".")[2]: count for kind, count in counter.get_flop_counts()["Global"].items()}


def on_meta(build: Any) -> Any:
    with torch.device("meta"):
        return build().eval()


def test_prefill_is_what_pytorch_counts_but_for_the_causal_half_and_the_head() -> None:
    """PyTorch counts the whole square of the attention, and a head at every position."""
    tokens = 857
    model = on_meta(lambda: Qwen2ForCausalLM(Qwen2Config(**TEXT)))
    embeddings = torch.empty(1, tokens, 4096, device="meta")
    kinds = counted(model, inputs_embeds=embeddings, attention_mask={"full_attention": None}, use_cache=False)
    attention = kinds.pop("bmm")
    assert round(attention / 1e12, 4) == 0.3851
    square = 2 * 2 * tokens**2 * 4096 * 32
    assert attention == square == count_unseen_attention(DECODER, tokens)
    linear = sum(kinds.values())
    pairs = tokens * (tokens + 1) // 2
    assert counting.count_prefill(DECODER, tokens) == (
        linear - 2 * DECODER.head_weights * (tokens - 1) + attention * pairs // tokens**2
    )


def test_an_encoder_window_is_what_pytorch_counts() -> None:
    config = Qwen2AudioEncoderConfig(num_mel_bins=128)
    model = on_meta(lambda: Qwen2AudioEncoder(config))
    kinds = counted(model, input_features=torch.empty(1, 128, 3000, device="meta"))
    ours = counting.count_encoder(encoder_shape(config), windows=1)
    assert ours == sum(kinds.values())
    assert round((ours + counting.count_projector(SHAPE, 1)) / 1e12, 4) == 2.2816


def test_decoding_a_token_is_a_prefill_of_one_with_everything_before_it_seen() -> None:
    tiny = DecoderShape(layers=2, hidden=8, heads=2, key_heads=1, head_dim=4, intermediate=16, vocabulary=10)
    blocks = 2 * (8 * 8 + 8 * 8 + 2 * 8 * 4 + 3 * 8 * 16)
    assert tiny.block_weights == blocks
    assert counting.count_decode(tiny, 5) == 2 * blocks + 2 * (2 * 2 * 6 * 8) + 2 * 80


def test_the_pruners_share_of_the_paper_s_prefill_misses_one_per_cent_at_the_last_rate() -> None:
    ours = counting.count_pruner(DECODER, 2197, 750, words=30, naive=True)
    shares = [round(100 * ours / count_calflops(DECODER, kept + 107), 2) for kept in (600, 450, 300, 150)]
    assert shares == [0.55, 0.70, 0.96, 1.52]


def test_weights_are_those_of_the_public_model() -> None:
    audio, text = Qwen2AudioEncoderConfig(num_mel_bins=128), Qwen2Config(**TEXT)
    model = on_meta(lambda: Qwen2AudioForConditionalGeneration(Qwen2AudioConfig(audio_config=audio, text_config=text)))
    parameters = sum(weight.numel() for weight in model.parameters())
    assert abs(counting.count_weight_bytes(SHAPE) / (2 * parameters) - 1) < 2e-4
    speech: Any = FakeModel()
    speech.name, speech.model = "qwen2-audio", model
    assert model_shape(speech) == SHAPE


def test_the_mini_model_s_shape_is_read_from_the_model() -> None:
    """LoRA is merged into its weights, and its head is its embedding table."""
    model: Any = load_model("mini")
    shape = model_shape(model)
    parameters = sum(weight.numel() for weight in model.model.parameters())
    assert abs(counting.count_weight_bytes(shape) / (2 * parameters) - 1) < 5e-3
    assert shape.decoder.tied and (shape.decoder.key_heads, shape.encoder.layers) == (3, 6)
    assert by_length(shape, (30.0, 3600.0))["prefill"].is_monotonic_increasing is False  # unpruned, then pruned


def test_end_to_end_the_encoder_turns_the_saving_into_a_price() -> None:
    table = end_to_end()
    ours = [f"SpeechPrune {rate:g}" for rate in TABLE_1_RATES]
    assert (100 * table.loc[ours, "against first 30 s"]).round(1).tolist() == [17.2, 2.4, -12.3, -27.1]
    assert (100 * table.loc[ours, "against everything"]).round(0).tolist() == [-57, -63, -68, -73]


def test_table_1_is_shown_as_it_is_tested() -> None:
    table = table1_comparison()
    for column in ("TF", "TM", "SA"):
        assert table[column].tolist() == table[f"{column} printed"].tolist()


def test_longer_audio_costs_the_pruned_prompt_only_encoding_and_phase_1() -> None:
    table = by_length(SHAPE, (90.0, 3600.0), (0.2,))
    assert table["prefill"].nunique() == 1
    assert table["encoder"].tolist() == [3 * table["encoder"][0] / 3, 120 * table["encoder"][0] / 3]
    growth = (table["pruner"][1] - table["pruner"][0]) * 1e12
    assert growth == pytest.approx(5 * (90_000 - 2_250) * 4096)


def test_audio_within_the_budget_is_not_pruned_at_rate_0() -> None:
    cost, memory = counting.count_answer(SHAPE, 30.0, 0.0)
    assert cost.pruner == 0 and cost == counting.count_answer(SHAPE, 30.0, None)[0]
    assert memory.cache == 2 * 2 * 32 * 4096 * 857
    assert memory.peak == memory.weights + memory.cache + memory.activations


@pytest.mark.parametrize("seconds", [0.0, -3.0, float("nan")])
def test_audio_without_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="expected more than 0"):
        counting.count_answer(SHAPE, seconds, None)


def test_a_model_that_does_not_tell_its_sizes_is_refused() -> None:
    with pytest.raises(ValueError, match="fake has no transformers config"):
        model_shape(FakeModel())
    with pytest.raises(ValueError, match="SimpleNamespace has no num_attention_heads, vocab_size"):
        decoder_shape(SimpleNamespace(num_hidden_layers=1, hidden_size=8, intermediate_size=8))


def test_grouped_heads_and_missing_fields_are_read() -> None:
    config = Qwen2Config(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)
    shape = decoder_shape(config)
    assert (shape.key_heads, shape.head_dim, shape.tied) == (2, 16, True)

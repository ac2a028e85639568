"""The real loader on a tiny checkpoint in the hub's layout."""

from __future__ import annotations

import pytest
import torch

from speechprune_lib.models import qwen2_audio
from speechprune_lib.models.qwen2_audio import load_qwen2_audio


@pytest.fixture
def checkpoint(qwen, tmp_path):
    for part in (qwen.model, qwen.tokenizer, qwen.extractor):
        part.save_pretrained(tmp_path)
    return str(tmp_path)


def test_a_saved_checkpoint_answers_as_before(qwen, checkpoint, noise):
    loaded = load_qwen2_audio("cpu", source=checkpoint)
    assert (loaded.name, loaded.revision, loaded.dtype) == ("qwen2-audio", "local", torch.float32)
    prompts = [m.prepare(noise(0.5), "Who?", instruction="Who?") for m in (qwen, loaded)]
    assert torch.equal(prompts[0].embeddings, prompts[1].embeddings)
    torch.testing.assert_close(loaded.next_logits(prompts[1]), qwen.next_logits(prompts[0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_dtype_follows_what_the_gpu_computes_in(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert qwen2_audio._dtype(torch.device("cuda")) == dtype


def test_what_stays_unquantized(qwen):
    """The patterns name modules that exist, by transformers' own rule."""
    from transformers.quantizers.quantizers_utils import should_convert_module

    names = [n for n, m in qwen.model.named_modules() if isinstance(m, torch.nn.Linear)]
    quantized = {n for n in names if should_convert_module(n, qwen2_audio.LEFT_WHOLE)}
    assert not any("audio_tower" in n or "projector" in n or n == "lm_head" for n in quantized)
    assert not any("layers.0.self_attn" in n for n in quantized)
    assert {n for n in names if ".language_model.layers.1." in n} <= quantized
    assert {n for n in names if ".language_model.layers.0.mlp" in n} <= quantized


def test_an_unknown_quantization_is_refused(checkpoint):
    with pytest.raises(ValueError, match="unknown quantization 'int3'"):
        load_qwen2_audio("cpu", quantization="int3", source=checkpoint)

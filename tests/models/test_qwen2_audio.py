"""The real loader on a tiny checkpoint in the hub's layout."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file, save_file

from speechprune_lib.models import qwen2_audio
from speechprune_lib.models.adapter import TransformersSpeechModel
from speechprune_lib.models.qwen2_audio import load_qwen2_audio
from speechprune_lib.models.rows import QWEN2_AUDIO_BASE


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


def test_the_base_model_has_no_turns(checkpoint, noise):
    loaded = load_qwen2_audio("cpu", source=checkpoint, row=QWEN2_AUDIO_BASE)
    ids = loaded.model_inputs(noise(0.1), loaded.instruction("Who?", (), "generate"))["input_ids"][0].tolist()
    text = loaded.tokenizer.decode(ids)
    assert text == "<|audio_bos|><|AUDIO|><|AUDIO|><|audio_eos|>Question: Who?\nAnswer:"


def test_the_hub_is_asked_for_the_pinned_commit(monkeypatch, checkpoint, capsys):
    """And the download is announced before it starts."""
    asked = []
    for kind in ("Qwen2AudioForConditionalGeneration", "AutoTokenizer", "WhisperFeatureExtractor"):
        real = getattr(qwen2_audio, kind).from_pretrained
        stand_in = type(kind, (), {})
        stand_in.from_pretrained = staticmethod(
            lambda place, real=real, **options: (
                asked.append((place, options.pop("revision"))) or real(checkpoint, **options)
            )
        )
        monkeypatch.setattr(qwen2_audio, kind, stand_in)
    load_qwen2_audio("cpu", force=True)
    pinned = "0a095220c30b7b31434169c3086508ef3ea5bf0a"
    assert asked == [("Qwen/Qwen2-Audio-7B-Instruct", pinned)] * 3
    assert "a first download is 16.8 GB" in capsys.readouterr().err


def test_a_cpu_is_refused_before_anything_is_fetched():
    with pytest.raises(ValueError, match="33.6 GB of memory in float32"):
        load_qwen2_audio("cpu")


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_dtype_follows_what_the_gpu_computes_in(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert qwen2_audio._loading(torch.device("cuda"), "nf4", False).dtype == dtype


def test_what_stays_unquantized(qwen):
    """The patterns name modules that exist, by transformers' own rule."""
    from transformers.quantizers.quantizers_utils import should_convert_module

    names = [n for n, m in qwen.model.named_modules() if isinstance(m, torch.nn.Linear)]
    quantized = {n for n in names if should_convert_module(n, qwen2_audio.LEFT_WHOLE)}
    assert not any("audio_tower" in n or "projector" in n or n == "lm_head" for n in quantized)
    assert not any("layers.0.self_attn" in n for n in quantized)
    assert {n for n in names if ".language_model.layers.1." in n} <= quantized
    assert {n for n in names if ".language_model.layers.0.mlp" in n} <= quantized


@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_quantized_weights_answer(quantization, qwen, noise, tmp_path):
    """In dimensions that bitsandbytes can pack on a CPU."""
    pytest.importorskip("bitsandbytes")
    config = deepcopy(qwen.model.config)
    for name, size in {"hidden_size": 64, "intermediate_size": 64, "num_key_value_heads": 4}.items():
        setattr(config.text_config, name, size)
    torch.manual_seed(0)
    wide = TransformersSpeechModel(qwen.row, type(qwen.model)(config), qwen.tokenizer, qwen.extractor, "wide")
    for part in (wide.model, wide.tokenizer, wide.extractor):
        part.save_pretrained(tmp_path)
    loaded = load_qwen2_audio("cpu", quantization=quantization, source=str(tmp_path))
    assert loaded.revision == f"local-{quantization}"
    prompts = [m.prepare(noise(0.5), "Who?", instruction="Who?") for m in (wide, loaded)]
    assert torch.equal(prompts[0].audio, prompts[1].audio)
    assert torch.equal(prompts[1].first_attention().query_weight, prompts[0].first_attention().query_weight)
    assert not loaded.model.get_decoder().layers[1].mlp.up_proj.weight.is_floating_point()
    whole, rounded = wide.next_logits(prompts[0]), loaded.next_logits(prompts[1])
    assert 0 < float((whole - rounded).abs().max()) < 0.5 * float(whole.abs().max())


def test_an_unknown_quantization_is_refused(checkpoint):
    with pytest.raises(ValueError, match="unknown quantization 'int3'"):
        qwen2_audio._loading.__wrapped__(torch.device("cpu"), "int3", True)


def test_checkpoints_that_do_not_fit_are_named(checkpoint, tmp_path):
    weights = tmp_path / "model.safetensors"
    state = load_file(weights)
    name = next(key for key in state if "multi_modal_projector" in key)
    save_file({key: value for key, value in state.items() if key != name}, weights, {"format": "pt"})
    with pytest.raises(ValueError, match="missing keys .*multi_modal_projector"):
        load_qwen2_audio("cpu", source=checkpoint)
    save_file(state, weights, {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["hidden_size"] = 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="does not hold Qwen2-Audio's weights as its config has them"):
        load_qwen2_audio("cpu", source=checkpoint)

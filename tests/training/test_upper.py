"""Unfrozen upper layers: together with the lower ones they are the encoder, they learn, and they resume."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from transformers import Qwen2AudioEncoder, Qwen2AudioEncoderConfig

from speechprune_lib.audio import audio_tokens
from speechprune_lib.models.mini.load import ENCODER
from speechprune_lib.training import align as align_module
from speechprune_lib.training.__main__ import _adopt_encoder as adopt
from speechprune_lib.training.__main__ import _encoder as encoder_of
from speechprune_lib.training.align import AlignSettings, align
from speechprune_lib.training.corpus import Corpus
from speechprune_lib.training.encode import encode, features_of
from speechprune_lib.training.export import export_connector, projector_from
from speechprune_lib.training.reading import hearing
from speechprune_lib.training.upper import UpperLayers, below, lower_part, trained_upper

SHAPE = {
    "num_mel_bins": 80, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "d_model": 12,
    "max_source_positions": 1500,
}  # fmt: skip
ALIGN = AlignSettings(dim=16, depth=1, steps=6, windows_per_step=2, rate=2e-2, warmup=2, negatives=5, unfreeze=1)


@pytest.fixture
def encoder() -> Qwen2AudioEncoder:
    torch.manual_seed(0)
    return Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**SHAPE)).eval()


@pytest.fixture
def halved(corpus, encoder):
    """The corpus with what enters the last layer: its features' vectors, each for two frames."""
    for shard in range(3):
        features = np.load(corpus.file(shard, "features.npy"))
        np.save(corpus.file(shard, below(1)), features.repeat(2, axis=1))
    return corpus


@pytest.mark.parametrize("layers", [1, 2])
def test_lower_and_upper_layers_are_the_encoder(encoder, layers):
    rng = np.random.default_rng(0)
    audio = [
        rng.standard_normal(samples).astype(np.float32) / 10 for samples in (480_000, 199_680)
    ]  # an even number of frames
    heard = torch.tensor([audio_tokens(len(one)) for one in audio])
    lower = features_of(lower_part(encoder, layers), audio, "cpu")
    assert lower.shape == (2, 1500, 12)
    with torch.no_grad():
        upper = UpperLayers(encoder, layers)(lower, heard)
    whole = features_of(encoder, audio, "cpu")
    torch.testing.assert_close(upper[0], whole[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(upper[1, : heard[1]], whole[1, : heard[1]], atol=1e-5, rtol=0)


def test_what_enters_the_upper_layers_is_cached(encoder, tmp_path):
    corpus = Corpus(tmp_path)
    corpus.file(7, "json").write_text('[{"first_window": 0, "windows": 1, "samples": 480000, "sentences": []}]')
    np.save(corpus.file(7, "npy"), np.random.default_rng(0).integers(-3000, 3000, (1, 480_000)).astype(np.int16))
    encode(corpus, lower_part(encoder, 2), suffix=below(2))
    assert np.load(corpus.file(7, "below2.npy")).shape == (1, 1500, 12)
    assert corpus.encoded("below2.npy") == [7] and corpus.encoded() == []


def test_the_features_go_on_from_what_is_cached_below_them(encoder, tmp_path):
    sound = np.random.default_rng(0).integers(-3000, 3000, (2, 480_000)).astype(np.int16)
    clip = '[{"first_window": 0, "windows": 2, "samples": 679680, "sentences": [], "questions": []}]'  # ends in its second window
    at_once, halfway = Corpus(tmp_path / "at_once"), Corpus(tmp_path / "halfway")
    for corpus in (at_once, halfway):
        corpus.root.mkdir()
        corpus.file(0, "json").write_text(clip)
        np.save(corpus.file(0, "npy"), sound)
    encode(at_once, encoder)
    encode(halfway, lower_part(encoder, 2), suffix=below(2))
    halfway.file(0, "npy").unlink()  # the sound is not needed any more
    encode(halfway, encoder)
    whole, finished = (np.load(corpus.file(0, "features.npy")) for corpus in (at_once, halfway))
    frames = halfway.frames(0)
    assert frames.tolist() == at_once.frames(0).tolist() == [750, 312]
    for window, heard in enumerate(frames):
        np.testing.assert_allclose(finished[window, :heard], whole[window, :heard], atol=5e-3)


def test_upper_layers_learn_with_the_connector_and_are_exported(halved, encoder, tokenizer, tmp_path):
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    align(halved, tokenizer, tmp_path, ALIGN, encoder=encoder)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())  # still as it came
    upper = trained_upper(encoder, torch.load(tmp_path / "align.pt", weights_only=True))
    assert upper is not None
    assert hearing(halved, projector_from(tmp_path / "align.pt", 16), tokenizer, upper=upper)["words"] > 0
    upper.put_into(encoder)
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith(("layers.2.", "layer_norm.")) for name in changed)
    export_connector(encoder, tmp_path, tmp_path / "out", torch.zeros(16))
    exported = load_file(tmp_path / "out" / "encoder.safetensors")
    torch.testing.assert_close(exported["layers.2.fc1.weight"].float(), upper.layers[0].fc1.weight, atol=1e-3, rtol=0)


def test_a_run_that_was_cut_resumes_with_its_upper_layers(halved, encoder, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(align_module, "CHECK_EVERY", 3)
    align(halved, tokenizer, tmp_path / "whole", ALIGN, encoder=encoder)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        step = align_module._Trainer.step
        patched.setattr(align_module._Trainer, "step", lambda self, n: killed() if n == 4 else step(self, n))
        with pytest.raises(KeyboardInterrupt):
            align(halved, tokenizer, tmp_path / "cut", ALIGN, encoder=encoder)
    align(halved, tokenizer, tmp_path / "cut", ALIGN, encoder=encoder)
    whole, cut = (torch.load(tmp_path / name / "align.pt", weights_only=True)["upper"] for name in ("whole", "cut"))
    assert all(torch.allclose(whole[name], cut[name], atol=1e-5) for name in whole)


def test_what_cannot_be_unfrozen_is_told(halved, corpus, encoder, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="1 layers shall be unfrozen: hand over their encoder too"):
        align(halved, tokenizer, tmp_path, ALIGN)
    with pytest.raises(ValueError, match="3 upper layers, expected 1 to 2"):
        lower_part(encoder, 3)
    with pytest.raises(ValueError, match="no passages among the encoded shards"):
        align(corpus, tokenizer, tmp_path, replace(ALIGN, unfreeze=2), encoder=encoder)  # no shard has below2.npy


def test_a_working_folder_has_one_encoder(encoder, tmp_path):
    models, work = [tmp_path / "first", tmp_path / "second"], tmp_path / "work"
    for model in models:
        model.mkdir()
        (model / "config.json").write_text(json.dumps({"encoder": SHAPE}))
        save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, model / ENCODER)
        torch.nn.init.ones_(encoder.layers[2].fc1.bias)
    for model in models:  # nothing is encoded yet
        adopt(work, model)
    assert torch.equal(encoder_of(work).layers[2].fc1.bias, torch.ones(16))
    (work / "speech").mkdir()
    (work / "speech" / "shard_000.below2.npy").touch()
    adopt(work, models[1])
    with pytest.raises(typer.BadParameter, match="holds features of another encoder than .*first's"):
        adopt(work, models[0])

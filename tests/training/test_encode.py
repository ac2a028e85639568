"""The cached features against what Qwen2-Audio's own forward hands to its projector."""

import json
import re

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, Qwen2AudioConfig, Qwen2AudioEncoderConfig, Qwen2AudioForConditionalGeneration
from transformers import WhisperFeatureExtractor as Extractor
from typer.testing import CliRunner

from speechprune_lib.audio import audio_tokens
from speechprune_lib.training.__main__ import app
from speechprune_lib.training.corpus import Corpus
from speechprune_lib.training.encode import encode, features_of

MEL = 8


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    audio = Qwen2AudioEncoderConfig(
        num_mel_bins=MEL, encoder_layers=1, encoder_attention_heads=1, encoder_ffn_dim=16, d_model=16
    )
    text = LlamaConfig(
        vocab_size=8, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1,
    )  # fmt: skip
    return Qwen2AudioForConditionalGeneration(
        Qwen2AudioConfig(audio_config=audio, text_config=text, audio_token_id=7)
    ).eval()


def test_features_are_what_the_model_projects(model):
    rng = np.random.default_rng(0)
    audio = [rng.standard_normal(n).astype(np.float32) for n in (480_000, 100_000, 1_000)]
    inputs = Extractor(feature_size=MEL)(audio, sampling_rate=16_000, return_tensors="pt", return_attention_mask=True)
    seen = []
    handle = model.model.multi_modal_projector.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    tokens = sum(audio_tokens(len(a)) for a in audio)
    with torch.inference_mode():
        model(
            input_ids=torch.full((1, tokens), 7),
            input_features=inputs.input_features,
            feature_attention_mask=inputs.attention_mask,
        )
    handle.remove()
    ours = features_of(model.model.audio_tower, audio, "cpu")
    for row, samples in enumerate(audio):
        heard = audio_tokens(len(samples))
        torch.testing.assert_close(ours[row, :heard], seen[0][row, :heard], atol=1e-5, rtol=1e-4)


def test_a_shard_is_encoded_once_and_whole(model, tmp_path):
    corpus = Corpus(tmp_path)
    np.save(corpus.file(0, "npy"), np.random.default_rng(0).integers(-999, 999, (3, 480_000)).astype(np.int16))
    corpus.file(0, "json").write_text(json.dumps([{"first_window": w, "windows": 1} for w in range(3)]))
    encode(corpus, model.model.audio_tower)
    features = np.load(corpus.file(0, "features.npy"))
    assert features.shape == (3, 750, 16)
    assert corpus.encoded() == [0]
    stamp = corpus.file(0, "features.npy").stat().st_mtime_ns
    encode(corpus, model.model.audio_tower)
    assert corpus.file(0, "features.npy").stat().st_mtime_ns == stamp


def test_no_shard_between_the_first_and_the_last_is_refused(tmp_path):
    for stage in ("speak", "encode"):
        told = CliRunner().invoke(app, [stage, "--work", str(tmp_path), "--first-shard", "9", "--shards", "9"])
        assert told.exit_code == 2 and "--first-shard is 9, expected less than --shards, 9" in plain_text(told.output)


def plain_text(output: str) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]|\x1b\[[0-9;]*m", " ", output).split())

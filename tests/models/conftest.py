"""Tiny random speech LLMs: Qwen2-Audio's and the mini model's own code, in dimensions that run in milliseconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.decoders import ByteLevel
from tokenizers.models import BPE
from transformers import (
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2AudioConfig,
    Qwen2AudioEncoderConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2Config,
    WhisperFeatureExtractor,
)

from speechprune_lib.models.adapter import TransformersSpeechModel
from speechprune_lib.models.mini.connector import VocabularyProjector
from speechprune_lib.models.mini.modeling import MiniSpeechLLM
from speechprune_lib.models.rows import MINI, QWEN2_AUDIO

SPECIAL = ["<|im_start|>", "<|im_end|>", "<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>", "<empty_output>"]
MEL_BINS = 8
HIDDEN = 32
TEXT_SHAPE = {
    "hidden_size": HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    # A wide start keeps the random nets' logits far enough apart for the tests to see differences.
    "initializer_range": 0.2,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes as tokens: speaks any text with no file and no network."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(BPE({letter: index for index, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = ByteLevel()
    backend.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<|im_end|>", eos_token="<|im_end|>")


@pytest.fixture(scope="session")
def extractor() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=MEL_BINS)


@pytest.fixture(scope="session")
def encoder_config() -> Qwen2AudioEncoderConfig:
    return Qwen2AudioEncoderConfig(
        num_mel_bins=MEL_BINS, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, d_model=16
    )


@pytest.fixture(scope="session")
def qwen(tokenizer, extractor, encoder_config) -> TransformersSpeechModel:
    torch.manual_seed(0)
    text = Qwen2Config(**TEXT_SHAPE, vocab_size=len(tokenizer))
    audio_token = tokenizer.convert_tokens_to_ids(QWEN2_AUDIO.audio_token)
    model = Qwen2AudioForConditionalGeneration(
        Qwen2AudioConfig(audio_config=encoder_config, text_config=text, audio_token_index=audio_token)
    )
    return TransformersSpeechModel(QWEN2_AUDIO, model, tokenizer, extractor, "tiny")


@pytest.fixture(scope="session")
def mini(tokenizer, extractor, encoder_config) -> TransformersSpeechModel:
    torch.manual_seed(1)
    text = LlamaConfig(**TEXT_SHAPE, vocab_size=len(tokenizer))
    audio_token = tokenizer.convert_tokens_to_ids(MINI.audio_token)
    projector = VocabularyProjector(encoder_config.d_model, 12, 1, torch.arange(50, 90), HIDDEN)
    model = MiniSpeechLLM(
        Qwen2AudioConfig(audio_config=encoder_config, text_config=text, audio_token_index=audio_token), projector
    )
    return TransformersSpeechModel(MINI, model, tokenizer, extractor, "tiny")


@pytest.fixture(params=["qwen", "mini"])
def model(request) -> TransformersSpeechModel:
    """Each adapter test runs on both architectures."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def noise():
    """Repeatable noise of a length in seconds: unlike silence, no two frames of it are alike."""

    def make(seconds: float) -> np.ndarray:
        samples = np.random.default_rng(3).normal(0, 0.1, round(seconds * 16_000))
        return samples.astype(np.float32)

    return make

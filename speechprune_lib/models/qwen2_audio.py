"""Qwen2-Audio-7B-Instruct, the paper's main model, from the hub (15.6 GiB in 16 bits, 6.7 GiB in 4)."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    Qwen2AudioForConditionalGeneration,
    WhisperFeatureExtractor,
)

from .adapter import LongAudio, TransformersSpeechModel
from .rows import QWEN2_AUDIO

# bitsandbytes' patterns are anchored at the full module name. Quantized, the tower and the projector would change the
# embeddings that pruning compares, and the first attention layer the signs that phase 2 takes of its weights.
LEFT_WHOLE = [
    "model.audio_tower",
    "model.multi_modal_projector",
    "model.language_model.layers.0.self_attn",
    "lm_head",
]


def load_qwen2_audio(
    device: str | torch.device = "cuda",
    quantization: str | None = None,
    long_audio: LongAudio = "joined",
    source: str = QWEN2_AUDIO.hub_id,
) -> TransformersSpeechModel:
    """Load from the hub or a local copy (`source`), onto one device; `quantization` is None or "nf4".

    The dtype is bfloat16 where the GPU has it, else float16 (a T4 only emulates bfloat16), and float32 on a CPU.
    "nf4" needs bitsandbytes; the audio encoder, the projector and the first layer's attention stay unquantized.
    """
    device = torch.device(device)
    dtype = _dtype(device)
    options: dict[str, Any] = {"dtype": dtype, "device_map": {"": device}}
    if quantization is not None:
        options["quantization_config"] = _quantized(quantization, dtype)
    model = Qwen2AudioForConditionalGeneration.from_pretrained(source, **options).requires_grad_(False)
    tokenizer = AutoTokenizer.from_pretrained(source)
    extractor = WhisperFeatureExtractor.from_pretrained(source)
    commit = getattr(model.config, "_commit_hash", None) or "local"
    revision = commit[:12] if quantization is None else f"{commit[:12]}-{quantization}"
    return TransformersSpeechModel(QWEN2_AUDIO, model, tokenizer, extractor, revision, long_audio)


def _dtype(device: torch.device) -> torch.dtype:
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16


def _quantized(kind: str, compute_dtype: torch.dtype) -> BitsAndBytesConfig:
    if kind != "nf4":
        raise ValueError(f"unknown quantization {kind!r}, expected 'nf4' or None")
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=compute_dtype,
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=LEFT_WHOLE,
    )

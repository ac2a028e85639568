"""Qwen2-Audio, the paper's main model, from the hub: the instructed model and the base model."""

from __future__ import annotations

import sys
from typing import Any, Literal

import torch
from transformers import (
    AutoTokenizer,
    BitsAndBytesConfig,
    Qwen2AudioForConditionalGeneration,
    WhisperFeatureExtractor,
)

from ..packages import needed
from .adapter import LongAudio, TransformersSpeechModel
from .loading import Loading, Quantization, download_notice, loading_here
from .rows import QWEN2_AUDIO, ModelRow

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
    quantization: Quantization | Literal["auto"] = "auto",
    long_audio: LongAudio = "joined",
    source: str | None = None,
    row: ModelRow = QWEN2_AUDIO,
    force: bool = False,
) -> TransformersSpeechModel:
    """Load from the hub, at the revision in `row`, or from a local copy (`source`), onto one device.

    quantization: "auto" takes what `loading_for` finds to fit; "int8" and "nf4" need bitsandbytes, and leave the audio
    encoder, the projector and the first layer's attention whole. A CPU is refused unless `force`. The weights are read
    straight onto the device: never two copies. Raises ValueError for a checkpoint that lacks weights or has others.
    """
    device = torch.device(device)
    loading = _loading(device, quantization, force or source is not None)
    if source is None:
        print(download_notice(row.hub_id), loading.reason, sep="\n", file=sys.stderr)
    place = row.hub_id if source is None else source
    pinned: dict[str, Any] = {"revision": row.revision} if source is None else {}
    model = _weights(place, loading, device, pinned)
    tokenizer = AutoTokenizer.from_pretrained(place, **pinned)
    extractor = WhisperFeatureExtractor.from_pretrained(place, **pinned)
    commit = getattr(model.config, "_commit_hash", None) or "local"
    revision = commit[:12] if loading.quantization == "none" else f"{commit[:12]}-{loading.quantization}"
    return TransformersSpeechModel(row, model, tokenizer, extractor, revision, long_audio)


def _loading(device: torch.device, quantization: Quantization | Literal["auto"], forced: bool) -> Loading:
    if quantization == "auto":
        return loading_here(device, forced)
    if quantization not in ("none", "int8", "nf4"):
        raise ValueError(f"unknown quantization {quantization!r}, expected 'auto', 'none', 'int8' or 'nf4'")
    if device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    else:
        dtype = loading_here(device, forced).dtype
    return Loading(dtype, quantization, f"{quantization}, as asked for")


def _weights(place: str, loading: Loading, device: torch.device, pinned: dict[str, Any]) -> Any:
    options: dict[str, Any] = {"dtype": loading.dtype, "device_map": {"": device}, **pinned}
    if loading.quantization != "none":
        needed("bitsandbytes", f"Qwen2-Audio in {loading.quantization}", "quantized")
        options["quantization_config"] = _quantized(loading)
    try:
        loaded: Any = Qwen2AudioForConditionalGeneration.from_pretrained(place, output_loading_info=True, **options)
    except RuntimeError as error:
        raise ValueError(f"{place} does not hold Qwen2-Audio's weights as its config has them: {error}") from error
    model, told = loaded
    for what in ("missing_keys", "unexpected_keys"):
        if named := sorted(map(str, told[what])):
            raise ValueError(
                f"{place} has {what.replace('_', ' ')} {', '.join(named[:3])} ({len(named)} in all): fetch it again"
            )
    return model.requires_grad_(False)


def _quantized(loading: Loading) -> BitsAndBytesConfig:
    if loading.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=LEFT_WHOLE)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=loading.dtype,
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=LEFT_WHOLE,
    )

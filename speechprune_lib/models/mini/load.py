"""The mini speech LLM from its files: trained parts in `data/models/mini`, the text LLM from `base_llm`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from transformers import (
    PreTrainedModel,
    Qwen2AudioConfig,
    Qwen2AudioEncoder,
    Qwen2AudioEncoderConfig,
    WhisperFeatureExtractor,
)

from ...files import file_hash
from ..adapter import LongAudio, TransformersSpeechModel
from ..rows import MINI
from .adapted import SETTINGS, WEIGHTS, adapted_llm
from .base_llm import base_revision
from .connector import VocabularyProjector
from .modeling import MiniSpeechLLM

FOLDER = Path(__file__).resolve().parents[3] / "data" / "models" / "mini"
CONFIG, ENCODER, CONNECTOR = "config.json", "encoder.safetensors", "connector.safetensors"
ADAPTER, LOST_FRAMES = "adapter", "adapter-lost-frames"
"""LoRA trained on whole audio; LoRA trained on audio that had lost frames at random."""

Module = TypeVar("Module", bound=torch.nn.Module)


def files(adapter: str = ADAPTER) -> tuple[str, ...]:
    """What the model is made of, in its folder."""
    return (CONFIG, ENCODER, CONNECTOR, f"{adapter}/{SETTINGS}", f"{adapter}/{WEIGHTS}")


def load_mini(
    device: str | torch.device = "cpu",
    folder: Path = FOLDER,
    long_audio: LongAudio = "joined",
    adapter: str = ADAPTER,
) -> TransformersSpeechModel:
    """The mini model in float32, on any device. Raises FileNotFoundError naming what `folder` lacks.

    adapter: the one trained on whole audio, or another of the folder's; the model then has another name.
    """
    folder = Path(folder)
    missing = [name for name in files(adapter) if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: clone the whole repository, or train the mini model "
            "(python -m speechprune_lib.training --help)"
        )
    llm, tokenizer = adapted_llm(folder / adapter)
    (audio_token_id,) = tokenizer(MINI.audio_token, add_special_tokens=False)["input_ids"]
    model: Any = build(folder, llm, audio_token_id)
    row = replace(MINI, name=MINI.name + adapter.removeprefix(ADAPTER))
    extractor = WhisperFeatureExtractor(feature_size=model.config.audio_config.num_mel_bins)
    return TransformersSpeechModel(row, model.to(device), tokenizer, extractor, revision(folder, adapter), long_audio)


def build(folder: Path, llm: PreTrainedModel, audio_token_id: int) -> MiniSpeechLLM:
    """Assemble encoder, connector and the adapted LLM."""
    shapes = json.loads((folder / CONFIG).read_text())
    encoder = _encoder(shapes["encoder"], folder / ENCODER)
    projector = _projector(encoder.config.d_model, llm.config.hidden_size, shapes["connector"], folder / CONNECTOR)
    config = Qwen2AudioConfig(audio_config=encoder.config, text_config=llm.config, audio_token_index=audio_token_id)
    with torch.device("meta"):  # every module of this shell is replaced: give it no memory and no random numbers
        model = MiniSpeechLLM(config, projector)
    inner: Any = llm
    model.model.audio_tower, model.model.language_model = encoder, inner.model
    model.lm_head = inner.lm_head
    model.generation_config = inner.generation_config
    return model.eval().requires_grad_(False)


def revision(folder: Path, adapter: str = ADAPTER) -> str:
    """A short hash over the trained parts and the LLM under them."""
    digest = hashlib.sha256(base_revision().encode())
    for name in files(adapter):
        digest.update(name.encode())
        digest.update(bytes.fromhex(file_hash(folder / name)))
    return digest.hexdigest()[:12]


def exported_projector(folder: Path, embedding_dim: int) -> VocabularyProjector:
    """The connector alone, of a folder that may hold nothing else of a model but `config.json`."""
    shapes = json.loads((folder / CONFIG).read_text())
    projector = _projector(shapes["encoder"]["d_model"], embedding_dim, shapes["connector"], folder / CONNECTOR)
    return projector.float().eval()


def exported_encoder(folder: Path) -> Qwen2AudioEncoder:
    """The speech encoder alone."""
    return _encoder(json.loads((folder / CONFIG).read_text())["encoder"], folder / ENCODER).eval()


def _encoder(shape: dict, weights: Path) -> Qwen2AudioEncoder:
    with torch.device("meta"):
        encoder = Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**shape))
    return _filled(encoder, weights)


def _projector(feature_dim: int, embedding_dim: int, shape: dict, weights: Path) -> VocabularyProjector:
    pairs = shape.get("pairs", 0)  # a connector without counted transitions has none
    with torch.device("meta"):
        token_ids = torch.zeros(shape["tokens"], dtype=torch.long)
        projector = VocabularyProjector(feature_dim, shape["dim"], shape["depth"], token_ids, embedding_dim, pairs)
    return _filled(projector, weights)


def _filled(module: Module, weights: Path) -> Module:
    """A module of "meta", which cost neither memory nor random numbers, with a file's half-precision weights in float32."""
    state = {name: value.float() if value.is_floating_point() else value for name, value in load_file(weights).items()}
    module.load_state_dict(state, assign=True)
    return module

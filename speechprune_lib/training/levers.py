"""The mini model with one decision changed, or with parts of several folders: what a lever is worth is asked of it."""

# pyright: basic
from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel, WhisperFeatureExtractor

from ..files import file_hash
from ..models.adapter import TransformersSpeechModel
from ..models.mini.adapted import SETTINGS, WEIGHTS, with_lora
from ..models.mini.base_llm import base_llm, base_revision
from ..models.mini.connector import TOP, VocabularyProjector
from ..models.mini.load import CONFIG, CONNECTOR, ENCODER, build
from ..models.rows import MINI, MINI_QUESTION_FIRST
from .lora import weights_at_rank


@dataclass(frozen=True)
class Levers:
    """What differs from the model as it was trained; None: nothing."""

    rank: int | None = None
    """Of the adapter: its best approximation of this rank."""
    top: int | None = None
    """An audio token mixes so many tokens' embeddings, the likeliest after smoothing over time, in place of `TOP`."""
    question_first: bool = False
    """The question before the audio, for an adapter that was tuned so."""

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise ValueError(f"rank is {self.rank}, expected 1 or more")
        if self.top is not None and not 1 <= self.top <= TOP:
            raise ValueError(f"top is {self.top}, expected 1 to {TOP}")

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in asdict(self).items() if value not in (None, False))


def load_with(folder: Path, adapter: Path, levers: Levers = Levers()) -> TransformersSpeechModel:
    """Encoder and connector of one folder, an adapter of this or another one, and the levers. On the CPU.

    adapter: an exported one's folder, or as `tune` leaves it, with its checkpoint beside it, whose vector of "no word here"
    then counts.
    """
    llm, tokenizer = base_llm()
    (audio_token_id,) = tokenizer(MINI.audio_token, add_special_tokens=False)["input_ids"]
    model: Any = build(folder, _adapted(llm, adapter, levers.rank), audio_token_id)
    projector = model.model.multi_modal_projector.projector
    if (tuned := adapter.with_suffix(".pt")).is_file():
        projector.blank.copy_(torch.load(tuned, weights_only=True)["trained"][-1])
    if levers.top is not None:
        _mix_fewer(projector, levers.top)
    row = MINI_QUESTION_FIRST if levers.question_first else MINI
    row = replace(row, name=":".join(filter(None, (MINI.name, str(levers)))))
    extractor = WhisperFeatureExtractor(feature_size=model.config.audio_config.num_mel_bins)
    return TransformersSpeechModel(row, model, tokenizer, extractor, _revision(folder, adapter, levers))


def _adapted(llm: PreTrainedModel, adapter: Path, rank: int | None) -> PreTrainedModel:
    if rank is None:
        return with_lora(llm, adapter)
    settings = json.loads((adapter / SETTINGS).read_text())
    scale = settings["lora_alpha"] / settings["r"]  # stays
    with TemporaryDirectory() as folder:
        (Path(folder) / SETTINGS).write_text(json.dumps(settings | {"r": rank, "lora_alpha": scale * rank}))
        save_file(weights_at_rank(adapter, rank), Path(folder) / WEIGHTS)
        return with_lora(llm, Path(folder))


def _mix_fewer(projector: VocabularyProjector, top: int) -> None:
    """Let the projector's mixtures keep their `top` likeliest tokens, with probabilities that sum to one again."""
    whole = projector.mix

    def mix(probability: Tensor, classes: Tensor, embedding: Tensor) -> Tensor:
        best = probability.topk(top, dim=-1)
        kept = torch.zeros_like(probability).scatter(-1, best.indices, best.values)
        return whole(kept / kept.sum(-1, keepdim=True), classes, embedding)

    projector.mix = mix


def _revision(folder: Path, adapter: Path, levers: Levers) -> str:
    parts = [folder / name for name in (CONFIG, ENCODER, CONNECTOR)] + [adapter / name for name in (SETTINGS, WEIGHTS)]
    told = [base_revision(), *map(file_hash, parts), str(levers)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]

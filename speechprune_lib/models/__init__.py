"""Speech LLMs behind one contract, and `MODELS`, the table of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from .base import SpeechModel

MODEL_VARIABLE = "SPEECHPRUNE_MODEL"
LARGE_GPU_BYTES = 20 * 2**30
"""Memory from which "auto" takes Qwen2-Audio: 15.6 GiB of weights, and room for minutes of audio."""


# Importing transformers takes seconds: only whoever loads a model waits for it.
def _mini(**options: Any) -> SpeechModel:
    from .mini.load import load_mini

    return load_mini(**options)


def _qwen2_audio(**options: Any) -> SpeechModel:
    from .qwen2_audio import load_qwen2_audio

    return load_qwen2_audio(**options)


MODELS: dict[str, Callable[..., SpeechModel]] = {"mini": _mini, "qwen2-audio": _qwen2_audio}


def load_model(name: str = "auto", device: str | torch.device = "auto", **options: Any) -> SpeechModel:
    """A model by its row of `MODELS`.

    "auto" takes Qwen2-Audio on a GPU of at least 20 GiB and the mini model anywhere else, unless the environment
    variable SPEECHPRUNE_MODEL names one; device "auto" is the GPU if there is one.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
    chosen = _auto(device) if name == "auto" else name
    if chosen not in MODELS:
        raise ValueError(f"unknown model {chosen!r}, expected auto or one of {', '.join(MODELS)}")
    return MODELS[chosen](device=device, **options)


def _auto(device: torch.device) -> str:
    if named := os.environ.get(MODEL_VARIABLE):
        return named
    large = device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory >= LARGE_GPU_BYTES
    return "qwen2-audio" if large else "mini"


__all__ = ["MODELS", "SpeechModel", "load_model"]

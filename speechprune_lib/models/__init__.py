"""Speech LLMs behind one contract, and `MODELS`, the table of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from .base import SpeechModel
from .loading import loading_here

MODEL_VARIABLE = "SPEECHPRUNE_MODEL"


# Importing transformers takes seconds: only whoever loads a model waits for it.
def _mini(**options: Any) -> SpeechModel:
    from .mini.load import load_mini

    return load_mini(**options)


def _mini_lost_frames(**options: Any) -> SpeechModel:
    from .mini.load import LOST_FRAMES, load_mini

    return load_mini(adapter=LOST_FRAMES, **options)


def _qwen2_audio(**options: Any) -> SpeechModel:
    from .qwen2_audio import load_qwen2_audio

    return load_qwen2_audio(**options)


def _qwen2_audio_base(**options: Any) -> SpeechModel:
    from .qwen2_audio import load_qwen2_audio
    from .rows import QWEN2_AUDIO_BASE

    return load_qwen2_audio(row=QWEN2_AUDIO_BASE, **options)


def _diva(**options: Any) -> SpeechModel:
    from .diva import load_diva

    return load_diva(**options)


def _any(**options: Any) -> SpeechModel:
    from .any_model import load_any

    return load_any(**options)


MODELS: dict[str, Callable[..., SpeechModel]] = {
    "mini": _mini,
    "mini-lost-frames": _mini_lost_frames,
    "qwen2-audio": _qwen2_audio,
    "qwen2-audio-base": _qwen2_audio_base,
    "diva": _diva,
}


@dataclass(frozen=True)
class Profile:
    """The model that "auto" stands for on this computer, and why; printed, both in one sentence."""

    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.model}: {self.reason}"


def load_model(name: str = "auto", device: str | torch.device = "auto", **options: Any) -> SpeechModel:
    """A model by its row of `MODELS`, or, by a name of the hub or a folder's path (with a "/"), any of `FAMILIES`.

    "auto" is what `profile_of` finds: Qwen2-Audio on a GPU that holds it, the mini model anywhere else, unless the
    environment variable SPEECHPRUNE_MODEL names one; device "auto" is the GPU if there is one.
    """
    device = _device(device)
    chosen = model_name(name, device)
    if "/" in chosen:
        return _any(device=device, source=chosen, **options)
    return MODELS[chosen](device=device, **options)


def model_name(name: str = "auto", device: str | torch.device = "auto") -> str:
    """The name behind "auto", or the name itself. Raises ValueError for one that `load_model` does not know."""
    chosen = profile_of(name, device).model
    if "/" not in chosen and chosen not in MODELS:
        raise ValueError(f"unknown model {chosen!r}, expected auto or one of {', '.join(MODELS)}, or hub/name")
    return chosen


def profile_of(name: str = "auto", device: str | torch.device = "auto") -> Profile:
    """What `load_model(name, device)` loads and why; for "auto" by the GPU's memory, with what the choice costs."""
    if name != "auto":
        return Profile(name, "as asked for")
    if named := os.environ.get(MODEL_VARIABLE):
        return Profile(named, f"named by {MODEL_VARIABLE}")
    device = _device(device)
    if device.type != "cuda":
        return Profile("mini", "no GPU here; a small model, whose answers are those of a small model")
    try:
        return Profile("qwen2-audio", loading_here(device).reason)
    except ValueError as error:
        return Profile("mini", str(error))


def _device(device: str | torch.device) -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)


__all__ = ["MODELS", "Profile", "SpeechModel", "load_model", "model_name", "profile_of"]

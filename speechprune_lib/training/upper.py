"""The encoder's upper layers, unfrozen: trained together with the connector, on what the lower ones say of a window.

The lower layers stay as they are, so what they say is cached once (`encode --below N`), and a step of `align` runs the
upper ones alone.
"""

# pyright: basic
from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Qwen2AudioEncoder

from ..audio import WINDOW_TOKENS
from .corpus import ENCODED, Corpus
from .features import Features

FRAMES_PER_TOKEN = 2
"""The encoder's frames, of 20 ms, that its pooling makes one audio token of."""


def below(layers: int) -> str:
    """The suffix of the files that hold what enters the encoder's last `layers` layers: the features, if none is meant."""
    return f"below{layers}.npy" if layers else ENCODED


def layers_left(corpus: Corpus, shard: int) -> int:
    """How many of the encoder's last layers are still to run on what is cached of a shard; 0 where nothing below them is."""
    cached = corpus.root.glob(corpus.file(shard, "below*.npy").name)
    return min((int(file.name.split(".")[1].removeprefix("below")) for file in cached), default=0)


def lower_part(encoder: Qwen2AudioEncoder, layers: int) -> Qwen2AudioEncoder:
    """An encoder that ends before the last `layers` layers, without pooling and norm: (windows, 1500, width)."""
    if not 0 < layers < len(encoder.layers):
        raise ValueError(f"{layers} upper layers, expected 1 to {len(encoder.layers) - 1} of the encoder's")
    lower: Any = copy.deepcopy(encoder)
    lower.layers = lower.layers[:-layers]
    lower.avg_pooler, lower.layer_norm = nn.Identity(), nn.Identity()
    return lower


class UpperLayers(nn.Module):
    """The last layers of an encoder, copied, with its pooling and its norm: what `lower_part` leaves out."""

    def __init__(self, encoder: Qwen2AudioEncoder, layers: int) -> None:
        super().__init__()
        self.layers = copy.deepcopy(encoder.layers[-layers:])
        self.pool, self.norm = nn.AvgPool1d(FRAMES_PER_TOKEN), copy.deepcopy(encoder.layer_norm)

    def forward(self, hidden: Tensor, heard: Tensor) -> Tensor:
        """hidden: (windows, 1500, width); heard: (windows,) audio tokens of speech, beyond which nothing is attended to.

        Unlike the whole encoder, which hears an odd last frame of 20 ms though no audio token is made of it.
        """
        mask = None
        if bool((heard < WINDOW_TOKENS).any()):
            places = torch.arange(hidden.shape[1], device=hidden.device)
            inside = places[None] < FRAMES_PER_TOKEN * heard[:, None]
            mask = torch.where(inside, 0.0, torch.finfo(hidden.dtype).min)[:, None, None].expand(-1, 1, len(places), -1)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return self.norm(self.pool(hidden.transpose(1, 2)).transpose(1, 2))

    @torch.no_grad()
    def put_into(self, encoder: Qwen2AudioEncoder) -> None:
        """Give an encoder these layers in place of its own."""
        encoder.layers[-len(self.layers) :].load_state_dict(self.layers.state_dict())
        encoder.layer_norm.load_state_dict(self.norm.state_dict())


class UnfrozenFeatures:
    """As `Features`, through the upper layers as they are at the time, with their gradients."""

    def __init__(self, corpus: Corpus, windows: list[tuple[int, int]], upper: UpperLayers) -> None:
        self.upper = upper
        self._below = Features(corpus, windows, below(len(upper.layers)))
        of_shard = {shard: corpus.frames(shard) for shard in {shard for shard, _ in windows}}
        self._heard = np.array([of_shard[shard][window] for shard, window in windows])

    def __call__(self, rows: list[int], device: str) -> Tensor:
        return self.upper(self._below(rows, device), torch.from_numpy(self._heard[rows]).to(device))


def features_of_windows(
    corpus: Corpus, windows: list[tuple[int, int]], upper: UpperLayers | None
) -> Features | UnfrozenFeatures:
    """The cached features, or, with unfrozen layers, what those make of what enters them."""
    return Features(corpus, windows) if upper is None else UnfrozenFeatures(corpus, windows, upper)


def trained_upper(encoder: Qwen2AudioEncoder, saved: dict[str, Any]) -> UpperLayers | None:
    """The layers that a checkpoint of `align` trained, if it did train some."""
    if "upper" not in saved:
        return None
    upper = UpperLayers(encoder, saved["settings"]["unfreeze"])
    upper.load_state_dict(saved["upper"])
    return upper.eval()

"""Every row of `FAMILIES` with random weights: tiny, for what must hold on any computer, or in its real dimensions.

No weights are fetched, so nothing is learned about answers; what the code does with a prompt is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch import Tensor

from .families import FAMILIES, placeholder_id
from .random_shapes import GEMMA_MEL_BINS, SHAPES, Shape, Size


def random_model(
    name: str,
    size: Size = "tiny",
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Any:
    """A family's model with random weights, made where it stays. Raises ValueError where `size` is not known."""
    shape = _shape(name)
    arguments = shape.tiny if size == "tiny" else shape.real
    if arguments is None:
        raise ValueError(f"the real dimensions of {FAMILIES[name].checkpoint} are not in this table: use size='tiny'")
    config = _config_class(shape.config_class)(**arguments)
    torch.manual_seed(seed)
    with _default_dtype(dtype), torch.device(device):
        return getattr(transformers, name)(config).eval().requires_grad_(False)


def random_inputs(
    name: str, model: Any, batch: int = 1, windows: int = 1, seed: int = 0, text: tuple[int, int] = (4, 6)
) -> dict[str, Tensor]:
    """What a processor would give for prompts of text, one recording and text; `text`: tokens before and behind it.

    The ids and features are random, each row's its own. windows: how often the family's `seconds` are repeated.
    """
    shape, family = _shape(name), FAMILIES[name]
    generator = torch.Generator().manual_seed(seed)
    tokens = round(shape.seconds * family.tokens_per_second) * windows
    opening = [] if shape.opening is None else [getattr(model.config, shape.opening)]
    audio = torch.tensor([*opening, *[placeholder_id(model, family)] * tokens]).expand(batch, -1)
    before, behind = (torch.randint(5, 250, (batch, count), generator=generator) for count in text)
    ids = torch.cat([before, audio, behind], dim=1)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)} | _features(
        shape, model, batch, windows, generator
    )
    return {key: value.to(model.device) for key, value in inputs.items()}


def _features(shape: Shape, model: Any, batch: int, windows: int, generator: torch.Generator) -> dict[str, Tensor]:
    whole = shape.seconds < 30  # read whole: one long row; else a row a window
    rows, seconds = (batch, shape.seconds * windows) if whole else (batch * windows, shape.seconds)
    frames, bins = round(seconds * shape.frames_per_second), _mel_bins(shape, model)
    size = (rows, frames, bins) if shape.frames_first else (rows, bins, frames)
    inputs = {shape.features: torch.randn(size, generator=generator).to(model.dtype)}
    tokens = round(seconds * FAMILIES[type(model).__name__].tokens_per_second)
    if shape.mask is not None:
        inputs[shape.mask] = torch.ones(rows, tokens if shape.mask_of_tokens else frames, dtype=_mask_dtype(shape))
    if shape.sizes is not None:
        inputs[shape.sizes] = torch.full((rows,), tokens)
    return inputs


def _mask_dtype(shape: Shape) -> torch.dtype:
    return torch.bool if shape.frames_first else torch.long


def _mel_bins(shape: Shape, model: Any) -> int:
    part = model.config
    for name in filter(None, shape.mel_bins.split(".")):
        part = getattr(part, name)
    return part if isinstance(part, int) else GEMMA_MEL_BINS


def _shape(name: str) -> Shape:
    if name not in SHAPES:
        raise ValueError(f"{name} cannot be built with random weights, expected one of {', '.join(SHAPES)}")
    return SHAPES[name]


def _config_class(name: str) -> Any:
    if hasattr(transformers, name):
        return getattr(transformers, name)
    omni = "qwen2_5_omni" if name.startswith("Qwen2_5") else "qwen3_omni_moe"
    return getattr(__import__(f"transformers.models.{omni}", fromlist=[name]), name)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Letters:
    """A tokenizer that needs no file: a letter, a token."""

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [10 + ord(letter) % 200 for letter in text]}

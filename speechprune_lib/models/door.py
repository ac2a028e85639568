"""The door of a speech LLM's text decoder: what enters there, and the first attention layer behind it."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..prompt import FirstAttention
from .families import Family, merged

VOCABULARY_CHUNK = 8192
"""Tokens embedded at a time."""


class _AtTheDoor(Exception):
    """Raised by the hook, so that the decoder never runs."""


@contextmanager
def decoder_input(model: Any, family: Family | None = None) -> Iterator[dict[str, Any]]:
    """Inside the block, a call of `model` ends at its text decoder, whose keyword arguments appear in the dict.

    family: needed only where the decoder merges text and audio itself.
    """
    arguments: dict[str, Any] = {}

    def take(module: torch.nn.Module, _args: tuple, kwargs: dict[str, Any]) -> None:
        arguments.update(kwargs if family is None else merged(family, module, kwargs))
        raise _AtTheDoor

    hook = model.get_decoder().register_forward_pre_hook(take, with_kwargs=True)
    try:
        yield arguments
    except _AtTheDoor:
        pass
    finally:
        hook.remove()


def first_attention(decoder: Any) -> FirstAttention:
    """The projections that phase 2 binarizes, of `q_proj` and `k_proj` or of a fused `qkv_proj`.

    Raises ValueError where the first layer has no such attention (a Mamba layer), or holds it quantized.
    """
    layer = decoder.layers[0]
    attention = getattr(layer, "self_attn", None)
    query, key = _projections(attention)
    for weight in (query, key):
        if not weight.is_floating_point():
            raise ValueError(
                f"the first layer's attention is stored as {weight.dtype}, and phase 2 needs its signs: leave "
                "'layers.0.self_attn' out when quantizing, or use a method without phase 2, such as phase1"
            )
    size = int(getattr(attention, "head_dim"))  # noqa: B009  (no type of transformers declares it)
    return FirstAttention(
        query_weight=query.detach(),
        key_weight=key.detach(),
        query_heads=len(query) // size,
        key_heads=len(key) // size,
        normalize=torch.no_grad()(layer.input_layernorm.forward),
        project=_project_of(decoder),
    )


def vocabulary_mean(model: Any) -> Tensor:
    """Mean over the vocabulary of what a token is embedded as, (dim,), in single precision."""
    table = model.get_input_embeddings()
    ids = torch.arange(table.weight.shape[0], device=table.weight.device)
    with torch.no_grad():
        return torch.stack([table(some).float().sum(0) for some in ids.split(VOCABULARY_CHUNK)]).sum(0) / len(ids)


def _project_of(decoder: Any) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """`FirstAttention.project`, where the layer is of the common make: its file's own rotary positions, one axis."""
    attention = decoder.layers[0].self_attn
    rotate = getattr(sys.modules[type(attention).__module__], "apply_rotary_pos_emb", None)
    if rotate is None or not hasattr(attention, "q_proj") or not hasattr(decoder, "rotary_emb"):
        return None
    takes = [*inspect.signature(rotate).parameters]
    return partial(_project, decoder, rotate) if takes[:4] == ["q", "k", "cos", "sin"] else None


@torch.no_grad()
def _project(decoder: Any, rotate: Any, audio: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    if positions.ndim > 1:
        raise ValueError(f"positions of {len(positions)} axes, expected one: use attention='binarized'")
    layer = decoder.layers[0]
    attention, hidden = layer.self_attn, layer.input_layernorm(audio)[None]
    queries, keys = (
        getattr(attention, norm, torch.nn.Identity())(project(hidden).unflatten(-1, (-1, attention.head_dim)))
        for project, norm in ((attention.q_proj, "q_norm"), (attention.k_proj, "k_norm"))
    )
    turned = rotate(queries.transpose(1, 2), keys.transpose(1, 2), *decoder.rotary_emb(hidden, positions[None]))
    queries, keys = (one[0] for one in turned)
    scale = attention.scaling * math.sqrt(attention.head_dim)
    return queries * scale, keys.repeat_interleave(len(queries) // len(keys), 0)


def _projections(attention: Any) -> tuple[Tensor, Tensor]:
    """Query and key weights, (out, in) each."""
    if hasattr(attention, "q_proj") and hasattr(attention, "k_proj"):
        return attention.q_proj.weight, attention.k_proj.weight
    if hasattr(attention, "qkv_proj"):
        queries = attention.config.num_attention_heads * attention.head_dim
        keys = attention.config.num_key_value_heads * attention.head_dim
        return attention.qkv_proj.weight[:queries], attention.qkv_proj.weight[queries : queries + keys]
    raise ValueError(
        f"the first layer has no query and key projections ({type(attention).__name__}; Mamba layers have none), and "
        "phase 2 needs them: use a method without phase 2, such as phase1"
    )

"""Prune inside a speech LLM that you already use: hooks around its own `generate`, gone when the block ends.

    with prune(model, processor, question, keep=600):
        reply = model.generate(**inputs)

The model encodes the audio and merges it into the prompt as ever. At the door of its text decoder the prompt is cut; at
every later step the mask and the positions are made to fit the shorter prompt. So sampling, beams, streaming, adapters
and what else a model's `generate` does stay its own, and no attention map is ever asked for: any attention kernel will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor

from .models.families import Family, family_of, placeholder_id
from .plug_hooks import Hooks, Pruning
from .prompt import kept_count
from .pruners import Pruner, parse_method

__all__ = ["Pruning", "prune"]

_PRUNED_NOW: WeakSet[Any] = WeakSet()


@contextmanager
def prune(
    model: Any,
    processor: Any,
    question: str | Sequence[str],
    *,
    keep: int | None = None,
    rate: float | None = None,
    method: str | Pruner = "speechprune",
    seed: int = 0,
    windows: bool = False,
) -> Iterator[Pruning]:
    """Inside the block, `model.generate(**inputs)` and `model(**inputs)` prune the audio before the decoder reads it.

    model: a speech LLM of transformers, as loaded. processor: its own, or its tokenizer, for the question's tokens.
    question: what the audio is compared with, one for all or one a row of the batch. keep: audio tokens to keep, of
    audio of any length; or rate: the share of 750 removed. method: as `parse_method` reads it, or a pruner. windows:
    several audio spans in a prompt are one recording's windows; without it they are refused. Yields the `Pruning`.

    The reply holds the whole prompt's ids in front, as it does without pruning. Of a model with LoRA, phase 2 reads the
    weights under it. Raises ValueError for a model that has no audio span, for a processor of another model (TypeError
    for none at all), and, when the model is called, for a prompt without audio or with more than one recording.
    """
    target = _speaker(model)
    if target in _PRUNED_NOW:
        raise ValueError("this model is already being pruned: end the block around this one first")
    pruner, rate = _dial(method, keep, rate)
    family = family_of(target)
    hooks = Hooks(target, family, pruner, rate, seed, windows, _embedded(target, family, processor, question))
    handles = [
        target.register_forward_pre_hook(hooks.at_the_model, with_kwargs=True),
        target.get_decoder().register_forward_pre_hook(hooks.at_the_door, with_kwargs=True),
    ]
    _PRUNED_NOW.add(target)
    try:
        yield hooks.pruning
    finally:
        _PRUNED_NOW.discard(target)
        for handle in handles:
            handle.remove()


def _dial(method: str | Pruner, keep: int | None, rate: float | None) -> tuple[Pruner, float]:
    """A pruner and its rate that keep as many tokens as asked for."""
    pruner = parse_method(method) if isinstance(method, str) else method
    if (keep is None) == (rate is None):
        raise ValueError(f"got keep={keep} and rate={rate}, expected one of them, such as keep=600")
    if keep is None:
        kept_count(pruner.budget, rate or 0.0)  # refuses what is no rate
        return pruner, rate or 0.0
    if keep < 1:
        raise ValueError(f"keep is {keep}, expected at least one audio token, such as keep=600")
    if keep > pruner.budget or not pruner.uses_rate:
        return replace(pruner, budget=keep), 0.0
    return pruner, 1 - keep / pruner.budget


def _speaker(model: Any) -> Any:
    """The module that generates: inside peft's wrapper, and the thinker of a model that also talks."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return getattr(inner, "thinker", inner)


def _embedded(model: Any, family: Family, processor: Any, question: str | Sequence[str]) -> list[Tensor]:
    """Every question's tokens as embeddings: the paper's T."""
    tokenizer = getattr(processor, "tokenizer", processor)
    _refuse_foreign(model, family, processor, tokenizer)
    questions = [question] if isinstance(question, str) else list(question)
    if not questions or not all(map(str.strip, questions)):
        raise ValueError(f"the question is {question!r}, expected text to compare the audio with")
    table, embedded = model.get_input_embeddings(), []
    for one in questions:
        ids = torch.tensor(tokenizer(one, add_special_tokens=False)["input_ids"])
        limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        if limit is not None and len(ids) >= limit:
            raise ValueError(
                f"{one[:40]!r}... has {len(ids)} tokens, the model reads {limit} in all: ask in fewer words"
            )
        if int(ids.max()) >= table.weight.shape[0]:
            raise ValueError(
                f"the tokenizer gives token {int(ids.max())}, the model knows {table.weight.shape[0]}: pass the "
                "processor that was loaded with this model"
            )
        with torch.no_grad():
            embedded.append(table(ids.to(table.weight.device)))
    return embedded


def _refuse_foreign(model: Any, family: Family, processor: Any, tokenizer: Any) -> None:
    if not callable(tokenizer):
        raise TypeError(f"processor is a {type(processor).__name__}, expected the model's processor or its tokenizer")
    token, number_of = getattr(processor, "audio_token", None), getattr(tokenizer, "convert_tokens_to_ids", None)
    if not isinstance(token, str) or number_of is None:
        return
    number, expected = number_of(token), placeholder_id(model, family)
    if number != expected:
        raise ValueError(
            f"the processor numbers {token!r} {number}, the model expects {expected}: load both from one place"
        )

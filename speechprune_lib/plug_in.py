"""Prune inside a speech LLM that you already use: hooks around its own `generate`, gone when the block ends.

    with prune(model, processor, question, keep=600):
        reply = model.generate(**inputs)

The model encodes the audio and merges it into the prompt as ever. At the door of its text decoder the prompt is cut; at
every later step the mask and the positions are made to fit the shorter prompt. So sampling, beams, streaming, adapters
and what else a model's `generate` does stay its own, and no attention map is ever asked for: any attention kernel will do.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakSet

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from .models.door import first_attention
from .models.families import Family, family_of, merged, placeholder_id
from .prompt import Plan, SpeechPrompt, apply, kept_count, survivors
from .pruners import Pruner, parse_method

_PRUNED_NOW: WeakSet[Any] = WeakSet()


@dataclass
class Pruning:
    """What was pruned: one plan for every row of the last prompt's batch, and the audio tokens in a second."""

    tokens_per_second: float
    plans: list[Plan] = field(default_factory=list)


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

    The reply holds the whole prompt's ids in front, as it does without pruning. Raises ValueError for a model that has
    no audio span, for a processor of another model (TypeError for none at all), and, when the model is called, for a prompt without audio.
    """
    target = _speaker(model)
    if target in _PRUNED_NOW:
        raise ValueError("this model is already being pruned: end the block around this one first")
    pruner, rate = _dial(method, keep, rate)
    family = family_of(target)
    hooks = _Hooks(target, family, pruner, rate, seed, windows, _embedded(target, family, processor, question))
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


@dataclass(frozen=True)
class _Shorter:
    """The pruned prompt that the cache holds: its mask, and the last position of every row."""

    mask: Bool[Tensor, "batch kept"]
    last: Int[Tensor, "*axes batch 1"] | Float[Tensor, "*axes batch 1"]
    dropped: int


class _Hooks:
    """Two hooks that share what is known of the prompt on its way through the model."""

    def __init__(
        self,
        model: Any,
        family: Family,
        pruner: Pruner,
        rate: float,
        seed: int,
        windows: bool,
        questions: list[Float[Tensor, "_words dim"]],
    ) -> None:
        self.model, self.family, self.pruner, self.rate, self.seed = model, family, pruner, rate, seed
        self.windows, self.questions = windows, questions
        self.placeholder = placeholder_id(model, family)
        self.pruning = Pruning(family.tokens_per_second)
        self.coming: tuple[Bool[Tensor, "batch sequence"], Bool[Tensor, "batch sequence"]] | None = None
        self.shorter: _Shorter | None = None

    def at_the_model(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """Before the whole model: a prompt is looked at, a later step gets the mask and positions of the shorter one."""
        named = dict(zip(inspect.signature(module.forward).parameters, args, strict=False)) | kwargs
        ids, mask, seen = named.get("input_ids"), named.get("attention_mask"), _length(named.get("past_key_values"))
        if ids is None:
            raise ValueError(
                "the model got no input_ids, so audio cannot be told from text: pass the processor's inputs"
            )
        if mask is not None and (not isinstance(mask, Tensor) or mask.ndim != 2):
            raise ValueError("a prepared attention mask cannot be cut: use the default cache, not a static one")
        is_audio = ids == self.placeholder
        if seen == 0:
            self.coming = (is_audio, torch.ones_like(is_audio) if mask is None else mask.bool())
            return (), named
        if bool(is_audio.any()):
            raise ValueError(
                "audio came after a cached beginning, expected it in the first call: start without a cache"
            )
        return (), named if self.shorter is None else named | self._later(self.shorter, ids, mask, seen)

    def at_the_door(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]] | None:
        """Before the decoder: the prompt is cut, once."""
        if self.coming is None:
            return None
        (is_audio, attended), self.coming = self.coming, None
        whole = merged(self.family, module, kwargs)
        embeddings = whole["inputs_embeds"]
        batch, length = embeddings.shape[:2]
        positions = _positions(whole.get("position_ids"), embeddings)
        self.pruning.plans, rows, short_positions = [], [], []
        for row in range(batch):
            places = attended[row].nonzero().squeeze(1).to(embeddings.device)
            prompt = self._prompt(
                embeddings[row, places], positions[..., row, places], is_audio[row, places], row, batch
            )
            plan = self._plan(prompt, row)
            self.pruning.plans.append(plan)
            rows.append(places[survivors(prompt.is_audio, plan)])
            short_positions.append(apply(prompt, plan).position_ids)
        size = max(map(len, rows))
        index = torch.stack([pad(places, (size - len(places), 0)) for places in rows])
        mask = torch.stack([pad(torch.ones_like(places), (size - len(places), 0)) for places in rows]).bool()
        cut = {name: _taken(value, index, batch, length) for name, value in whole.items()}
        cut["position_ids"] = torch.stack([pad(p, (size - p.shape[-1], 0)) for p in short_positions], dim=-2)
        cut["attention_mask"] = mask.long()
        self.shorter = _Shorter(mask, cut["position_ids"][..., -1:], length - size)
        return args, cut

    def _prompt(
        self,
        embeddings: Float[Tensor, "sequence dim"],
        positions: Tensor,
        is_audio: Bool[Tensor, " sequence"],
        row: int,
        batch: int,
    ) -> SpeechPrompt:
        spans = int((torch.diff(is_audio.int(), prepend=is_audio.new_zeros(1).int()) == 1).sum())
        if spans == 0:
            raise ValueError(
                f"the prompt (row {row}) has no audio: put the recording into the processor's call, and its placeholder "
                "into the text"
            )
        if spans > 1 and not self.windows:
            raise ValueError(
                f"the prompt (row {row}) has {spans} audio spans, expected one: say windows=True if they are windows of "
                "one recording, or ask about one recording at a time"
            )
        if batch % len(self.questions):
            raise ValueError(f"got {len(self.questions)} questions for a batch of {batch}, expected one, or one a row")
        return SpeechPrompt(
            embeddings=embeddings,
            position_ids=positions,
            is_audio=is_audio.to(embeddings.device),
            question=self.questions[row * len(self.questions) // batch].to(embeddings.device),
            tokens_per_second=self.family.tokens_per_second,
            first_attention=partial(first_attention, self.model.get_decoder()),
        )

    def _plan(self, prompt: SpeechPrompt, row: int) -> Plan:
        budget = self.pruner.count(self.pruner.budget, self.rate)
        if self.pruner.uses_rate and budget > prompt.audio_tokens:
            warnings.warn(
                f"{budget} audio tokens were to be kept, and the prompt (row {row}) has {prompt.audio_tokens}: nothing "
                "is pruned",
                stacklevel=2,
            )
        return self.pruner.plan(prompt, self.rate, self.seed)

    def _later(
        self, shorter: _Shorter, ids: Int[Tensor, "batch new"], mask: Tensor | None, seen: int
    ) -> dict[str, Tensor]:
        kept = shorter.mask.shape[1]
        steps = seen - kept + torch.arange(1, ids.shape[1] + 1, device=shorter.last.device)
        changed = {"position_ids": shorter.last + steps.to(shorter.last.dtype)}
        if mask is None:
            mask = ids.new_ones(len(ids), kept + shorter.dropped + seen - kept + ids.shape[1])
        behind = mask[:, kept + shorter.dropped :].to(shorter.mask.device)
        changed["attention_mask"] = torch.cat([shorter.mask.to(behind.dtype), behind], dim=1)
        return changed


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


def _length(cache: Any) -> int:
    return 0 if cache is None else int(cache.get_seq_length())


def _positions(given: Tensor | None, embeddings: Float[Tensor, "batch sequence dim"]) -> Tensor:
    """(*axes, batch, sequence); without any, decoders count from 0."""
    batch, length = embeddings.shape[:2]
    if given is None:
        given = torch.arange(length, device=embeddings.device)[None]
    return given.expand(*given.shape[:-2], batch, length).to(embeddings.device)


def _taken(value: Any, index: Int[Tensor, "batch kept"], batch: int, length: int) -> Any:
    """Anything that has one entry a token is cut as the embeddings are (Gemma's per-layer inputs, visual masks)."""
    if isinstance(value, Tensor) and value.ndim >= 2 and value.shape[:2] == (batch, length):
        rows = torch.arange(batch, device=value.device)[:, None]
        return value[rows, index.to(value.device)]
    return value

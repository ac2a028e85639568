"""The two hooks behind `plug_in.prune`: one before a whole speech LLM, one at the door of its text decoder."""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from .models.door import first_attention, vocabulary_mean
from .models.families import Family, merged, placeholder_id
from .prompt import Plan, SpeechPrompt, apply, survivors
from .pruners import Pruner


@dataclass
class Pruning:
    """What was pruned: one plan for every row of the last prompt's batch, and the audio tokens in a second."""

    tokens_per_second: float
    plans: list[Plan] = field(default_factory=list)


@dataclass(frozen=True)
class _Shorter:
    """The pruned prompt that the cache holds: its mask, and the last position of every row."""

    mask: Bool[Tensor, "batch kept"]
    last: Int[Tensor, "*axes batch 1"] | Float[Tensor, "*axes batch 1"]
    dropped: int


class Hooks:
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
        self.first_attention = cache(partial(first_attention, model.get_decoder()))  # its signs are taken once
        self.vocabulary_mean = cache(partial(vocabulary_mean, model))
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
        if embeddings.shape[:2] != is_audio.shape:
            raise ValueError(
                f"the prompt grew from {tuple(is_audio.shape)} to {tuple(embeddings.shape[:2])} inside the model: give it "
                "a placeholder for every audio token, as its processor does"
            )
        positions = _positions(whole.get("position_ids"), embeddings)
        places, short = self._survivors(embeddings, positions, is_audio.to(embeddings.device), attended)
        cut, self.shorter = _cut(whole, places, short)
        return args, cut

    def _survivors(
        self,
        embeddings: Float[Tensor, "batch sequence dim"],
        positions: Tensor,
        is_audio: Bool[Tensor, "batch sequence"],
        attended: Bool[Tensor, "batch sequence"],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Of every row the places that are left, and their positions; equal rows, such as beams, share one plan."""
        self.pruning.plans, rows, short, batch = [], [], [], len(embeddings)
        for row in range(batch):
            places = attended[row].to(embeddings.device).nonzero().squeeze(1)
            heard = embeddings[row, places], positions[..., row, places], is_audio[row, places]
            prompt = self._prompt(*heard, row, batch)
            repeated = row > 0 and self._question(row, batch) is self._question(row - 1, batch)
            if repeated and torch.equal(embeddings[row], embeddings[row - 1]):
                plan = self.pruning.plans[-1]
            else:
                plan = self._plan(prompt, row)
            self.pruning.plans.append(plan)
            rows.append(places[survivors(prompt.is_audio, plan)])
            short.append(apply(prompt, plan).position_ids)
        return rows, short

    def _question(self, row: int, batch: int) -> Tensor:
        """Beams of one prompt lie beside each other, so questions are spread over the rows in stretches."""
        if batch % len(self.questions):
            raise ValueError(f"got {len(self.questions)} questions for a batch of {batch}, expected one, or one a row")
        return self.questions[row * len(self.questions) // batch]

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
        return SpeechPrompt(
            embeddings=embeddings,
            position_ids=positions,
            is_audio=is_audio,
            question=self._question(row, batch).to(embeddings.device),
            tokens_per_second=self.family.tokens_per_second,
            first_attention=self.first_attention,
            vocabulary_mean=self.vocabulary_mean,
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


def _length(cache: Any) -> int:
    return 0 if cache is None else int(cache.get_seq_length())


def _positions(given: Tensor | None, embeddings: Float[Tensor, "batch sequence dim"]) -> Tensor:
    """(*axes, batch, sequence); without any, decoders count from 0."""
    batch, length = embeddings.shape[:2]
    if given is None:
        given = torch.arange(length, device=embeddings.device)[None]
    return given.expand(*given.shape[:-2], batch, length).to(embeddings.device)


def _cut(whole: dict[str, Any], places: list[Tensor], short: list[Tensor]) -> tuple[dict[str, Any], _Shorter]:
    """The decoder's arguments for the places that are left, rows padded on the left to one length."""
    batch, length = whole["inputs_embeds"].shape[:2]
    size = max(map(len, places))
    index = torch.stack([pad(row, (size - len(row), 0)) for row in places])
    mask = torch.stack([pad(torch.ones_like(row), (size - len(row), 0)) for row in places])
    cut = {name: _taken(value, index, batch, length) for name, value in whole.items()}
    cut["position_ids"] = torch.stack([pad(row, (size - row.shape[-1], 0)) for row in short], dim=-2)
    cut["attention_mask"] = mask
    return cut, _Shorter(mask.bool(), cut["position_ids"][..., -1:], length - size)


def _taken(value: Any, index: Int[Tensor, "batch kept"], batch: int, length: int) -> Any:
    """Anything that has one entry a token is cut as the embeddings are (Gemma's per-layer inputs, visual masks)."""
    if isinstance(value, Tensor) and value.ndim >= 2 and value.shape[:2] == (batch, length):
        rows = torch.arange(batch, device=value.device)[:, None]
        return value[rows, index.to(value.device)]
    return value

"""The mini speech LLM: Qwen2-Audio's architecture with its own projector and its own audio positions, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import Cache, Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

from .connector import VocabularyProjector

AUDIO_STEP = 0.15
"""Position ids per audio token: speech is about 3.7 LLM tokens a second at 25 audio tokens a second."""


class BoundProjector(nn.Module):
    """The projector, given the LLM's embedding table at every call.

    It asks for the table through `embeddings`, a function: a module held here would enter the state dict twice.
    """

    def __init__(self, projector: VocabularyProjector, embeddings: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.projector, self.embeddings = projector, embeddings

    def forward(self, features: Float[Tensor, "windows tokens width"]) -> Float[Tensor, "windows tokens dim"]:
        return self.projector(features, self.embeddings().weight)


class MiniSpeechLLM(Qwen2AudioForConditionalGeneration):
    """Whisper encoder, vocabulary projector, small text LLM, with audio laid out at about the rate of text."""

    def __init__(self, config: Qwen2AudioConfig, projector: VocabularyProjector) -> None:
        super().__init__(config)
        inner: Any = self.model
        inner.multi_modal_projector = BoundProjector(projector, self.get_input_embeddings)

    def audio_positions(
        self, input_ids: Int[Tensor, "batch sequence"], attention_mask: Int[Tensor, "batch sequence"] | None = None
    ) -> Float[Tensor, "batch sequence"]:
        """Time-aligned positions: an audio token's successor stands `AUDIO_STEP` further on, a text token's 1."""
        is_audio = input_ids == self.config.audio_token_id
        steps = torch.where(is_audio, AUDIO_STEP, 1.0)
        if attention_mask is not None:
            steps = steps * attention_mask
        return steps.cumsum(-1) - steps

    def forward(  # type: ignore[override]  # keyword arguments, as everything in transformers calls it
        self,
        input_ids: Tensor | None = None,
        input_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        feature_attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """As in Qwen2-Audio. Without `position_ids` (a whole prompt as `input_ids` only) they come from here."""
        if position_ids is None:
            position_ids = self._positions(input_ids, attention_mask, past_key_values)
        if attention_mask is None and past_key_values is None:
            # Without mask and cache, transformers would read steps other than 1 as borders of packed sequences.
            attention_mask = torch.ones(position_ids.shape, dtype=torch.long, device=position_ids.device)
        base: Any = super()  # annotated for integer positions; the rotary embedding takes fractions as they are
        return base.forward(
            input_ids=input_ids,
            input_features=input_features,
            attention_mask=attention_mask,
            feature_attention_mask=feature_attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )

    def generate(self, inputs: Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
        """As any model's; the first step's positions come from here, later ones count on by 1 from the last."""
        if kwargs.get("position_ids") is None:
            ids = inputs if inputs is not None else kwargs.get("input_ids")
            kwargs["position_ids"] = self._positions(ids, kwargs.get("attention_mask"), kwargs.get("past_key_values"))
        base: Any = super()
        return base.generate(inputs, *args, **kwargs)

    def _positions(self, input_ids: Tensor | None, attention_mask: Tensor | None, past: Cache | None) -> Tensor:
        if input_ids is None or (past is not None and past.get_seq_length() > 0):
            raise ValueError("the mini model cannot tell audio from text here: pass position_ids")
        return self.audio_positions(input_ids, attention_mask)

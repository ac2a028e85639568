"""A text decoder of any size with random weights: its time and memory need no checkpoint, only its shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModel, Qwen2Config

from ..prompt import FirstAttention, SpeechPrompt
from .shapes import DecoderShape

SPEECH_LASTS = 8
"""Tokens over which random speech stays near one vector: a third of a second."""


class RandomDecoder:
    """`shape` with random weights on one device; of its layers, `layers_run` are there and stand for all.

    Where only some layers fit, a prefill's time is theirs times layers / layers_run, and the head's once.
    """

    def __init__(
        self, shape: DecoderShape, device: torch.device, dtype: torch.dtype, layers_run: int, seed: int = 0
    ) -> None:
        if not 1 <= layers_run <= shape.layers:
            raise ValueError(f"{layers_run} layers to run, expected 1 to {shape.layers}, as many as the model has")
        self.shape, self.device, self.dtype, self.layers_run = shape, device, dtype, layers_run
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.device(device):
            torch.manual_seed(seed)
            self.blocks: Any = AutoModel.from_config(_config(shape, layers_run), dtype=dtype).eval()
            self.head = torch.full((shape.vocabulary, shape.hidden), 0.01, dtype=dtype)

    @property
    def times(self) -> float:
        return self.shape.layers / self.layers_run

    def embeddings(self, tokens: int, seed: int = 0) -> Float[Tensor, "1 tokens hidden"]:
        return random_speech(tokens, self.shape.hidden, self.device, self.dtype, seed)[None]

    @torch.no_grad()
    def prefill(self, embeddings: Float[Tensor, "1 tokens hidden"]) -> Any:
        """The layers that are there, over a whole prompt; returns hidden states and the cache."""
        return self.blocks(inputs_embeds=embeddings, use_cache=True)

    @torch.no_grad()
    def next_token(self, hidden: Float[Tensor, "1 tokens hidden"]) -> Tensor:
        """The head at the last position."""
        return (hidden[:, -1] @ self.head.T).argmax(-1)

    def step(self, tokens: int) -> Callable[[], object]:
        """A call that decodes one more token behind a prompt of so many; the prompt grows by one a call."""
        cache = self.prefill(self.embeddings(tokens)).past_key_values
        one = self.embeddings(1)

        @torch.no_grad()
        def decode() -> object:
            return self.blocks(inputs_embeds=one, past_key_values=cache, use_cache=True).last_hidden_state

        return decode

    def prompt(self, audio_tokens: int, text_tokens: int, words: int, seed: int = 0) -> SpeechPrompt:
        """Random speech between text, with this decoder's first layer for phase 2."""
        total = audio_tokens + text_tokens
        is_audio = torch.zeros(total, dtype=torch.bool, device=self.device)
        is_audio[text_tokens // 2 : text_tokens // 2 + audio_tokens] = True
        attention = self.first_attention()
        return SpeechPrompt(
            embeddings=self.embeddings(total, seed)[0],
            position_ids=torch.arange(total, device=self.device),
            is_audio=is_audio,
            question=self.embeddings(words, seed + 1)[0],
            tokens_per_second=25.0,
            first_attention=lambda: attention,
        )

    def first_attention(self) -> FirstAttention:
        layer = self.blocks.layers[0]
        return FirstAttention(
            layer.self_attn.q_proj.weight.detach(),
            layer.self_attn.k_proj.weight.detach(),
            self.shape.heads,
            self.shape.key_heads,
            torch.no_grad()(layer.input_layernorm.forward),
        )


def random_speech(
    tokens: int, dim: int, device: torch.device, dtype: torch.dtype, seed: int = 0
) -> Float[Tensor, "tokens dim"]:
    """Tokens that vary around a vector for `SPEECH_LASTS` tokens, as neighbours in speech do; drawn on the CPU."""
    random = torch.Generator().manual_seed(seed)
    sounds = torch.randn(tokens // SPEECH_LASTS + 1, dim, generator=random)
    speech = sounds.repeat_interleave(SPEECH_LASTS, 0)[:tokens]
    for part in speech.split(4096):  # in place: an hour of it is 1.5 GB
        part += 0.5 * torch.randn(part.shape, generator=random)
    return speech.to(device, dtype)


def _config(shape: DecoderShape, layers: int) -> Qwen2Config:
    """Its own embedding table is not used, so it has one row."""
    config = Qwen2Config(
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=1,
        max_position_embeddings=2**17,
    )
    config.head_dim = shape.head_dim  # pyright: ignore[reportAttributeAccessIssue]  # the layers read it, if it is there
    return config

"""The half of a speech LLM that is a text decoder: a prompt of embeddings in, logits, scores and replies out."""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache

from ..prompt import FirstAttention, SpeechPrompt
from .base import SpeechModel
from .door import first_attention, vocabulary_mean

# Greedy, whatever sampling a checkpoint's own generation config suggests.
_GREEDY: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "repetition_penalty": 1.0,
}


class DecodingModel(SpeechModel, ABC):
    """What speech LLMs of transformers share from the decoder's door on; `model` generates, and `prepare` is left open."""

    model: Any  # transformers declares unions for its parts that no use of them narrows
    tokenizer: Any
    end_token_ids: list[int] | None = None
    """Where a reply ends, if the model's own generation config does not say."""

    def decoder_inputs(self, prompt: SpeechPrompt) -> dict[str, Tensor]:
        """The prompt as the decoder takes it, a batch of one.

        The mask says "attend to all": without one (and without a cache) transformers takes every jump of the
        positions, which pruning leaves behind, for the border between two packed sequences.
        """
        limit = self._decoder.config.max_position_embeddings
        if prompt.position_ids.numel() and prompt.position_ids.max() >= limit:
            warnings.warn(f"the prompt reaches beyond the {limit} positions that {self.name} knows", stacklevel=3)
        return {
            "inputs_embeds": prompt.embeddings[None],
            "attention_mask": torch.ones_like(prompt.is_audio, dtype=torch.long)[None],
            "position_ids": prompt.position_ids.unsqueeze(-2),
        }

    @torch.no_grad()
    def next_logits(self, prompt: SpeechPrompt) -> Float[Tensor, " vocabulary"]:
        hidden = self._decoder(**self.decoder_inputs(prompt), use_cache=False).last_hidden_state
        return self._logits(hidden[0, -1])

    @torch.no_grad()
    def next_logits_of(self, prompts: Sequence[SpeechPrompt]) -> Float[Tensor, "prompts vocabulary"]:
        return self._logits(self._decoder(**self.batch_inputs(prompts), use_cache=False).last_hidden_state[:, -1])

    def option_scores(self, prompt: SpeechPrompt, options: Sequence[str]) -> Float[Tensor, " options"]:
        return self.option_scores_of([prompt], options)[0]

    @torch.no_grad()
    def option_scores_of(
        self, prompts: Sequence[SpeechPrompt], options: Sequence[str]
    ) -> Float[Tensor, "prompts options"]:
        """The prompts are read once, and all options from there: four cost little more than one."""
        replies = [torch.tensor(self.token_ids(option), device=self.device) for option in options]
        if not replies or any(len(reply) == 0 for reply in replies):
            raise ValueError(f"expected options that are not empty, got {list(options)!r}")
        batch = self.batch_inputs(prompts)
        prefix = self._decoder(**batch, use_cache=True)
        padded = pad_sequence(replies, batch_first=True)
        first = self._logits(prefix.last_hidden_state[:, -1:]).repeat_interleave(len(replies), 0)
        logits = torch.cat([first, self._logits_after(batch, prefix.past_key_values, padded[:, :-1])], dim=1)
        of_token = logits.log_softmax(-1).gather(-1, padded.repeat(len(prompts), 1)[..., None]).squeeze(-1)
        lengths = [len(reply) for reply in replies] * len(prompts)
        scores = torch.stack([row[:length].mean() for row, length in zip(of_token, lengths, strict=True)])
        return scores.unflatten(0, (len(prompts), len(replies)))

    @torch.no_grad()
    def generate(self, prompt: SpeechPrompt, max_new_tokens: int = 32) -> str:
        padding = self.tokenizer.pad_token_id
        ends = {} if self.end_token_ids is None else {"eos_token_id": self.end_token_ids}
        ids = self.run_generate(
            **self.decoder_inputs(prompt), max_new_tokens=max_new_tokens, pad_token_id=padding, **ends, **_GREEDY
        )
        return self.decode(ids[0].tolist()).strip()

    def run_generate(self, **arguments: Any) -> Any:
        return self.model.generate(**arguments)

    @torch.no_grad()
    def embed(self, text: str) -> Float[Tensor, "words dim"]:
        ids = torch.tensor(self.token_ids(text), dtype=torch.long, device=self.device)
        return self.model.get_input_embeddings()(ids)

    def token_ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    @torch.no_grad()
    def nearest_words(self, embeddings: Float[Tensor, "audio dim"]) -> list[str]:
        table = torch.nn.functional.normalize(self.model.get_input_embeddings().weight, dim=-1)
        similarity = torch.nn.functional.normalize(embeddings, dim=-1) @ table.T
        return [self.decode([token]).strip() for token in similarity.argmax(-1).tolist()]

    def first_attention(self) -> FirstAttention:
        """The projections that phase 2 binarizes: one object a model, so that it takes their signs once."""
        return self._first_attention

    def vocabulary_mean(self) -> Float[Tensor, " dim"]:
        """Mean embedding of the vocabulary, computed once."""
        return self._vocabulary_mean

    @cached_property
    def _first_attention(self) -> FirstAttention:
        return first_attention(self._decoder)

    @cached_property
    def _vocabulary_mean(self) -> Tensor:
        return vocabulary_mean(self.model)

    def check_request(self, audio: np.ndarray | None, question: str, instruction: str, transcript: str | None) -> None:
        """Raise ValueError for what `prepare` cannot make a prompt of."""
        if audio is not None and transcript is not None:
            raise ValueError("got audio and a transcript, expected at most one: the transcript stands in for the audio")
        if not question.strip():
            raise ValueError("the question is empty: ask something about the recording")
        limit = self._decoder.config.max_position_embeddings
        for text in (question, instruction):
            if (count := len(self.token_ids(text))) >= limit:
                raise ValueError(
                    f"{text[:40]!r}... has {count} tokens, {self.name} reads {limit} in all: ask in fewer words"
                )

    def batch_inputs(self, prompts: Sequence[SpeechPrompt]) -> dict[str, Tensor]:
        """Several prompts as the decoder takes them, the shorter ones padded on the left, where nobody looks."""
        if not prompts:
            raise ValueError("got no prompts, expected at least one")
        rows = [self.decoder_inputs(prompt) for prompt in prompts]
        size = max(len(prompt.embeddings) for prompt in prompts)
        gaps = [size - len(prompt.embeddings) for prompt in prompts]
        of_gap = list(zip(rows, gaps, strict=True))
        return {
            "inputs_embeds": torch.cat([pad(row["inputs_embeds"], (0, 0, gap, 0)) for row, gap in of_gap]),
            "attention_mask": torch.cat([pad(row["attention_mask"], (gap, 0)) for row, gap in of_gap]),
            "position_ids": torch.cat([pad(row["position_ids"], (gap, 0)) for row, gap in of_gap], -2),
        }

    @property
    def _decoder(self) -> Any:
        return self.model.get_decoder()

    def _logits(self, hidden: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape vocabulary"]:
        return self.model.get_output_embeddings()(hidden).float()

    def _logits_after(
        self, batch: dict[str, Tensor], cache: Cache, replies: Int[Tensor, "options tokens"]
    ) -> Float[Tensor, "rows tokens vocabulary"]:
        """Logits behind each token of the replies, a row a prompt of the batch and option. They are padded on the right,
        where no earlier token looks."""
        prompts, (options, tokens) = len(batch["inputs_embeds"]), replies.shape
        if tokens == 0:
            return torch.empty(prompts * options, 0, self._decoder.config.vocab_size, device=self.device)
        cache.batch_repeat_interleave(options)
        mask = pad(batch["attention_mask"].repeat_interleave(options, 0), (0, tokens), value=1)
        steps = torch.arange(1, tokens + 1, device=self.device)
        hidden = self._decoder(
            inputs_embeds=self.model.get_input_embeddings()(replies).repeat(prompts, 1, 1),
            attention_mask=mask,
            position_ids=(batch["position_ids"][..., -1:] + steps).repeat_interleave(options, -2),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self._logits(hidden)

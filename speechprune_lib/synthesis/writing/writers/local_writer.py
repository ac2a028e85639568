"""The writer that is a chat model of transformers on this machine."""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from .base import ASKS, BadReplyError, Messages, Reply, Spent, Writer, WriterUnavailableError, ask, shape


class LocalWriter(Writer):
    """Writes with a chat model, sampling with torch's generator: seed that to have the same texts again.

    One reply at a time, however many threads ask; from several, the same seed no longer gives the same texts.
    max_new_tokens: of one reply; a transcript of 240 words takes about 600. temperature: 0 decodes greedily. Raises
    WriterUnavailableError for a tokenizer without a chat template.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str = "local",
        *,
        asks: int = ASKS,
        max_new_tokens: int = 4096,
        temperature: float = 0.8,
    ) -> None:
        if not tokenizer.chat_template:
            raise WriterUnavailableError(f"{name} has no chat template: choose a model that was tuned for chats")
        self.name, self.asks, self.spent, self._turn = name, asks, Spent(), Lock()
        self._model: Any = model.eval()  # transformers declares unions that no use of it narrows
        self._tokenizer: Any = tokenizer
        self._limit = max_new_tokens
        sampled = {"do_sample": True, "temperature": temperature}
        greedy = {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        self._decoding: dict[str, Any] = sampled if temperature > 0 else greedy

    def write(self, prompt: str, schema: type[Reply]) -> Reply:
        """Valid JSON or WriterError: bad replies are asked for again, `asks` in all."""
        return ask(self._reply, f"{prompt}\n\n{shape(schema)}", schema, self.asks)

    @torch.no_grad()
    def _reply(self, messages: Messages) -> str:
        inputs = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(self._model.device)
        asked = inputs["input_ids"].shape[1]
        padding = self._tokenizer.pad_token_id
        padding = self._tokenizer.eos_token_id if padding is None else padding
        with self._turn:
            ids = self._model.generate(**inputs, max_new_tokens=self._limit, pad_token_id=padding, **self._decoding)
            reply = ids[0, asked:]
            self.spent += Spent(asked, len(reply))
        if len(reply) >= self._limit:
            raise BadReplyError(f"the reply was cut off after {self._limit} tokens, expected a shorter one")
        return self._tokenizer.decode(reply, skip_special_tokens=True)


def load_local(model_id: str, device: str = "cpu", **options: Any) -> LocalWriter:
    """A chat model from a folder or the hub, in the precision of its files; `options` are LocalWriter's.

    Raises WriterUnavailableError if it cannot be loaded.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_id)
        model: Any = AutoModelForCausalLM.from_pretrained(model_id, dtype="auto")
    except (OSError, ValueError) as error:
        raise WriterUnavailableError(
            f"no chat model could be loaded from {model_id!r} ({error}): give a folder that holds one, or a name that "
            f"the hub knows"
        ) from error
    return LocalWriter(model.to(device), tokenizer, model_id, **options)

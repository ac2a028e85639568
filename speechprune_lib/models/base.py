"""The contract of a speech LLM: audio and a question in, a `SpeechPrompt` out; a (pruned) prompt in, a reply out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..prompt import SpeechPrompt

Scoring = Literal["letter", "generate", "likelihood", "likelihood-minus-no-audio", "open"]
"""How an answer is read out of a model; the first two show the lettered choices, the others do not.

"open" is a free reply, compared with the forms in which the answer may be put."""

SHOWS_CHOICES: tuple[Scoring, ...] = ("letter", "generate")


@dataclass(frozen=True)
class Instructions:
    """What a model is asked: `{question}` and `{choices}` (one lettered line each) are filled in."""

    open: str
    choice: str

    def __call__(self, question: str, choices: Sequence[str], scoring: str) -> str:
        """The instruction for a scoring; without choices, or where they stay hidden, the open question."""
        if scoring not in get_args(Scoring):
            raise ValueError(f"unknown scoring {scoring!r}, expected one of {', '.join(get_args(Scoring))}")
        if not question.strip():
            raise ValueError("the question is empty: ask something about the recording")
        if not choices or scoring not in SHOWS_CHOICES:
            return self.open.replace("{question}", question)
        before, after = self.choice.split("{choices}")
        return f"{before.replace('{question}', question)}{lettered(choices)}{after.replace('{question}', question)}"


def lettered(choices: Sequence[str]) -> str:
    """One line a choice: "A. first", "B. second", ..."""
    if len(choices) > len(ascii_uppercase):
        raise ValueError(f"{len(choices)} choices, expected at most {len(ascii_uppercase)}, one a letter")
    return "\n".join(f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, choices, strict=False))


class SpeechModel(ABC):
    """A speech LLM, as the rest of the library sees it.

    `revision` identifies the weights, for the run card; `tokens_per_second` counts audio tokens before any pruning, and
    is None for a model whose audio tokens have no order in time.
    """

    name: str
    revision: str
    device: torch.device
    dtype: torch.dtype
    tokens_per_second: float | None
    default_scoring: Scoring
    instruction: Instructions

    @abstractmethod
    def prepare(
        self, audio: np.ndarray | None, question: str, *, instruction: str, transcript: str | None = None
    ) -> SpeechPrompt:
        """Encode 16 kHz mono audio of any length and embed the whole prompt.

        `instruction` is the text shown after the audio, question included; `question` alone is what pruners compare
        with. No audio: a prompt without audio tokens, in which `transcript` may stand where the audio would.
        """

    def ask_again(self, heard: SpeechPrompt, audio: np.ndarray, question: str, *, instruction: str) -> SpeechPrompt:
        """`prepare` for more about the audio of `heard`, an unpruned prompt of this model.

        The same prompt as from `prepare`; models that can take the audio tokens from `heard` do not encode it again.
        """
        return self.prepare(audio, question, instruction=instruction)

    @abstractmethod
    def embed(self, text: str) -> Float[Tensor, "words dim"]:
        """The text's tokens as the language model sees them, nothing added: what pruners compare the audio with."""

    @abstractmethod
    def next_logits(self, prompt: SpeechPrompt) -> Float[Tensor, " vocabulary"]:
        """Float32 logits of the reply's first token."""

    def next_logits_of(self, prompts: Sequence[SpeechPrompt]) -> Float[Tensor, "prompts vocabulary"]:
        """`next_logits` of several prompts; in one pass where the model can. Raises ValueError for none."""
        if not prompts:
            raise ValueError("got no prompts, expected at least one")
        return torch.stack([self.next_logits(prompt) for prompt in prompts])

    @abstractmethod
    def option_scores(self, prompt: SpeechPrompt, options: Sequence[str]) -> Float[Tensor, " options"]:
        """Mean log-likelihood per token of each option, as the reply's beginning."""

    def option_scores_of(
        self, prompts: Sequence[SpeechPrompt], options: Sequence[str]
    ) -> Float[Tensor, "prompts options"]:
        """`option_scores` of several prompts; in one pass where the model can. Raises ValueError for none."""
        if not prompts:
            raise ValueError("got no prompts, expected at least one")
        return torch.stack([self.option_scores(prompt, options) for prompt in prompts])

    @abstractmethod
    def generate(self, prompt: SpeechPrompt, max_new_tokens: int = 32) -> str:
        """The most likely reply, token by token."""

    @abstractmethod
    def token_ids(self, text: str) -> list[int]:
        """The text's tokens alone, nothing added."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens, without special ones."""

    @abstractmethod
    def nearest_words(self, embeddings: Float[Tensor, "audio dim"]) -> list[str]:
        """What each audio token says by itself: the vocabulary's token that it resembles most (cosine), as text."""

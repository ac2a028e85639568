"""A speech LLM small enough to reason about: it answers from sums of its embeddings, in microseconds."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch

from speechprune_lib.audio import SAMPLE_RATE_HZ, SAMPLES_PER_TOKEN, audio_tokens
from speechprune_lib.benchmarks import Example
from speechprune_lib.models.base import Instructions, SpeechModel
from speechprune_lib.prompt import FirstAttention, SpeechPrompt

DIM = 8


class FakeModel(SpeechModel):
    """Its tokens are letters; a reply is liked as far as its letters' vectors point along the sum of the prompt's."""

    name = "fake"
    revision = "r1"
    device = torch.device("cpu")
    dtype = torch.float32
    tokens_per_second = 25.0
    default_scoring = "letter"
    instruction = Instructions(open="{question}", choice="{question}\n{choices}")

    def __init__(self, reply: str = "B", pause: float = 0.0) -> None:
        self.reply, self.pause = reply, pause
        self.prepared: list[tuple[str, bool]] = []
        self.encoded = 0

    def prepare(self, audio, question, *, instruction, transcript=None) -> SpeechPrompt:
        if not question.strip():
            raise ValueError("the question is empty: ask something about the recording")
        self.prepared.append((question, audio is not None))
        self.encoded += audio is not None
        heard = torch.zeros(0, DIM) if audio is None else _heard(audio)
        return self._prompt(heard, question, (transcript or "") + instruction)

    def ask_again(self, heard, audio, question, *, instruction) -> SpeechPrompt:
        self.prepared.append((question, True))
        return self._prompt(heard.audio, question, instruction)

    def _prompt(self, heard, question: str, text: str) -> SpeechPrompt:
        embeddings = torch.cat([heard, self.embed(text)])
        return SpeechPrompt(
            embeddings=embeddings,
            position_ids=torch.arange(len(embeddings)),
            is_audio=torch.arange(len(embeddings)) < len(heard),
            question=self.embed(question),
            tokens_per_second=self.tokens_per_second,
            first_attention=_attention,
            vocabulary_mean=lambda: _letters().mean(0),
        )

    def next_logits(self, prompt):
        time.sleep(self.pause)
        return _letters() @ prompt.embeddings.sum(0)

    def option_scores(self, prompt, options: Sequence[str]):
        logits = self.next_logits(prompt).log_softmax(-1)
        return torch.stack([logits[self.token_ids(option)].mean() for option in options])

    def generate(self, prompt, max_new_tokens: int = 32) -> str:
        return self.reply[:max_new_tokens]

    def token_ids(self, text: str) -> list[int]:
        return [min(ord(letter), 127) for letter in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def nearest_words(self, embeddings) -> list[str]:
        return [str(int(vector.argmax())) for vector in embeddings]

    def embed(self, text: str):
        return torch.stack([_vector(letter) for letter in text]) if text else torch.zeros(0, DIM)


def make_examples(folder: Path, count: int, seconds: float = 2.0) -> list[Example]:
    """Noise with a question; the answer was said in the middle of it."""
    return [_example(folder, index, seconds) for index in range(count)]


def _example(folder: Path, index: int, seconds: float) -> Example:
    path = folder / f"clip{index}.wav"
    noise = np.random.default_rng(index).normal(0, 0.1, round(seconds * SAMPLE_RATE_HZ))
    soundfile.write(
        path, noise.astype(np.float32), SAMPLE_RATE_HZ, subtype="PCM_16"
    )  # a float file would hold the time of day
    return Example(
        id=f"clip{index}",
        audio_path=path,
        question=f"Who spoke in clip {index}?",
        choices=("Ann", "Bob", "Cleo", "Dan"),
        answer=index % 4,
        transcript=f"Somebody called number {index} spoke.",
        key_spans=((0.5, 1.0),),
        kind="lecture",
        duration_s=seconds,
        split="test",
    )


def _heard(audio: np.ndarray) -> torch.Tensor:
    """One embedding a token, from the sound under it."""
    count = audio_tokens(len(audio))
    padded = np.zeros(count * SAMPLES_PER_TOKEN, np.float32)
    padded[: len(audio)] = audio[: len(padded)]
    return torch.from_numpy(padded.reshape(count, DIM, -1).mean(-1)) * 10


def _attention() -> FirstAttention:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(DIM, DIM, generator=generator) for _ in range(2))
    return FirstAttention(query, key, query_heads=2, key_heads=2, normalize=lambda audio: audio)


@cache
def _letters() -> torch.Tensor:
    return torch.stack([_vector(chr(code)) for code in range(128)])


@cache
def _vector(letter: str) -> torch.Tensor:
    digest = hashlib.sha256(letter.encode()).digest()[:DIM]
    return torch.tensor([byte / 128 - 1 for byte in digest])

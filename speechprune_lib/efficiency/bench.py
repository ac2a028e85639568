"""`make bench`: SpeechPrune beside other ways to choose tokens, at Qwen2-Audio's real size, in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch

from ..prompt import WINDOW_TOKENS, SpeechPrompt, kept_count
from ..pruners import get_method
from . import rivals
from .counting import QUESTION_WORDS
from .decoder import RandomDecoder
from .floor import measure_ceilings
from .records import Measured, Measurement, measured
from .tables import CLIP_TOKENS
from .timing import measure_seconds, peak_bytes

GROWTH_TOKENS = (CLIP_TOKENS, 9_000, 45_000, 90_000)
"""A clip, six minutes, half an hour, an hour."""


def measure_rivals(
    prompt: SpeechPrompt, rates: tuple[float, ...], device: torch.device, rounds: int
) -> Iterator[Measurement]:
    """Every method on the same tokens, its indices read on the host, at every rate."""
    audio, question, attention = prompt.audio, prompt.question, prompt.first_attention()
    for rate in rates:
        keep = kept_count(WINDOW_TOKENS, rate)
        calls: dict[str, Callable[[], object]] = {
            "SpeechPrune": lambda rate=rate: get_method("speechprune").plan(prompt, rate),
            "SpeechPrune, plain float32": lambda keep=keep: rivals.plain_speechprune(
                audio, question, attention, keep
            ).cpu(),
            "ToMe-style merging": lambda keep=keep: rivals.tome(audio, keep)[0].cpu(),
            "DivPrune-style": lambda keep=keep: rivals.divprune(audio, keep).cpu(),
            "CDPruner-style": lambda keep=keep: rivals.cdpruner(audio, question, keep).cpu(),
            "FastV-style map": lambda keep=keep: rivals.fastv(audio, attention, keep).cpu(),
        }
        taken = measure_seconds(calls, device, rounds)
        for name, call in calls.items():
            yield Measurement(
                stage="select",
                method=name,
                audio_tokens=prompt.audio_tokens,
                kept=keep,
                rate=rate,
                seconds=taken[name],
                peak_bytes=peak_bytes(call, device),
            )


def measure_growth(decoder: RandomDecoder, lengths: tuple[int, ...], rounds: int) -> Iterator[Measurement]:
    """Both phases and phase 1 alone at rate 0.2, from a clip to an hour, with the memory above the embeddings."""
    for tokens in lengths:
        prompt = decoder.prompt(tokens, text_tokens=2, words=QUESTION_WORDS)
        calls = {name: partial(get_method(name).plan, prompt, 0.2) for name in ("speechprune", "phase1")}
        taken = measure_seconds(calls, decoder.device, rounds)
        for name, call in calls.items():
            yield Measurement(
                stage="prune",
                method=name,
                audio_tokens=tokens,
                kept=kept_count(WINDOW_TOKENS, 0.2),
                rate=0.2,
                seconds=taken[name],
                peak_bytes=peak_bytes(call, decoder.device),
            )
        del prompt, calls  # the next one is larger still


def bench(decoder: RandomDecoder, rounds: int, growth: tuple[int, ...] = GROWTH_TOKENS) -> Measured:
    """Ceilings, rivals at two rates, and growth, on the decoder's device and with its first layer's weights."""
    device = decoder.device
    rows = list(measure_ceilings(device, decoder.dtype, decoder.shape.hidden))
    prompt = decoder.prompt(CLIP_TOKENS, text_tokens=2, words=QUESTION_WORDS)
    rows += measure_rivals(prompt, (0.2, 0.8), device, rounds)
    rows += measure_growth(decoder, growth, max(1, rounds // 2))
    return measured("choosing tokens, qwen2-audio's size", "random", device, decoder.dtype, rows, seed=0)

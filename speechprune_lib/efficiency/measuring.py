"""Measured seconds and bytes: a decoder of the real size with random weights, and a whole small model, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from ..audio import SAMPLES_PER_TOKEN, WINDOW_TOKENS, Waveform
from ..models.adapter import TransformersSpeechModel
from ..paper import TABLE_1_RATES
from ..prompt import SpeechPrompt, apply, kept_count
from ..pruners import SpeechPrune
from .counting import QUESTION_WORDS
from .decoder import RandomDecoder
from .records import ALL_OPTIONS, ONE_OPTION, Measurement
from .shapes import DecoderShape
from .table1 import TABLE_1_TEXT_TOKENS
from .tables import CLIP_TOKENS, checked_lengths
from .timing import Timing, measure_seconds, peak_bytes

WHOLE_DECODER_BYTES = 20 * 2**30
"""GPU memory from which all of Qwen2-Audio's layers are run at 16 bits; anywhere else one stands for all."""
LONG_TOKENS = 5_000
"""On a CPU, longer prompts run once and cold: half a minute a layer."""


def real_decoder(shape: DecoderShape, device: torch.device, whole: bool = True) -> RandomDecoder:
    """As much of a decoder of that shape as the device runs (see `how_to_run`); `whole` False: one layer anywhere."""
    dtype, layers = how_to_run(shape, device)
    return RandomDecoder(shape, device, dtype, layers if whole else 1)


def how_to_run(shape: DecoderShape, device: torch.device) -> tuple[torch.dtype, int]:
    """bfloat16 (float16 where a GPU lacks it) and all layers on a large GPU; one layer in float32 on a CPU.

    float32, because that is the faster of the two on CPUs without AMX.
    """
    if device.type != "cuda":
        return torch.float32, 1
    dtype = torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    large = torch.cuda.get_device_properties(device).total_memory >= WHOLE_DECODER_BYTES
    return dtype, shape.layers if large else 1


def measure_decoder(
    decoder: RandomDecoder, lengths: Sequence[int], rounds: int = 5, text_tokens: int = TABLE_1_TEXT_TOKENS
) -> Iterator[Measurement]:
    """Prefill and decode rows for every length of audio, with `text_tokens` beside it.

    Where a rate of Table I leaves that length, SpeechPrune's own time over a whole clip is measured in the same rounds,
    on the same device and the same first layer: its share of the prefill is then a share of that moment's.
    """
    clip = decoder.prompt(CLIP_TOKENS, text_tokens, QUESTION_WORDS)
    rates = {kept_count(WINDOW_TOKENS, rate): rate for rate in TABLE_1_RATES}
    for audio_tokens in checked_lengths(lengths):
        rate, tokens = rates.get(audio_tokens), audio_tokens + text_tokens
        calls = _decoder_calls(decoder, tokens)
        if rate is not None:
            calls["prune"] = partial(SpeechPrune().plan, clip, rate)
        once = tokens > LONG_TOKENS and decoder.device.type == "cpu"
        taken = measure_seconds(calls, decoder.device, 1 if once else rounds, warm_up=0 if once else 1)
        prefill, step = (_of_all_layers(taken[name], taken["head"], decoder.times) for name in ("prefill", "step"))
        known: dict[str, Any] = {"method": "random weights", "tokens": tokens, "layers_run": decoder.layers_run}
        peak = peak_bytes(calls["prefill"], decoder.device)
        yield Measurement(stage="prefill", audio_tokens=audio_tokens, seconds=prefill, peak_bytes=peak, **known)
        yield Measurement(stage="decode", audio_tokens=audio_tokens, seconds=step, **known)
        if rate is not None:
            yield Measurement(
                stage="prune",
                method=SpeechPrune.name,
                audio_tokens=CLIP_TOKENS,
                kept=audio_tokens,
                tokens=tokens,
                rate=rate,
                seconds=taken["prune"],
                peak_bytes=peak_bytes(calls["prune"], decoder.device),
            )


def measure_model(
    model: TransformersSpeechModel,
    sound: Waveform,
    question: str,
    lengths: Sequence[int],
    rate: float = 0.2,
    rounds: int = 5,
) -> Iterator[Measurement]:
    """Every stage of a whole model for so many audio tokens of `sound`, which is repeated as often as needed.

    Prefill and decode are of the *unpruned* prompt, so that one curve gives the price of any number of kept tokens.
    """
    instruction = model.instruction(question, (), "generate")
    for audio_tokens in checked_lengths(lengths):
        samples = np.resize(sound, audio_tokens * SAMPLES_PER_TOKEN)
        prompt = model.prepare(samples, question, instruction=instruction)
        calls: dict[str, Any] = {
            "encode": lambda samples=samples: model.prepare(samples, question, instruction=instruction),
            "prefill": lambda prompt=prompt: model.next_logits(prompt),
            "decode": _step(model, prompt),
        }
        kept = min(audio_tokens, kept_count(WINDOW_TOKENS, rate))
        if kept < audio_tokens:
            calls["prune"] = lambda prompt=prompt: apply(prompt, SpeechPrune().plan(prompt, rate))
        taken = measure_seconds(calls, model.device, rounds)
        for stage, call in calls.items():
            yield Measurement(
                stage=stage,  # pyright: ignore[reportArgumentType]
                method="speechprune" if stage == "prune" else model.name,
                audio_tokens=audio_tokens,
                kept=kept if stage == "prune" else None,
                tokens=len(prompt.is_audio),
                rate=rate if stage == "prune" else None,
                seconds=taken[stage],
                peak_bytes=None if stage == "decode" else peak_bytes(call, model.device),
            )


def measure_scoring(
    model: TransformersSpeechModel, prompt: SpeechPrompt, options: Sequence[str], rounds: int = 5
) -> Iterator[Measurement]:
    """Likelihood scoring of the first option alone and of all of them, in the same rounds: they share the prompt."""
    calls = {
        ONE_OPTION: lambda: model.option_scores(prompt, options[:1]),
        ALL_OPTIONS: lambda: model.option_scores(prompt, options),
    }
    for name, taken in measure_seconds(calls, model.device, rounds).items():
        known: dict[str, Any] = {"audio_tokens": prompt.audio_tokens, "tokens": len(prompt.is_audio)}
        yield Measurement(stage="score", method=name, seconds=taken, **known)


def _decoder_calls(decoder: RandomDecoder, tokens: int) -> dict[str, Callable[[], object]]:
    """One pass of the layers that are there over a prompt, one head, and one step behind such a prompt."""
    return {
        "prefill": partial(decoder.prefill, decoder.embeddings(tokens)),
        "head": partial(decoder.next_token, decoder.embeddings(1)),
        "step": decoder.step(tokens),
    }


def _step(model: TransformersSpeechModel, prompt: SpeechPrompt) -> Any:
    """A call that decodes one more token behind the prompt, which grows by one a call."""
    decoder = model.model.get_decoder()
    with torch.no_grad():
        cache = decoder(**model.decoder_inputs(prompt), use_cache=True).past_key_values
    one, last = prompt.embeddings[None, -1:], prompt.position_ids[..., -1:]

    @torch.no_grad()
    def decode() -> object:
        length = cache.get_seq_length() + 1
        hidden = decoder(
            inputs_embeds=one,
            attention_mask=torch.ones(1, length, dtype=torch.long, device=model.device),
            position_ids=(last + length - len(prompt.is_audio))[None],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return model.model.get_output_embeddings()(hidden).argmax()

    return decode


def _of_all_layers(layers: Timing, head: Timing, times: float) -> Timing:
    """Round by round: the layers that were run, times how many they stand for, and the head once."""
    return Timing(rounds=tuple(times * a + b for a, b in zip(layers.rounds, head.rounds, strict=True)))

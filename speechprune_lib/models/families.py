"""The speech LLMs of transformers that can be pruned: a row of data per architecture, and `register_model` for more.

Whatever the encoder, all of them swap placeholders in the prompt for audio embeddings and hand the result to a text
decoder (`model.get_decoder()`). That door is the same everywhere; the rows hold what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from torch import nn

Merge = Callable[[nn.Module, dict[str, Any]], dict[str, Any]]
"""(decoder, its keyword arguments) -> the same with `inputs_embeds`, audio merged in, in place of ids and features."""


@dataclass(frozen=True)
class Family:
    """One architecture.

    `tokens_per_second`: of audio, before pruning. `long_audio`: what the model's own processor does beyond 30 s.
    `audio_token_id`: where the config holds the placeholder's number. `merge`: only for a decoder that merges text and
    audio itself, so that its input is not yet the prompt.
    """

    model_class: str
    checkpoint: str
    tokens_per_second: float
    long_audio: str
    audio_token_id: str = "audio_token_id"
    merge: Merge | None = None


def _merge_phi4(decoder: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """What Phi4MultimodalModel.forward does first; its LoRA adapters are the model's own business."""
    rest, ids = dict(arguments), arguments["input_ids"]
    of_audio = ("audio_input_features", "audio_embed_sizes", "audio_attention_mask")
    of_images = ("image_pixel_values", "image_sizes", "image_attention_mask")
    features = {name: rest.pop(name, None) for name in (*of_audio, *of_images)}
    rest["input_ids"] = None
    rest["inputs_embeds"] = decoder.embed_tokens_extend(ids, decoder.embed_tokens(ids), **features)
    return rest


WINDOWS = "30 s windows in one span"
WHOLE = "read whole"

FAMILIES: dict[str, Family] = {
    family.model_class: family
    for family in (
        Family(
            "Qwen2AudioForConditionalGeneration",
            "Qwen/Qwen2-Audio-7B-Instruct",
            25.0,
            "cut to 30 s; load_model makes windows",
        ),
        Family("VoxtralForConditionalGeneration", "mistralai/Voxtral-Mini-3B-2507", 12.5, WINDOWS),
        Family("AudioFlamingo3ForConditionalGeneration", "nvidia/audio-flamingo-3-hf", 25.0, f"{WINDOWS}, to 10 min"),
        Family("MusicFlamingoForConditionalGeneration", "nvidia/music-flamingo-2601-hf", 25.0, f"{WINDOWS}, to 20 min"),
        Family("GlmAsrForConditionalGeneration", "zai-org/GLM-ASR-Nano-2512", 12.5, f"{WINDOWS}, to 11 min"),
        Family("GraniteSpeechForConditionalGeneration", "ibm-granite/granite-speech-3.3-2b", 10.0, WHOLE),
        Family(
            "Qwen2_5OmniThinkerForConditionalGeneration",
            "Qwen/Qwen2.5-Omni-7B",
            25.0,
            "whole if truncation=False, else 5 min",
        ),
        Family(
            "Qwen3OmniMoeThinkerForConditionalGeneration",
            "Qwen/Qwen3-Omni-30B-A3B-Instruct",
            13.0,
            "whole if truncation=False, else cut",
        ),
        Family("Qwen3ASRForConditionalGeneration", "Qwen/Qwen3-ASR-1.7B-hf", 13.0, WHOLE),
        Family(
            "Phi4MultimodalForCausalLM",
            "microsoft/Phi-4-multimodal-instruct",
            12.5,
            WHOLE,
            audio_token_id="audio_config.audio_token_id",
            merge=_merge_phi4,
        ),
        Family("Gemma4ForConditionalGeneration", "google/gemma-4-E2B-it", 25.0, "cut to 30 s"),
    )
}

_ENCODER_DECODER = "it is an encoder-decoder, whose decoder reads the audio by cross-attention and not in its prompt"
_SUMMED = "it adds audio to every step's text instead of giving it a span of the prompt"
REFUSED: Mapping[str, str] = {
    "WhisperForConditionalGeneration": _ENCODER_DECODER,
    "MoonshineForConditionalGeneration": _ENCODER_DECODER,
    "CohereAsrForConditionalGeneration": _ENCODER_DECODER,
    "VoxtralRealtimeForConditionalGeneration": _SUMMED,
    "KyutaiSpeechToTextForConditionalGeneration": _SUMMED,
    "MoshiForConditionalGeneration": _SUMMED,
}
"""Speech models that have no audio span to prune, and why."""


def register_model(
    model_class: type | str,
    *,
    tokens_per_second: float,
    audio_token_id: str = "audio_token_id",
    merge: Merge | None = None,
    checkpoint: str = "",
    long_audio: str = "",
) -> Family:
    """Teach the library a class of speech LLMs that it does not know; subclasses are then known too.

    It must swap one placeholder per audio token and have `get_decoder()`. audio_token_id: the placeholder's place in
    the config, dotted. merge: see `Merge`, for a decoder that takes ids. Raises ValueError for a name that is taken and
    for a rate that is not positive.
    """
    name = model_class if isinstance(model_class, str) else model_class.__name__
    if name in FAMILIES:
        raise ValueError(f"{name} is already registered, expected a class that is not in {', '.join(FAMILIES)}")
    if not tokens_per_second > 0:
        raise ValueError(f"tokens_per_second is {tokens_per_second}, expected a positive number, such as 25.0")
    FAMILIES[name] = Family(name, checkpoint, tokens_per_second, long_audio, audio_token_id, merge)
    return FAMILIES[name]


def family_of(model: object) -> Family:
    """The row of a model's class or of the nearest class that it derives from. Raises ValueError saying why not."""
    names = [kind.__name__ for kind in type(model).__mro__]
    for name in names:
        if name in FAMILIES:
            return FAMILIES[name]
        if name in REFUSED:
            raise ValueError(f"{name} cannot be pruned: {REFUSED[name]}")
    raise ValueError(
        f"{names[0]} is not known, expected one of {', '.join(FAMILIES)}: if its prompt holds a placeholder for every "
        f"audio token, register_model({names[0]}, tokens_per_second=...) makes it known"
    )


def placeholder_id(model: Any, family: Family) -> int:
    """The number of the placeholder that stands for an audio token. Raises ValueError where the config has none."""
    try:
        number = attrgetter(family.audio_token_id)(model.config)
    except AttributeError:
        number = None
    if number is None:
        raise ValueError(
            f"the config of {family.model_class} has no {family.audio_token_id}, so there is no audio span: register it "
            "with audio_token_id= naming where its placeholder's number stands"
        )
    return int(number)


def merged(family: Family, decoder: nn.Module, arguments: dict[str, Any]) -> dict[str, Any]:
    """A decoder's keyword arguments with the whole prompt as `inputs_embeds`."""
    if family.merge is not None and arguments.get("inputs_embeds") is None:
        return family.merge(decoder, arguments)
    if arguments.get("inputs_embeds") is None:
        raise ValueError(
            f"{type(decoder).__name__} is called with {sorted(arguments)}, expected inputs_embeds: register "
            f"{family.model_class} with merge=, which makes them"
        )
    return arguments

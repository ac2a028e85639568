"""What the adapter must know about each speech LLM of transformers: a row of data per model, and no code."""

from __future__ import annotations

from dataclasses import dataclass

from .base import Instructions, Scoring


@dataclass(frozen=True)
class ModelRow:
    """One speech LLM. The prompt is `before`, then audio or transcript or nothing, then `after`.

    `audio_token` is the placeholder that the model swaps for an audio token each. `{number}` counts a prompt's audio
    spans from 1, `{audio}` becomes the placeholders, `{transcript}` and `{instruction}` the texts.
    """

    name: str
    hub_id: str
    audio_token: str
    before: str
    audio_span: str
    transcript_span: str
    after: str
    tokens_per_second: float
    instructions: Instructions
    default_scoring: Scoring


QWEN2_AUDIO = ModelRow(
    name="qwen2-audio",
    hub_id="Qwen/Qwen2-Audio-7B-Instruct",
    audio_token="<|AUDIO|>",
    before="<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n",
    audio_span="Audio {number}: <|audio_bos|>{audio}<|audio_eos|>\n",
    transcript_span="{transcript}\n",
    after="{instruction}<|im_end|>\n<|im_start|>assistant\n",
    tokens_per_second=25.0,
    instructions=Instructions(
        open="{question}\nAnswer in a few words.",
        choice="{question}\n{choices}\nAnswer with the option's letter from the given choices directly.",
    ),
    default_scoring="letter",
)

MINI = ModelRow(
    name="mini",
    hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
    audio_token="<empty_output>",  # a reserved token that text never holds; its own embedding is never used
    before=(
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\n"
    ),
    audio_span="{audio}",
    transcript_span="{transcript}",
    after="\n\n{instruction}<|im_end|>\n<|im_start|>assistant\n",
    tokens_per_second=25.0,
    instructions=Instructions(
        open="Question: {question}\nAnswer in a few words.",
        choice="Question: {question}\n{choices}\nAnswer with the letter.",
    ),
    default_scoring="likelihood",
)

"""What the adapter must know about each speech LLM of transformers: a row of data per model, and no code."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .base import Instructions, Scoring


@dataclass(frozen=True)
class ModelRow:
    """One speech LLM. The prompt is `before`, then audio or transcript or nothing, then `after`.

    `audio_token` is the placeholder that the model swaps for an audio token each. `{number}` counts a prompt's audio
    spans from 1, `{audio}` becomes the placeholders, `{transcript}` and `{instruction}` (in `before` or `after`) the
    texts. `source` tells where the wording comes from; `revision` is the commit of the hub's files.
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
    source: str
    revision: str = "main"


QWEN2_AUDIO = ModelRow(
    name="qwen2-audio",
    hub_id="Qwen/Qwen2-Audio-7B-Instruct",
    revision="0a095220c30b7b31434169c3086508ef3ea5bf0a",
    source="the chat template of transformers' Qwen2AudioProcessor; the instructions are this project's",
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

QWEN2_AUDIO_BASE = replace(
    QWEN2_AUDIO,
    name="qwen2-audio-base",
    hub_id="Qwen/Qwen2-Audio-7B",
    revision="dd84470756e6277a71d4d7188773a43cde92696e",
    source="the example of the model's page: audio, then text, no turns; the instructions are this project's",
    before="",
    audio_span="<|audio_bos|>{audio}<|audio_eos|>",
    transcript_span="{transcript}\n",
    after="{instruction}",
    instructions=Instructions(
        open="Question: {question}\nAnswer:",
        choice="Question: {question}\n{choices}\nAnswer with the option's letter. Answer:",
    ),
)

MINI = ModelRow(
    name="mini",
    source="SmolLM2's chat template, as the model was trained",
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

MINI_QUESTION_FIRST = replace(
    MINI,
    name="mini-question-first",
    source="as the mini model's, with the question before the audio: a lever of its training, which no model of the book has",
    before=MINI.before + "{instruction}\n\n",
    after=MINI.after.removeprefix("\n\n{instruction}"),
)

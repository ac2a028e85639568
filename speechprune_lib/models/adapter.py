"""One adapter for transformers' speech LLMs: stop them at the door of their text decoder, and go on from there.

`model(**inputs)` runs encoder, projector and merge; a hook at the decoder's input takes what would have entered and
stops. The prompt can then be pruned, and the same model decodes what is left. Nothing of the model is changed.
"""

from __future__ import annotations

from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, WhisperFeatureExtractor

from ..audio import SAMPLE_RATE_HZ, SAMPLES_PER_TOKEN, as_waveform, audio_tokens, windows
from ..prompt import Plan, SpeechPrompt, apply
from .decoding import DecodingModel
from .door import decoder_input
from .rows import ModelRow

LongAudio = Literal["joined", "spans"]
"""Audio over 30 s: its windows' tokens in one audio span, or a span of its own for each window."""


@final
class TransformersSpeechModel(DecodingModel):
    """A speech LLM of transformers with a Whisper-style encoder of 30 s windows, and what its row says of it."""

    def __init__(
        self,
        row: ModelRow,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        extractor: WhisperFeatureExtractor,
        revision: str,
        long_audio: LongAudio = "joined",
    ) -> None:
        placeholder = tokenizer.convert_tokens_to_ids(row.audio_token)
        if placeholder != model.config.audio_token_id:
            raise ValueError(
                f"the tokenizer numbers {row.audio_token!r} {placeholder}, the model expects "
                f"{model.config.audio_token_id}: load both from one place"
            )
        self.row, self.name, self.revision, self.long_audio = row, row.name, revision, long_audio
        self.tokens_per_second = row.tokens_per_second
        self.instruction, self.default_scoring = row.instructions, row.default_scoring
        self.model, self.tokenizer = model.eval(), tokenizer
        self.extractor = extractor
        table = self.model.get_input_embeddings().weight
        self.device, self.dtype = table.device, table.dtype

    @torch.no_grad()
    def prepare(
        self, audio: np.ndarray | None, question: str, *, instruction: str, transcript: str | None = None
    ) -> SpeechPrompt:
        self.check_request(audio, question, instruction, transcript)
        inputs = self.model_inputs(audio, instruction, transcript)
        with decoder_input(self.model) as arguments:
            self.model(**inputs, use_cache=False)
        prompt = self._prompt(inputs["input_ids"][0], arguments, question)
        if audio is not None and prompt.audio_tokens > audio_tokens(len(audio)):  # see `_windows`
            return apply(prompt, Plan(torch.tensor([0]), prompt.audio_tokens, positions="renumbered"))
        return prompt

    @torch.no_grad()
    def ask_again(self, heard: SpeechPrompt, audio: np.ndarray, question: str, *, instruction: str) -> SpeechPrompt:
        self.check_request(audio, question, instruction, None)
        counts = [audio_tokens(len(piece)) for piece in windows(as_waveform(audio, SAMPLE_RATE_HZ))]
        if sum(counts) != heard.audio_tokens:
            raise ValueError(f"heard has {heard.audio_tokens} audio tokens, the audio {sum(counts)}: one of another")
        if sum(counts) == 1:  # see `_windows`
            return self.prepare(audio, question, instruction=instruction)
        inputs = self._text_inputs(counts, instruction)
        with decoder_input(self.model) as arguments:
            self.model(**inputs, use_cache=False)  # no features: the placeholders' own embeddings reach the door
        arguments["inputs_embeds"] = arguments["inputs_embeds"].clone()
        is_audio = inputs["input_ids"] == self.model.config.audio_token_id
        arguments["inputs_embeds"][is_audio] = heard.audio
        return self._prompt(inputs["input_ids"][0], arguments, question)

    def model_inputs(self, audio: np.ndarray | None, instruction: str, transcript: str | None = None) -> dict:
        """What the whole model takes for this prompt, the same tensors as from transformers' own processor."""
        pieces = [] if audio is None else _windows(as_waveform(audio, SAMPLE_RATE_HZ))
        inputs = self._text_inputs([audio_tokens(len(piece)) for piece in pieces], instruction, transcript)
        return inputs | (self._features(pieces) if pieces else {})

    def prompt_text(self, counts: list[int], instruction: str, transcript: str | None = None) -> str:
        """The whole prompt as text, with the placeholders of windows that have so many audio tokens."""
        middle = "" if transcript is None else self.row.transcript_span.replace("{transcript}", transcript)
        before, after = (part.replace("{instruction}", instruction) for part in (self.row.before, self.row.after))
        return before + self._spans(counts) + middle + after

    def _text_inputs(self, counts: list[int], instruction: str, transcript: str | None = None) -> dict[str, Tensor]:
        for text in (instruction, transcript or ""):
            if self.row.audio_token in text:
                raise ValueError(f"the text holds the audio placeholder {self.row.audio_token!r}: take it out")
        ids = torch.tensor([self.token_ids(self.prompt_text(counts, instruction, transcript))], device=self.device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def _features(self, pieces: list[np.ndarray]) -> dict[str, Tensor]:
        features = self.extractor(
            pieces,
            sampling_rate=SAMPLE_RATE_HZ,
            padding="max_length",
            return_attention_mask=True,
            return_tensors="pt",
        )
        return {
            "input_features": features["input_features"].to(self.device),
            "feature_attention_mask": features["attention_mask"].to(self.device),
        }

    def _spans(self, counts: list[int]) -> str:
        """The audio's place in the text; `counts` are the windows' audio tokens."""
        if self.long_audio == "joined" and counts:
            counts = [sum(counts)]
        spans = (
            self.row.audio_span.replace("{number}", str(number)).replace("{audio}", self.row.audio_token * count)
            for number, count in enumerate(counts, start=1)
        )
        return "".join(spans)

    def _prompt(self, ids: Int[Tensor, " sequence"], arguments: dict[str, Any], question: str) -> SpeechPrompt:
        positions = arguments.get("position_ids")
        if positions is None:
            positions = torch.arange(len(ids), device=self.device)[None]
        return SpeechPrompt(
            embeddings=arguments["inputs_embeds"][0],
            position_ids=positions[0],
            is_audio=ids == self.model.config.audio_token_id,
            question=self.embed(question),
            tokens_per_second=self.tokens_per_second,
            first_attention=self.first_attention,
            vocabulary_mean=self.vocabulary_mean,
        )


def _windows(waveform: np.ndarray) -> list[np.ndarray]:
    """30 s windows; a recording of one audio token is padded with silence to two, the second is cut off later.

    With a single placeholder, transformers' Qwen2-Audio mistakes the prompt for the format of its first release.
    """
    pieces = windows(waveform)
    if sum(audio_tokens(len(piece)) for piece in pieces) == 1:
        return [np.pad(pieces[0], (0, 2 * SAMPLES_PER_TOKEN - len(pieces[0])))]
    return pieces

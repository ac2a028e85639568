"""One adapter for transformers' speech LLMs: stop them at the door of their text decoder, and go on from there.

`model(**inputs)` runs encoder, projector and merge; a hook at the decoder's input takes what would have entered and
stops. The prompt can then be pruned, and the same model decodes what is left. Nothing of the model is changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase, WhisperFeatureExtractor

from ..audio import SAMPLE_RATE_HZ, SAMPLES_PER_TOKEN, as_waveform, audio_tokens, windows
from ..prompt import FirstAttention, Plan, SpeechPrompt, apply
from .base import SpeechModel
from .door import decoder_input, first_attention
from .rows import ModelRow

LongAudio = Literal["joined", "spans"]
"""Audio over 30 s: its windows' tokens in one audio span, or a span of its own for each window."""

# Greedy, whatever sampling a checkpoint's own generation config suggests.
_GREEDY: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_k": None,
    "top_p": None,
    "repetition_penalty": 1.0,
}


@final
class TransformersSpeechModel(SpeechModel):
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
        self.model: Any = model.eval()  # transformers declares unions for its parts that no use of them narrows
        self.tokenizer: Any = tokenizer
        self.extractor = extractor
        table = self.model.get_input_embeddings().weight
        self.device, self.dtype = table.device, table.dtype

    @torch.no_grad()
    def prepare(
        self, audio: np.ndarray | None, question: str, *, instruction: str, transcript: str | None = None
    ) -> SpeechPrompt:
        if audio is not None and transcript is not None:
            raise ValueError("got audio and a transcript, expected at most one: the transcript stands in for the audio")
        if not question.strip():
            raise ValueError("the question is empty: ask something about the recording")
        self._refuse_long(question, instruction)
        inputs = self.model_inputs(audio, instruction, transcript)
        with decoder_input(self.model) as arguments:
            self.model(**inputs, use_cache=False)
        prompt = self._prompt(inputs["input_ids"][0], arguments, question)
        if audio is not None and prompt.audio_tokens > audio_tokens(len(audio)):  # see `_windows`
            return apply(prompt, Plan(torch.tensor([0]), prompt.audio_tokens, positions="renumbered"))
        return prompt

    def model_inputs(self, audio: np.ndarray | None, instruction: str, transcript: str | None = None) -> dict:
        """What the whole model takes for this prompt, the same tensors as from transformers' own processor."""
        for text in (instruction, transcript or ""):
            if self.row.audio_token in text:
                raise ValueError(f"the text holds the audio placeholder {self.row.audio_token!r}: take it out")
        pieces = [] if audio is None else _windows(as_waveform(audio, SAMPLE_RATE_HZ))
        middle = "" if transcript is None else self.row.transcript_span.replace("{transcript}", transcript)
        text = self.row.before + self._spans([audio_tokens(len(p)) for p in pieces]) + middle
        text += self.row.after.replace("{instruction}", instruction)
        ids = torch.tensor([self.token_ids(text)], device=self.device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return inputs | (self._features(pieces) if pieces else {})

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
            "position_ids": prompt.position_ids[None],
        }

    @torch.no_grad()
    def next_logits(self, prompt: SpeechPrompt) -> Float[Tensor, " vocabulary"]:
        hidden = self._decoder(**self.decoder_inputs(prompt), use_cache=False).last_hidden_state
        return self._logits(hidden[0, -1])

    @torch.no_grad()
    def option_scores(self, prompt: SpeechPrompt, options: Sequence[str]) -> Float[Tensor, " options"]:
        replies = [torch.tensor(self.token_ids(option), device=self.device) for option in options]
        if not replies or any(len(reply) == 0 for reply in replies):
            raise ValueError(f"expected options that are not empty, got {list(options)!r}")
        prefix = self._decoder(**self.decoder_inputs(prompt), use_cache=True)
        padded = pad_sequence(replies, batch_first=True)
        first = self._logits(prefix.last_hidden_state[:, -1:]).expand(len(replies), 1, -1)
        logits = torch.cat([first, self._logits_after(prompt, prefix.past_key_values, padded[:, :-1])], dim=1)
        of_token = logits.log_softmax(-1).gather(-1, padded[..., None]).squeeze(-1)
        return torch.stack([scores[: len(reply)].mean() for scores, reply in zip(of_token, replies, strict=True)])

    @torch.no_grad()
    def generate(self, prompt: SpeechPrompt, max_new_tokens: int = 32) -> str:
        padding = self.tokenizer.pad_token_id
        ids = self.model.generate(
            **self.decoder_inputs(prompt), max_new_tokens=max_new_tokens, pad_token_id=padding, **_GREEDY
        )
        return self.decode(ids[0].tolist()).strip()

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
        """The projections that phase 2 binarizes."""
        return first_attention(self._decoder)

    def _refuse_long(self, *texts: str) -> None:
        limit = self._decoder.config.max_position_embeddings
        for text in texts:
            if (count := len(self.token_ids(text))) >= limit:
                raise ValueError(
                    f"{text[:40]!r}... has {count} tokens, {self.name} reads {limit} in all: ask in fewer words"
                )

    @property
    def _decoder(self) -> Any:
        return self.model.get_decoder()

    def _logits(self, hidden: Float[Tensor, "*shape dim"]) -> Float[Tensor, "*shape vocabulary"]:
        return self.model.get_output_embeddings()(hidden).float()

    def _logits_after(
        self, prompt: SpeechPrompt, cache: Cache, replies: Int[Tensor, "options tokens"]
    ) -> Float[Tensor, "options tokens vocabulary"]:
        """Logits behind each token of the replies. They are padded on the right, where no earlier token looks."""
        options, tokens = replies.shape
        if tokens == 0:
            return torch.empty(options, 0, self._decoder.config.vocab_size, device=self.device)
        cache.batch_repeat_interleave(options)
        steps = torch.arange(1, tokens + 1, device=self.device)
        hidden = self._decoder(
            inputs_embeds=self.model.get_input_embeddings()(replies),
            attention_mask=torch.ones(options, len(prompt.is_audio) + tokens, dtype=torch.long, device=self.device),
            position_ids=(prompt.position_ids[-1] + steps).expand(options, -1),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        return self._logits(hidden)

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
        words = torch.tensor(self.token_ids(question), device=self.device)
        return SpeechPrompt(
            embeddings=arguments["inputs_embeds"][0],
            position_ids=positions[0],
            is_audio=ids == self.model.config.audio_token_id,
            question=self.model.get_input_embeddings()(words),
            tokens_per_second=self.tokens_per_second,
            first_attention=self.first_attention,
        )


def _windows(waveform: np.ndarray) -> list[np.ndarray]:
    """30 s windows; a recording of one audio token is padded with silence to two, the second is cut off later.

    With a single placeholder, transformers' Qwen2-Audio mistakes the prompt for the format of its first release.
    """
    pieces = windows(waveform)
    if sum(audio_tokens(len(piece)) for piece in pieces) == 1:
        return [np.pad(pieces[0], (0, 2 * SAMPLES_PER_TOKEN - len(pieces[0])))]
    return pieces

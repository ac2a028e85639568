"""Any family of `FAMILIES` behind the contract of every model here, prompts made by its own processor.

So that a benchmark can be put to it. To prune inside your own code you need none of this: see `plug_in.prune`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForMultimodalLM, AutoProcessor, GenerationMixin

from ..audio import SAMPLE_RATE_HZ, as_waveform
from ..prompt import SpeechPrompt
from .base import Instructions
from .decoding import DecodingModel
from .door import decoder_input
from .families import family_of, placeholder_id
from .rows import QWEN2_AUDIO

MakeInputs = Callable[[np.ndarray | None, str], Mapping[str, Tensor]]
"""(16 kHz mono or None, the text of the turn) -> what the model's forward takes."""

CUT_SHARE = 0.9
"""Fewer audio tokens than this share of what the recording should give: the processor has cut it."""


@final
class AnySpeechModel(DecodingModel):
    """A speech LLM of transformers with its processor.

    make_inputs: how a prompt is made, if the processor's chat template (a user's turn of audio, then text) is not to.
    Raises ValueError for families that are not known, and for a processor of another sampling rate.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        name: str,
        revision: str,
        make_inputs: MakeInputs | None = None,
        instruction: Instructions = QWEN2_AUDIO.instructions,
    ) -> None:
        self.model = getattr(model, "thinker", model).eval()
        self.family, self.name, self.revision = family_of(self.model), name, revision
        self.tokens_per_second = self.family.tokens_per_second
        self.default_scoring, self.instruction = "letter", instruction
        self.processor, self.tokenizer = processor, getattr(processor, "tokenizer", processor)
        self.make_inputs = self._chat if make_inputs is None else make_inputs
        rate = getattr(getattr(processor, "feature_extractor", None), "sampling_rate", SAMPLE_RATE_HZ)
        if rate != SAMPLE_RATE_HZ:
            raise ValueError(f"{name} hears {rate} Hz, expected a model of {SAMPLE_RATE_HZ} Hz")
        table = self.model.get_input_embeddings().weight
        self.device, self.dtype = table.device, table.dtype

    @torch.no_grad()
    def prepare(
        self, audio: np.ndarray | None, question: str, *, instruction: str, transcript: str | None = None
    ) -> SpeechPrompt:
        self.check_request(audio, question, instruction, transcript)
        text = instruction if transcript is None else f"{transcript}\n{instruction}"
        waveform = None if audio is None else as_waveform(audio, SAMPLE_RATE_HZ)
        inputs = {name: self._placed(value) for name, value in self.make_inputs(waveform, text).items()}
        with decoder_input(self.model, self.family) as arguments:
            self.model(**inputs, use_cache=False)
        self._refuse_more(arguments)
        embeddings, positions = arguments["inputs_embeds"][0], arguments.get("position_ids")
        is_audio = inputs["input_ids"][0] == placeholder_id(self.model, self.family)
        self._refuse_cut(waveform, int(is_audio.sum()))
        return SpeechPrompt(
            embeddings=embeddings,
            position_ids=torch.arange(len(embeddings), device=self.device)
            if positions is None
            else positions[..., 0, :],
            is_audio=is_audio,
            question=self.embed(question),
            tokens_per_second=self.tokens_per_second,
            first_attention=self.first_attention,
            vocabulary_mean=self.vocabulary_mean,
        )

    def run_generate(self, **arguments: Any) -> Any:
        """transformers' generate itself: Granite's own turns its LoRA adapter off where it sees no audio features."""
        plain: Any = GenerationMixin
        return plain.generate(self.model, **arguments)

    def _chat(self, waveform: np.ndarray | None, text: str) -> Mapping[str, Tensor]:
        content: list[dict[str, Any]] = [] if waveform is None else [{"type": "audio", "audio": waveform}]
        turn = {"role": "user", "content": [*content, {"type": "text", "text": text}]}
        return self.processor.apply_chat_template(
            [turn], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )

    def _placed(self, value: Tensor) -> Tensor:
        return value.to(self.device, self.dtype if value.is_floating_point() else value.dtype)

    def _refuse_more(self, arguments: dict[str, Any]) -> None:
        """A prompt here is embeddings and positions; what else a decoder takes for every token would be lost."""
        shape = arguments["inputs_embeds"].shape[:2]
        known = ("inputs_embeds", "position_ids", "attention_mask")
        more = [k for k, v in arguments.items() if k not in known and isinstance(v, Tensor) and v.shape[:2] == shape]
        if more:
            raise ValueError(
                f"{self.name}'s decoder also takes {', '.join(more)}: prune inside its generate, by `prune`"
            )

    def _refuse_cut(self, waveform: np.ndarray | None, tokens: int) -> None:
        expected = 0.0 if waveform is None else len(waveform) / SAMPLE_RATE_HZ * self.family.tokens_per_second
        if tokens < CUT_SHARE * expected - 1:
            raise ValueError(
                f"the processor made {tokens} audio tokens of a recording that has {expected:.0f}: it was cut "
                f"({self.family.long_audio or 'see its options'}); pass make_inputs= that hands over all of it"
            )


def load_any(
    device: str | torch.device = "cuda", source: str = "", dtype: str | torch.dtype = "auto"
) -> AnySpeechModel:
    """A model of the hub or of a folder, of any family. "auto" is the checkpoint's dtype, float32 on a CPU."""
    device = torch.device(device)
    chosen = torch.float32 if dtype == "auto" and device.type == "cpu" else dtype
    print(f"{source}: a first download may be large, see its page on the hub", file=sys.stderr)
    model = AutoModelForMultimodalLM.from_pretrained(source, dtype=chosen, device_map={"": device})
    commit = getattr(model.config, "_commit_hash", None) or "local"
    return AnySpeechModel(model.requires_grad_(False), AutoProcessor.from_pretrained(source), source, commit[:12])

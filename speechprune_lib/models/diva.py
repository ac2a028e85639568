"""DiVA, the paper's second model, without its remote code: Whisper's encoder, a connector of 448 queries, Llama-3.

Held et al., "Distilling an End-to-End Voice Assistant Without Instruction Training Data", arXiv 2410.02678; the
published checkpoint's keys and forward pass are those of its `modeling_diva.py`.

The connector is Whisper's decoder, run over learned queries: each window of 30 s becomes 448 audio tokens. Query i is
not second i / 14.9: the queries read the window in whatever order they learned. So the tokens have no length in time,
phase 1's frames are groups of queries, and the time of a token is where its cross-attention looks most.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, Literal, cast, final

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)
from transformers.models.whisper.modeling_whisper import WhisperDecoder, WhisperEncoder

from ..audio import CONV_STRIDE, HOP_SAMPLES, SAMPLE_RATE_HZ, WINDOW_SECONDS, as_waveform, windows
from ..prompt import SpeechPrompt
from .base import Instructions
from .decoding import DecodingModel

HUB_ID = "WillHeld/DiVA-llama-3-v0-8b"
QUERIES = 448
END_OF_TURN = "<|eot_id|>"
FRAME_SECONDS = HOP_SAMPLES * CONV_STRIDE / SAMPLE_RATE_HZ

Order = Literal["text-first", "audio-first"]
"""The question before the audio, as in the published code, or behind it, as in the model's first demonstration."""

INSTRUCTIONS = Instructions(
    open="{question}\nAnswer in a few words.",
    choice="{question}\n{choices}\nAnswer with the option's letter from the given choices directly.",
)


class Connector(nn.Module):
    """Whisper's decoder over learned queries, and a projection into the language model's space."""

    def __init__(self, decoder: WhisperDecoder, queries: Float[Tensor, "queries width"], projection: nn.Linear) -> None:
        super().__init__()
        self.decoder, self.projection = decoder, projection
        self.query_tokens = nn.Parameter(queries, requires_grad=False)

    def forward(self, frames: Float[Tensor, "windows frames width"]) -> Float[Tensor, "windows queries dim"]:
        queries = self.query_tokens.expand(len(frames), -1, -1)
        read = self.decoder(inputs_embeds=queries, encoder_hidden_states=frames, use_cache=False).last_hidden_state
        return self.projection(read)

    def attention(self, frames: Float[Tensor, "windows frames width"]) -> Float[Tensor, "windows queries frames"]:
        """How much each query looks at each encoder frame: cross-attention, mean over layers and heads."""
        maps: list[Tensor] = []
        with _cross_attention(self.decoder, maps):
            self(frames)
        return torch.stack(maps).mean(0)


@final
class DivaModel(DecodingModel):
    """DiVA behind the contract of every speech LLM here.

    order: see `Order`; which one the paper used is not known. group: queries in what is a second elsewhere; it divides
    the 448 of a window, so that no group spans two windows. Neither the paper's f nor its budget for DiVA is stated.
    """

    name = "diva"
    tokens_per_second = None
    default_scoring = "letter"
    instruction = INSTRUCTIONS

    def __init__(
        self,
        encoder: WhisperEncoder,
        connector: Connector,
        llm: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        extractor: WhisperFeatureExtractor,
        revision: str,
        order: Order = "text-first",
        group: int = 16,
    ) -> None:
        self.queries = len(connector.query_tokens)
        if order not in ("text-first", "audio-first"):
            raise ValueError(f"order is {order!r}, expected 'text-first' or 'audio-first'")
        if group < 1 or self.queries % group:
            raise ValueError(f"group is {group}, expected a divisor of the {self.queries} queries, such as 16")
        self.encoder, self.connector = encoder.eval(), connector.eval()
        self.model, self.tokenizer = llm.eval(), tokenizer
        self.extractor, self.revision, self.order, self.group = extractor, revision, order, group
        table = self.model.get_input_embeddings().weight
        self.device, self.dtype = table.device, table.dtype
        vocabulary = self.tokenizer.get_vocab()
        self.end_token_ids = [vocabulary.get(END_OF_TURN, self.tokenizer.eos_token_id)]

    @torch.no_grad()
    def prepare(
        self, audio: np.ndarray | None, question: str, *, instruction: str, transcript: str | None = None
    ) -> SpeechPrompt:
        self.check_request(audio, question, instruction, transcript)
        pieces = [] if audio is None else windows(as_waveform(audio, SAMPLE_RATE_HZ))
        frames = self._frames(pieces) if pieces else None
        middle = self._words("" if transcript is None else transcript) if frames is None else self._tokens(frames)
        times = cache(partial(self._times, frames, [len(piece) for piece in pieces]))
        return self._prompt(middle, frames is not None, question, instruction, times)

    @torch.no_grad()
    def ask_again(self, heard: SpeechPrompt, audio: np.ndarray, question: str, *, instruction: str) -> SpeechPrompt:
        self.check_request(audio, question, instruction, None)
        return self._prompt(heard.audio, True, question, instruction, lambda: cast(Tensor, heard.clock))

    def _prompt(
        self,
        middle: Float[Tensor, "middle dim"],
        is_heard: bool,
        question: str,
        instruction: str,
        times: Callable[[], Float[Tensor, "audio 2"]],
    ) -> SpeechPrompt:
        """The texts around the audio tokens, or around what stands in for them."""
        before, behind = (self._words(*texts) for texts in self._around(instruction))
        embeddings = torch.cat([before, middle, behind])
        is_audio = torch.zeros(len(embeddings), dtype=torch.bool, device=self.device)
        is_audio[len(before) : len(before) + len(middle)] = is_heard
        return SpeechPrompt(
            embeddings=embeddings,
            position_ids=torch.arange(len(embeddings), device=self.device),
            is_audio=is_audio,
            question=self.embed(question),
            tokens_per_second=None,
            first_attention=self.first_attention,
            vocabulary_mean=self.vocabulary_mean,
            frame_tokens=self.group,
            token_times=times,
        )

    def _around(self, instruction: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Texts before and behind the audio, each tokenized by itself, as the published code does."""
        opening, closing = self._template
        if self.order == "audio-first":
            return (opening,), ("\n\n", instruction, closing)
        lines = [line for line in opening.split("\n") if line.strip()]
        return (f"{lines[0]}\n", instruction, f"\n{lines[-1]}\n"), (closing,)

    @cached_property
    def _template(self) -> tuple[str, str]:
        """What the tokenizer's chat template puts around a user's words."""
        turn = [{"role": "user", "content": "PLACEHOLDER"}]
        opening, closing = self.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True).split(
            "PLACEHOLDER"
        )
        return opening, closing

    def _frames(self, pieces: list[np.ndarray]) -> Float[Tensor, "windows frames width"]:
        features = self.extractor(pieces, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")["input_features"]
        return self.encoder(features.to(self.encoder.device, self.encoder.dtype)).last_hidden_state

    def _tokens(self, frames: Float[Tensor, "windows frames width"]) -> Float[Tensor, "audio dim"]:
        return self.connector(frames).flatten(0, 1).to(self.device, self.dtype)

    def _words(self, *texts: str) -> Float[Tensor, "words dim"]:
        ids = [token for text in texts for token in self.token_ids(text)]
        return self.model.get_input_embeddings()(torch.tensor(ids, dtype=torch.long, device=self.device))

    @torch.no_grad()
    def _times(
        self, frames: Float[Tensor, "windows frames width"] | None, samples: list[int]
    ) -> Float[Tensor, "audio 2"]:
        """The encoder frame that each query looks at most, among those that the recording fills, in seconds."""
        if frames is None:
            return torch.zeros(0, 2)
        looked = self.connector.attention(frames).float().cpu()
        filled = torch.tensor([max(1, -(-count // (HOP_SAMPLES * CONV_STRIDE))) for count in samples])
        outside = torch.arange(looked.shape[-1]) >= filled[:, None]
        best: Int[Tensor, "windows queries"] = looked.masked_fill(outside[:, None], -1.0).argmax(-1)
        start = best * FRAME_SECONDS + torch.arange(len(samples))[:, None] * float(WINDOW_SECONDS)
        return torch.stack([start, start + FRAME_SECONDS], dim=-1).flatten(0, 1)


def load_diva(
    device: str | torch.device = "cuda",
    source: str = HUB_ID,
    order: Order = "text-first",
    group: int = 16,
    dtype: torch.dtype = torch.float16,
    force: bool = False,
) -> DivaModel:
    """Load the connector from `source` (hub or folder), and the encoder and the language model that its config names.

    The language model (Llama-3-8B-Instruct, which its makers give out on request) is read in `dtype`, the published
    code's float16; encoder and connector in float32. About 23 GB; a CPU is refused unless `force`. Raises ValueError
    for a checkpoint whose keys or shapes are others.
    """
    device = torch.device(device)
    if device.type != "cuda" and not force and source == HUB_ID:
        raise ValueError(f"DiVA on a {device.type} would take 23 GB and minutes an answer: insist with force=True")
    config, weights, commit = _files(source)
    whisper: Any = WhisperModel.from_pretrained(config["reference_encoder"], dtype=torch.float32)
    extractor = WhisperFeatureExtractor.from_pretrained(config["reference_encoder"])
    connector = read_connector(load_file(weights), whisper.config)
    encoder, whisper = whisper.encoder.to(device).requires_grad_(False), None  # its decoder goes, the connector's stays
    llm = AutoModelForCausalLM.from_pretrained(config["reference_decoder"], dtype=dtype, device_map={"": device})
    tokenizer = AutoTokenizer.from_pretrained(config["reference_decoder"])
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = END_OF_TURN
    return DivaModel(
        encoder, connector.to(device), llm.requires_grad_(False), tokenizer, extractor, commit[:12], order, group
    )


def read_connector(state: dict[str, Tensor], config: WhisperConfig) -> Connector:
    """The connector of the published keys, over their own memory: nothing is copied.

    `projection.weight` is stored transposed. Raises ValueError for missing keys, unknown ones and other shapes.
    """
    lacking = [name for name in ("query_tokens", "projection.weight", "projection.bias") if name not in state]
    if lacking:
        raise ValueError(f"the checkpoint has no {', '.join(lacking)}, expected those of DiVA: fetch it again")
    with torch.device("meta"):  # every weight comes from the file: make none
        decoder = WhisperDecoder(config)
        projection = nn.Linear(state["projection.weight"].shape[0], state["projection.weight"].shape[1])
    parts: list[tuple[nn.Module, dict[str, Tensor]]] = [
        (projection, {"weight": state["projection.weight"].T, "bias": state["projection.bias"]}),
        (decoder, {name.removeprefix("connector."): state[name] for name in state if name.startswith("connector.")}),
    ]
    for module, values in parts:
        try:
            module.load_state_dict(values, strict=True, assign=True)
        except RuntimeError as error:
            raise ValueError(f"the checkpoint does not fit {config.d_model} dimensions of Whisper: {error}") from error
    if state["query_tokens"].shape[1] != config.d_model:
        raise ValueError(f"query_tokens are {tuple(state['query_tokens'].shape)}, expected (queries, {config.d_model})")
    return Connector(decoder.requires_grad_(False), state["query_tokens"], projection.requires_grad_(False))


def _files(source: str) -> tuple[dict[str, Any], Path, str]:
    """Config, weights and commit of the checkpoint."""
    folder = Path(source)
    if folder.is_dir():
        config, weights, commit = folder / "config.json", folder / "model.safetensors", "local"
    else:
        from huggingface_hub import hf_hub_download

        config = Path(hf_hub_download(source, "config.json"))
        weights, commit = Path(hf_hub_download(source, "model.safetensors")), config.parent.name
    for file in (config, weights):
        if not file.is_file():
            raise FileNotFoundError(f"{source} lacks {file.name}: expected a copy of {HUB_ID}")
    return json.loads(config.read_text()), weights, commit


@contextmanager
def _cross_attention(decoder: WhisperDecoder, maps: list[Tensor]) -> Iterator[None]:
    """Inside the block, every layer's cross-attention over the encoder, averaged over its heads, is appended.

    Computed from the layer's own projections: no kernel need return its map.
    """

    def look(module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        hidden, frames = args[0] if args else kwargs["hidden_states"], kwargs["key_value_states"]
        queries = (module.q_proj(hidden) * module.scaling).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        keys = module.k_proj(frames).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)
        maps.append((queries @ keys.mT).softmax(-1).mean(1))

    layers: Any = decoder.layers
    hooks = [layer.encoder_attn.register_forward_pre_hook(look, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

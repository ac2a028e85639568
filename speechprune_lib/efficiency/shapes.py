"""The sizes of a speech LLM that its cost depends on: from a transformers config, or written down from a public one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..audio import POOL_STRIDE, WINDOW_TOKENS
from ..models.base import SpeechModel

WINDOW_FRAMES = WINDOW_TOKENS * POOL_STRIDE
"""Frames of one 30 s window in the encoder's attention."""


@dataclass(frozen=True)
class DecoderShape:
    """A Llama-style text decoder: gated MLP, no absolute positions. `tied`: the head reuses the embedding table."""

    layers: int
    hidden: int
    heads: int
    key_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool = False

    @property
    def layer_weights(self) -> int:
        """Entries of one layer's matrices: a token costs two operations for each."""
        attention = 2 * self.hidden * self.heads * self.head_dim + 2 * self.hidden * self.key_heads * self.head_dim
        return attention + 3 * self.hidden * self.intermediate

    @property
    def block_weights(self) -> int:
        return self.layers * self.layer_weights

    @property
    def head_weights(self) -> int:
        return self.vocabulary * self.hidden


@dataclass(frozen=True)
class EncoderShape:
    """A Whisper encoder: two convolutions of width 3 (the second halves the frames), then layers with a plain MLP."""

    layers: int
    hidden: int
    intermediate: int
    mel_bins: int

    @property
    def layer_weights(self) -> int:
        return 4 * self.hidden**2 + 2 * self.hidden * self.intermediate

    @property
    def weights(self) -> int:
        """Entries of its matrices, and of its table of positions."""
        convolutions = 3 * self.hidden * (self.mel_bins + self.hidden)
        return self.layers * self.layer_weights + convolutions + WINDOW_FRAMES * self.hidden


@dataclass(frozen=True)
class ModelShape:
    """`projector_weights`: entries of the matrices that every audio token passes between encoder and decoder."""

    name: str
    decoder: DecoderShape
    encoder: EncoderShape
    projector_weights: int


QWEN2_AUDIO_SHAPE = ModelShape(
    "qwen2-audio",
    DecoderShape(layers=32, hidden=4096, heads=32, key_heads=32, head_dim=128, intermediate=11008, vocabulary=156_032),
    EncoderShape(layers=32, hidden=1280, intermediate=5120, mel_bins=128),
    projector_weights=1280 * 4096,
)
"""Qwen2-Audio-7B as its public config.json has it; the defaults of transformers' class are another model's."""

QWEN2_1_5B = DecoderShape(
    layers=28, hidden=1536, heads=12, key_heads=2, head_dim=128, intermediate=8960, vocabulary=151_936, tied=True
)
"""Qwen2-1.5B, the one model that the paper's remark on 15,000 tokens fits."""


def decoder_shape(config: Any) -> DecoderShape:
    """From a transformers config of a text model. Raises ValueError naming the sizes that it lacks."""
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")
    layers, hidden, heads, intermediate, vocabulary = _sizes(config, names)
    return DecoderShape(
        layers,
        hidden,
        heads,
        getattr(config, "num_key_value_heads", None) or heads,
        getattr(config, "head_dim", None) or hidden // heads,
        intermediate,
        vocabulary,
        bool(getattr(config, "tie_word_embeddings", False)),
    )


def encoder_shape(config: Any) -> EncoderShape:
    """From a transformers config of a Whisper encoder. Raises ValueError naming the sizes that it lacks."""
    return EncoderShape(*_sizes(config, ("encoder_layers", "d_model", "encoder_ffn_dim", "num_mel_bins")))


def model_shape(model: SpeechModel) -> ModelShape:
    """Of a loaded model of transformers. Raises ValueError for a model that does not tell its sizes."""
    inner = getattr(model, "model", None)
    config = getattr(inner, "config", None)
    if inner is None or config is None or not hasattr(config, "audio_config"):
        raise ValueError(
            f"{model.name} has no transformers config with audio_config and text_config, which its cost is counted "
            "from: give a model of that kind, or write its ModelShape down"
        )
    projector = inner.model.multi_modal_projector
    weights = sum(weight.numel() for weight in projector.parameters() if weight.ndim > 1)
    return ModelShape(model.name, decoder_shape(config.text_config), encoder_shape(config.audio_config), weights)


def _sizes(config: Any, names: tuple[str, ...]) -> list[int]:
    missing = [name for name in names if not isinstance(getattr(config, name, None), int)]
    if missing:
        raise ValueError(
            f"{type(config).__name__} has no {', '.join(missing)}, expected whole numbers: a cost is counted from them"
        )
    return [getattr(config, name) for name in names]

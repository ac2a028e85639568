"""The whole cost of an answer in closed form: operations and bytes of every stage, for any model and length of audio.

An operation is an addition or a multiplication. Matrix products count, and the attention's two; norms, softmax and
activations, about one in a thousand, do not. Prefill attention is causal and the head reads one position, as the
library runs them (Table I's tools count otherwise: `table1.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..audio import SAMPLE_RATE_HZ, WINDOW_TOKENS, audio_tokens
from ..prompt import kept_count
from .shapes import WINDOW_FRAMES, DecoderShape, EncoderShape, ModelShape
from .table1 import HALF_BYTES, TABLE_1_TEXT_TOKENS

QUESTION_WORDS = 30
"""Tokens of a question, for counts that do not know it; phase 1 hardly depends on them."""


@dataclass(frozen=True)
class Cost:
    """Operations of the stages of one answer; `decode` is of one reply token."""

    encoder: int
    pruner: int
    prefill: int
    decode: int

    @property
    def before_the_reply(self) -> int:
        return self.encoder + self.pruner + self.prefill


@dataclass(frozen=True)
class Memory:
    """Bytes at 16 bits: weights of the whole model, keys and values of the prompt, the widest moment of one layer."""

    weights: int
    cache: int
    activations: int

    @property
    def peak(self) -> int:
        return self.weights + self.cache + self.activations


def count_answer(
    shape: ModelShape, seconds: float, rate: float | None, text_tokens: int = TABLE_1_TEXT_TOKENS
) -> tuple[Cost, Memory]:
    """SpeechPrune at `rate` on `seconds` of audio; rate None reads all of it and prunes nothing.

    Audio within the budget at rate 0 is not pruned either. Raises ValueError for audio without length.
    """
    if not seconds > 0:
        raise ValueError(f"the audio lasts {seconds} s, expected more than 0")
    total = audio_tokens(max(1, round(seconds * SAMPLE_RATE_HZ)))
    kept = total if rate is None else min(total, kept_count(WINDOW_TOKENS, rate))
    windows, decoder = -(-total // WINDOW_TOKENS), shape.decoder
    prompt = kept + text_tokens
    cost = Cost(
        count_encoder(shape.encoder, windows) + count_projector(shape, windows),
        0 if kept == total else count_pruner(decoder, total, min(total, WINDOW_TOKENS)),
        count_prefill(decoder, prompt),
        count_decode(decoder, prompt),
    )
    activations = max(count_encoder_activations(shape.encoder, windows), count_decoder_activations(decoder, prompt))
    return cost, Memory(count_weight_bytes(shape), count_cache_bytes(decoder, prompt), activations)


def count_encoder(encoder: EncoderShape, windows: int) -> int:
    """Every 30 s window costs the same, full or not: Whisper's encoder takes nothing shorter."""
    frames = WINDOW_FRAMES
    convolutions = 2 * 3 * encoder.hidden * (2 * frames * encoder.mel_bins + frames * encoder.hidden)
    linear = 2 * frames * encoder.layer_weights
    attention = 2 * 2 * frames**2 * encoder.hidden
    return windows * (convolutions + encoder.layers * (linear + attention))


def count_projector(shape: ModelShape, windows: int) -> int:
    return 2 * shape.projector_weights * windows * WINDOW_TOKENS


def count_pruner(
    decoder: DecoderShape, tokens: int, survivors: int, words: int = QUESTION_WORDS, naive: bool = False
) -> int:
    """Phase 1 over `tokens`, phase 2 over its `survivors` (0: phase 1 alone).

    Phase 1 is a norm and one dot product a token; `naive`: one with every word, as Eq. 4 is written. Phase 2 is the
    two products with the weights' signs, and the scores; its operations are of int8, where the device has them.
    """
    similarity = (2 * (words if naive else 1) + 3) * tokens * decoder.hidden + 3 * words * decoder.hidden
    projections = 2 * survivors * decoder.hidden * (decoder.heads + decoder.key_heads) * decoder.head_dim
    scores = 2 * survivors**2 * decoder.heads * decoder.head_dim
    return similarity + projections + scores


def count_prefill(decoder: DecoderShape, tokens: int) -> int:
    """Blocks over the prompt, each token attending to itself and what is before it, and the head at the last."""
    pairs = tokens * (tokens + 1) // 2
    attention = 2 * 2 * pairs * decoder.heads * decoder.head_dim * decoder.layers
    return 2 * decoder.block_weights * tokens + attention + 2 * decoder.head_weights


def count_decode(decoder: DecoderShape, context: int) -> int:
    """One reply token behind `context` others: what the prefill of one more token adds, and the head."""
    return count_prefill(decoder, context + 1) - count_prefill(decoder, context) + 2 * decoder.head_weights


def count_weight_bytes(shape: ModelShape) -> int:
    """The whole model at 16 bits, without norms and biases (two in ten thousand)."""
    decoder = shape.decoder
    tables = (1 if decoder.tied else 2) * decoder.head_weights
    return HALF_BYTES * (decoder.block_weights + tables + shape.encoder.weights + shape.projector_weights)


def count_cache_bytes(decoder: DecoderShape, tokens: int) -> int:
    return HALF_BYTES * 2 * decoder.layers * decoder.key_heads * decoder.head_dim * tokens


def count_decoder_activations(decoder: DecoderShape, tokens: int) -> int:
    """The MLP's moment: residual and input, gate, up and their product; attention that keeps no map is narrower."""
    return HALF_BYTES * tokens * (2 * decoder.hidden + 3 * decoder.intermediate)


def count_encoder_activations(encoder: EncoderShape, windows: int) -> int:
    """All windows go through as one batch: residual and input, and the MLP before and after its activation."""
    return HALF_BYTES * windows * WINDOW_FRAMES * (2 * encoder.hidden + 2 * encoder.intermediate)

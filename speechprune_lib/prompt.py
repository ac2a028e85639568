"""The words that models and pruners share: `SpeechPrompt`, `Plan`, `apply`, `kept_count`.

A model turns audio and a question into a `SpeechPrompt`; a pruner looks at it and decides a `Plan`; `apply` is the one
place where tensors are cut. Neither side knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float, Int, Int8
from torch import Tensor

Positions = Literal["original", "renumbered"]

Text = Literal["question", "content", "options"]
"""What the audio is compared with: the question (the paper's T), its content words alone, or it and its options."""

Clock = float | Float[Tensor, "audio 2"]
"""When audio tokens are heard: how many there are in a second, one after the other, or (start, end) seconds of each."""

WINDOW_TOKENS = 750
"""Audio tokens in 30 s: the budget that pruning rates refer to (Table I: rate 0.2 keeps 600)."""


@dataclass(frozen=True)
class FirstAttention:
    """Query and key projections of the LLM's first attention layer, as stored by `torch.nn.Linear` (out, in).

    `normalize` is that layer's input norm, (tokens, dim) -> (tokens, dim). Biases are not carried: Eq. 10 ignores them.
    `project` gives what the layer really multiplies, biases, norms of heads and rotary positions included: (tokens, dim)
    and the positions (tokens,) -> queries and keys, (heads, tokens, head_dim), key heads repeated, scaled so that their
    products divided by the root of head_dim are the layer's scores. None where a model's layer is of an unknown make.
    """

    query_weight: Float[Tensor, "query_out dim"]
    key_weight: Float[Tensor, "key_out dim"]
    query_heads: int
    key_heads: int
    normalize: Callable[[Tensor], Tensor]
    project: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None

    @cached_property
    def signs(self) -> tuple[Int8[Tensor, "query_out dim"], Int8[Tensor, "key_out dim"]]:
        """Signs of both weights, taken once: whoever hands out one object a model pays for them once."""
        return signs(self.query_weight), signs(self.key_weight)


def signs(tensor: Float[Tensor, "*shape"]) -> Int8[Tensor, "*shape"]:
    """+1 or -1; the sign of 0 is +1."""
    return (tensor.detach() >= 0).to(torch.int8) * 2 - 1


def all_finite(tensor: Float[Tensor, "*shape"]) -> bool:
    """Whether no entry is NaN or infinity, without a mask as large as the tensor: both extremes are told by NaN."""
    return tensor.numel() == 0 or bool(torch.isfinite(torch.stack(torch.aminmax(tensor.detach()))).all())


@dataclass(frozen=True)
class SpeechPrompt:
    """What enters the LLM's first layer for one question about one recording.

    `embeddings` is the whole sequence (text before, audio, text after); `is_audio` marks the audio tokens, in time
    order. `question` holds the embeddings of the question's text alone (no template, no special tokens: the paper's T).
    `position_ids` may be fractional. `tokens_per_second` counts audio tokens before any pruning; it is None where their
    order is not that of time (DiVA's queries): `frame_tokens` of them then make what else is a second, and `token_times`
    says where each mostly listens. `vocabulary_mean` is the mean embedding of all tokens of the language model, and `texts`
    gives embeddings of what else than the question the audio may be compared with; both where somebody knows them.
    """

    embeddings: Float[Tensor, "sequence dim"]
    position_ids: Int[Tensor, "*axes sequence"] | Float[Tensor, "*axes sequence"]
    is_audio: Bool[Tensor, " sequence"]
    question: Float[Tensor, "words dim"]
    tokens_per_second: float | None
    first_attention: Callable[[], FirstAttention]
    frame_tokens: int | None = None
    token_times: Callable[[], Float[Tensor, "audio 2"]] | None = None
    vocabulary_mean: Callable[[], Float[Tensor, " dim"]] | None = None
    texts: Callable[[Text], Float[Tensor, "words dim"]] | None = None

    def __post_init__(self) -> None:
        if not all_finite(self.embeddings):
            raise ValueError("the prompt's embeddings hold NaN or infinity: check the audio and the model's dtype")
        if self.tokens_per_second is None and (self.frame_tokens is None or self.token_times is None):
            raise ValueError("a prompt without tokens_per_second needs frame_tokens and token_times in its place")

    @property
    def audio(self) -> Float[Tensor, "audio dim"]:
        """The audio tokens' embeddings (the paper's S); no copy where they are one stretch of the sequence."""
        positions, stretch = self._where
        return self.embeddings[positions if stretch is None else stretch]

    @property
    def audio_tokens(self) -> int:
        return len(self._where[0])

    @cached_property
    def _where(self) -> tuple[Int[Tensor, " audio"], slice | None]:
        """Positions of the audio tokens, read once: every look at a GPU's tensor makes the host wait."""
        positions = self.is_audio.nonzero().squeeze(1)
        if len(positions) == 0:
            return positions, slice(0)
        first, last = positions[[0, -1]].tolist()
        return positions, slice(first, last + 1) if last - first + 1 == len(positions) else None

    @property
    def clock(self) -> Clock:
        """When each audio token is heard."""
        if self.tokens_per_second is not None:
            return self.tokens_per_second
        return self.token_times() if self.token_times is not None else torch.zeros(0, 2)

    def compared(self, text: Text) -> Float[Tensor, "words dim"]:
        """Embeddings of what the audio is compared with. Raises ValueError for a text that the prompt does not carry."""
        if text == "question":
            return self.question
        if self.texts is None:
            raise ValueError(f"the prompt carries its question alone, and no text {text!r}: attach it by `with_texts`")
        return self.texts(text)

    def frame_size(self, seconds: float) -> int:
        """Audio tokens in a frame of that length, at least one; `frame_tokens` where tokens have no length."""
        if self.tokens_per_second is None:
            return self.frame_tokens or 1
        return max(1, round(self.tokens_per_second * seconds))


@dataclass(frozen=True)
class Plan:
    """Which of `total` audio tokens survive: strictly increasing indices, and what becomes of their positions.

    positions: "original" leaves every survivor's position id as it was (pruning then equals masking); "renumbered"
    closes the gaps, as if the dropped tokens had never been there.
    """

    keep: Int[Tensor, " kept"]
    total: int
    positions: Positions = "original"

    def __post_init__(self) -> None:
        keep = self.keep
        if keep.numel() == 0:
            raise ValueError("a plan must keep at least one audio token: lower the prune rate")
        if bool((keep[1:] <= keep[:-1]).any()) or int(keep[0]) < 0 or int(keep[-1]) >= self.total:
            raise ValueError(f"kept indices must strictly increase within 0..{self.total - 1}, got {keep.tolist()[:8]}")

    def seconds(self, clock: Clock) -> Float[Tensor, " kept"]:
        """Start time in seconds of each kept token."""
        if isinstance(clock, Tensor):
            return clock[self.keep, 0].double()
        return self.keep.double() / clock

    def spans(self, clock: Clock, gap_seconds: float = 0.0) -> list[tuple[float, float]]:
        """Kept audio as (start, end) in seconds; neighbours at most `gap_seconds` apart are joined.

        Of tokens without an order in time, what several of them listen to counts once.
        """
        if isinstance(clock, Tensor):
            return _joined(sorted(map(tuple, clock[self.keep].double().tolist())), gap_seconds)
        steps = _joined([(float(index), index + 1.0) for index in self.keep.tolist()], gap_seconds * clock)
        return [(start / clock, end / clock) for start, end in steps]


def _joined(pieces: Iterable[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Sorted pieces, those at most `gap` apart as one."""
    joined: list[tuple[float, float]] = []
    for start, end in pieces:
        if joined and start - joined[-1][1] <= gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def kept_count(total: int, prune_rate: float) -> int:
    """Tokens left of `total` after removing the share `prune_rate`: the only rounding in the house (750 at 0.8 -> 150).

    Raises ValueError unless 0 <= prune_rate < 1. At least one token is kept.
    """
    if total < 1:
        raise ValueError(f"need at least one audio token to prune, got {total}")
    if not 0.0 <= prune_rate < 1.0:
        raise ValueError(f"prune_rate is the share removed and must lie in [0, 1), got {prune_rate!r}")
    return max(1, total - round(total * prune_rate))


def apply(prompt: SpeechPrompt, plan: Plan) -> SpeechPrompt:
    """Cut the prompt down to the plan: embeddings, positions and audio marks together."""
    if plan.total != prompt.audio_tokens:
        raise ValueError(f"the plan is for {plan.total} audio tokens, the prompt has {prompt.audio_tokens}")
    survives = survivors(prompt.is_audio, plan)
    positions = prompt.position_ids
    if plan.positions == "renumbered":
        positions = _without_gaps(positions, survives)
    return replace(
        prompt,
        embeddings=prompt.embeddings[survives],
        position_ids=positions[..., survives],
        is_audio=prompt.is_audio[survives],
        token_times=None if prompt.token_times is None else lambda: cast(Tensor, prompt.clock)[plan.keep],
    )


def survivors(is_audio: Bool[Tensor, " sequence"], plan: Plan) -> Bool[Tensor, " sequence"]:
    """Which places of a sequence a plan leaves: all of the text, and the audio tokens that it keeps."""
    survives = ~is_audio
    survives[is_audio.nonzero().squeeze(1)[plan.keep.to(is_audio.device)]] = True
    return survives


def _without_gaps(positions: Tensor, survives: Tensor) -> Tensor:
    """Shift every token back by the steps of the dropped tokens before it (a token's step: to its successor)."""
    steps = torch.diff(positions, append=positions[..., -1:] + 1)
    dropped = torch.where(survives, torch.zeros_like(steps), steps)
    return positions - (dropped.cumsum(-1) - dropped)

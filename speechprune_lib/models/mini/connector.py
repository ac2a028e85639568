"""The mini model's projector: every 40 ms frame becomes a mixture of the LLM's own word embeddings.

An audio token is sum_k p_k * embedding(token_k) over the most probable tokens, with a learned vector for "no word
here". So audio tokens live in the LLM's embedding space by construction, an uncertain frame is a mixture, and cosine
similarity to the question's embeddings (phase 1) means something.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .smoothing import SWITCH, smooth
from .transitions import Transitions

TOP = 8
"""Tokens that an audio token may mix."""

DROPOUT = 0.1


class Block(nn.Module):
    """A depthwise convolution over nine frames, `dilation` apart, then a feed-forward layer, both residual."""

    def __init__(self, dim: int, dilation: int = 1) -> None:
        super().__init__()
        self.time_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.time = nn.Conv1d(dim, dim, 9, padding=4 * dilation, groups=dim, dilation=dilation)
        self.mix = nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch frames dim"]:
        y = self.time(self.time_norm(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(self.mix(nn.functional.gelu(y)))
        return x + self.dropout(self.narrow(nn.functional.gelu(self.wide(self.norm(x)))))

    @torch.no_grad()
    def silence(self) -> None:
        """Begin as the identity, so that a trained network can grow by this block."""
        for layer in (self.mix, self.narrow):
            layer.weight.zero_()
            layer.bias.zero_()


class FrameClassifier(nn.Module):
    """Encoder features -> logits over (blank, tokens spoken in training), frame by frame."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, feature_dim: int, dim: int, depth: int, tokens: int) -> None:
        super().__init__()
        # Whisper's feature dimensions differ tenfold in spread: standardize each, with statistics of the training set.
        self.register_buffer("mean", torch.zeros(feature_dim))
        self.register_buffer("deviation", torch.ones(feature_dim))
        self.enter = nn.Linear(feature_dim, dim)
        self.blocks = nn.ModuleList(Block(dim, dilation=2 ** (i // 2)) for i in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(DROPOUT)
        self.output = nn.Linear(dim, tokens + 1)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)

    def hidden(self, features: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames dim"]:
        x = self.dropout(self.enter(self.dropout((features - self.mean) / self.deviation)))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, features: Float[Tensor, "batch frames features"]) -> Float[Tensor, "batch frames classes"]:
        return self.output(self.hidden(features))


class VocabularyProjector(nn.Module):
    """Encoder features -> audio tokens in the LLM's embedding space (stands where a speech LLM has its projector)."""

    token_ids: Tensor

    def __init__(
        self,
        feature_dim: int,
        dim: int,
        depth: int,
        token_ids: Int[Tensor, " tokens"],
        embedding_dim: int,
        pairs: int = 0,
    ) -> None:
        super().__init__()
        self.transitions = Transitions(len(token_ids) + 1, pairs) if pairs else None
        self.classifier = FrameClassifier(feature_dim, dim, depth, len(token_ids))
        self.register_buffer("token_ids", token_ids)
        self.blank = nn.Parameter(torch.zeros(embedding_dim))

    def candidates(
        self, features: Float[Tensor, "batch frames features"]
    ) -> tuple[Float[Tensor, "batch frames top"], Int[Tensor, "batch frames top"]]:
        """Probabilities (of all classes) and classes of the `TOP` best of every frame, each frame for itself.

        Class 0 is blank, class i is `token_ids[i-1]`.
        """
        top = min(TOP, len(self.token_ids) + 1)
        probability, classes = self.classifier(features).float().softmax(-1).topk(top, dim=-1)
        return probability, classes

    def posterior(
        self, features: Float[Tensor, "batch frames features"]
    ) -> tuple[Float[Tensor, "batch frames top"], Int[Tensor, "batch frames top"]]:
        """The candidates with probabilities that are smoothed over time and sum to one."""
        probability, classes = self.candidates(features)
        return self.smoothed(probability, classes), classes

    def smoothed(
        self, probability: Float[Tensor, "batch frames top"], classes: Int[Tensor, "batch frames top"]
    ) -> Float[Tensor, "batch frames top"]:
        """The candidates' probabilities given all frames of their window, by the counted transitions if there are any."""
        return smooth(probability, classes, SWITCH if self.transitions is None else self.transitions)

    def reading(self, probability: Float[Tensor, "frames top"], classes: Int[Tensor, "frames top"]) -> list[int]:
        """Ids of the tokens that the frames name as most probable, a run of equal frames as one, without blanks."""
        best = torch.unique_consecutive(classes.gather(-1, probability.argmax(-1, keepdim=True)).squeeze(-1))
        return self.token_ids[best[best > 0] - 1].tolist()

    def mix(
        self,
        probability: Float[Tensor, "*shape top"],
        classes: Int[Tensor, "*shape top"],
        embedding: Float[Tensor, "vocabulary dim"],
    ) -> Float[Tensor, "*shape dim"]:
        """The audio tokens of a posterior."""
        table = torch.cat([self.blank[None].to(embedding), embedding[self.token_ids]])
        return (probability[..., None].to(embedding) * table[classes]).sum(-2)

    def forward(
        self, features: Float[Tensor, "windows frames features"], embedding: Float[Tensor, "vocabulary dim"]
    ) -> Float[Tensor, "windows frames dim"]:
        return self.mix(*self.posterior(features), embedding)

"""SpeechPrune (arXiv 2412.12009, section III-B): keep what resembles the question, then what the audio attends to.

Phase 1 (`similarity.py`) gives every second of audio a share of the budget by its similarity to the question, and keeps
each second's most similar tokens. Phase 2 (`attention.py`) ranks the survivors by the attention they receive from each
other in the LLM's first layer, estimated from signs. Where the equations leave a choice it is a field of the phase.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ..prompt import SpeechPrompt
from .attention import AttentionPhase
from .base import Pruner
from .similarity import SimilarityPhase


@dataclass(frozen=True, kw_only=True)
class SpeechPrune(Pruner):
    """The paper's method: phase 1 down to the budget (750), phase 2 from there to what the rate leaves.

    With "literal" budgets the plan may keep fewer tokens than the rate leaves. Audio within the budget skips phase 1.
    """

    name: ClassVar[str] = "speechprune"

    phase1: SimilarityPhase = field(default_factory=SimilarityPhase)
    phase2: AttentionPhase = field(default_factory=AttentionPhase)

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return self.phase2.select(prompt, self.phase1.select(prompt, self.budget), count)


@dataclass(frozen=True, kw_only=True)
class SimilarityOnly(Pruner):
    """The ablation of Fig. 3 "first phase only": phase 1 straight down to what the rate leaves."""

    name: ClassVar[str] = "phase1"

    phase: SimilarityPhase = field(default_factory=SimilarityPhase)

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return self.phase.select(prompt, count)


@dataclass(frozen=True, kw_only=True)
class AttentionOnly(Pruner):
    """The ablation of Fig. 3 "second phase only": phase 2 ranks all audio tokens. The question plays no part."""

    name: ClassVar[str] = "phase2"

    phase: AttentionPhase = field(default_factory=AttentionPhase)

    def choose(self, prompt: SpeechPrompt, count: int, seed: int) -> Int[Tensor, " kept"]:
        return self.phase.select(prompt, torch.arange(prompt.audio_tokens), count)

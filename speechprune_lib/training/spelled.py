"""The connector's classifier as `align` trains it: rows that know their spelling, a vocabulary and blocks that may grow."""

# pyright: basic
from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from ..models.mini.connector import FrameClassifier
from .spelling import Spelling


class SpelledClassifier(nn.Module):
    """`FrameClassifier` whose output rows are free vectors plus those of their tokens' letters."""

    def __init__(
        self, width: int, dim: int, depth: int, token_ids: np.ndarray, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        super().__init__()
        self.shape = (width, dim, depth, len(token_ids))
        tokens = [str(tokenizer.decode([token])) for token in token_ids.tolist()]
        self.net = FrameClassifier(*self.shape)
        self.spelling = Spelling(tokens, dim)
        self.token_ids = token_ids

    def rows(self, classes: Tensor) -> Tensor:
        return self.net.output.weight[classes] + self.spelling(classes)

    @torch.no_grad()
    def folded(self) -> dict[str, Tensor]:
        """The state of a plain `FrameClassifier` that says the same."""
        state = {name: value.detach().clone() for name, value in self.net.state_dict().items()}
        every = torch.arange(len(state["output.weight"]), device=state["output.weight"].device)
        for part in every.split(4096):
            state["output.weight"][part] += self.spelling(part)
        return state

    def plain(self) -> FrameClassifier:
        """A copy that needs no spelling any more."""
        plain = FrameClassifier(*self.shape)
        plain.load_state_dict(self.folded())
        return plain

    def standardize(self, features: Tensor) -> None:
        """Let each of the features' dimensions have mean 0 and spread 1, as in this sample."""
        sample = features.flatten(0, -2)
        self.net.mean.copy_(sample.mean(0))
        self.net.deviation.copy_(sample.std(0) + 1e-3)

    def take(self, saved: dict[str, Any]) -> bool:
        """Begin with a checkpoint's weights; whether it had this one's shape, so that its optimizer fits too.

        Tokens that have come since start fresh, and blocks that have come start as the identity. Raises RuntimeError
        for a checkpoint with more blocks.
        """
        weights = dict(saved["net"])
        old = np.concatenate([[0], np.searchsorted(self.token_ids, saved["token_ids"].numpy()) + 1])
        blocks = cast(list[Any], self.net.blocks)  # pyright knows a ModuleList's items as tensors or modules
        grown = [block for i, block in enumerate(blocks) if f"blocks.{i}.mix.weight" not in weights]
        if "spelling" in saved:
            self.spelling.load_state_dict(saved["spelling"])
        if len(old) == self.net.output.out_features and not grown:
            self.net.load_state_dict(weights)
            return "spelling" in saved
        output = {name: weights.pop(f"output.{name}") for name in ("weight", "bias")}
        fresh = {name: value for name, value in self.net.state_dict().items() if name not in weights}
        self.net.load_state_dict(fresh | weights)
        with torch.no_grad():
            self.net.output.weight[torch.from_numpy(old)] = output["weight"]
            self.net.output.bias[torch.from_numpy(old)] = output["bias"]
        for block in grown:
            block.silence()
        return False


def exported(connector: Path) -> dict[str, Any]:
    """A connector's weights, as `export` writes them, in the form of a checkpoint of `align` that did no step."""
    state = load_file(connector)
    prefix = "classifier."
    net = {name.removeprefix(prefix): value.float() for name, value in state.items() if name.startswith(prefix)}
    return {"net": net, "token_ids": state["token_ids"], "step": 0}

"""What the training loops share: the learning rate's course, the arithmetic, the curve on disk, checkpoints that are whole
or absent."""

# pyright: basic
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from ..files import append_line


def rate_factor(step: int, steps: int, warmup: int, floor: float) -> float:
    """Linear warm-up, times a cosine from 1 down to `floor` over all steps."""
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / warmup) * (floor + (1 - floor) * cosine)


def arithmetic(device: str, bf16: bool) -> torch.autocast:
    """A context in which matrix products are taken in bfloat16, or as they are: sums, weights and optimizer stay float32."""
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16)


def smoothed(running: float, loss: float) -> float:
    return loss if math.isnan(running) else 0.95 * running + 0.05 * loss


def note(curve: Path, entry: dict[str, Any]) -> None:
    append_line(curve, json.dumps(entry))


def save(path: Path, state: dict[str, Any]) -> None:
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)

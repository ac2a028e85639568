"""An exported adapter as the beginning of another one, at any rank."""

# pyright: basic
from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..models.mini.adapted import DOWN, WEIGHTS
from ..models.mini.load import CONNECTOR

UP = ".lora_B.weight"


def exported_adapter(folder: Path, rank: int) -> tuple[dict[str, Tensor], Tensor]:
    """LoRA's weights by the names that peft saves, and the vector of "no word here" from the connector beside them.

    The weights are brought to `rank`. Raises FileNotFoundError for a folder that is no adapter of an exported model.
    """
    files = folder / WEIGHTS, folder.parent / CONNECTOR
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"{folder} is no exported adapter: {', '.join(missing)} not found")
    return weights_at_rank(folder, rank), load_file(files[1])["blank"].float()


def weights_at_rank(folder: Path, rank: int) -> dict[str, Tensor]:
    """An adapter's weights by the names that peft saves, every pair of factors brought to `rank`."""
    saved, state = load_file(folder / WEIGHTS), {}
    for name in (name.removesuffix(DOWN) for name in saved if name.endswith(DOWN)):
        up, down = at_rank(saved[name + UP].float(), saved[name + DOWN].float(), rank)
        state |= {name + UP: up.contiguous(), name + DOWN: down.contiguous()}
    return state


def at_rank(up: Tensor, down: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The best approximation of `up @ down` by such factors of `rank` (Eckart & Young 1936); zeros where that is more.

    up: (out, any), down: (any, in). Both factors get the roots of the singular values.
    """
    (left, left_rest), (right, right_rest) = torch.linalg.qr(up), torch.linalg.qr(down.T)
    u, s, vh = torch.linalg.svd(left_rest @ right_rest.T)
    root = s[:rank].sqrt()
    up, down = left @ u[:, :rank] * root, root[:, None] * (vh[:rank] @ right.T)
    more = rank - len(root)
    pad = torch.nn.functional.pad
    return (up, down) if more <= 0 else (pad(up, (0, more)), pad(down, (0, 0, 0, more)))

"""How to load 8 billion parameters here: in which numbers, or not at all, decided from the memory and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch

Quantization = Literal["none", "int8", "nf4"]

PARAMETERS = 8_397_094_912
"""Of Qwen2-Audio-7B: its config counted without memory (audio encoder 0.64, projector 0.01, language model 7.75 billion)."""
QUANTIZED = 32 * (4 * 4096**2 + 3 * 4096 * 11008) - 4 * 4096**2
"""Those in the language model's layers, less the first layer's attention, which stays whole (see `LEFT_WHOLE`)."""
BYTES_A_WEIGHT: dict[Quantization, float] = {"none": 2.0, "int8": 1.0, "nf4": 4.127 / 8}
"""nf4: four bits, and with double quantization 0.127 for the scales (arXiv 2305.14314, section 3)."""
ROOM_BYTES = 4 * 10**9
"""Beside the weights: 1.1 GB of keys and values for 90 s of audio, the encoder's and the longest layer's activations."""
COSTS: dict[Quantization, str] = {
    "none": "16-bit weights, as published",
    "int8": "8-bit weights: close to the published ones, and slower than 16 bits",
    "nf4": "4-bit weights: answers may differ from the published model's",
}


@dataclass(frozen=True)
class Loading:
    """How to load: the dtype of what is not quantized, the quantization, and the choice in words."""

    dtype: torch.dtype
    quantization: Quantization
    reason: str


def weight_bytes(quantization: Quantization, width: int = 2) -> int:
    """Memory of the weights; `width`: bytes of a weight that is not quantized."""
    quantized = 0 if quantization == "none" else QUANTIZED
    return round((PARAMETERS - quantized) * width + quantized * BYTES_A_WEIGHT[quantization])


def loading_for(memory_bytes: int, capability: tuple[int, int], can_quantize: bool) -> Loading:
    """The most exact way that fits a GPU of this memory and compute capability, with room for 90 s of audio.

    bfloat16 from capability 8.0 on, else float16: a T4 only emulates bfloat16. can_quantize: bitsandbytes is there.
    Raises ValueError where nothing fits, with the memory that each way would take.
    """
    dtype = torch.bfloat16 if capability >= (8, 0) else torch.float16
    ways: tuple[Quantization, ...] = ("none", "int8", "nf4")
    for way in ways:
        if weight_bytes(way) + ROOM_BYTES <= memory_bytes and (way == "none" or can_quantize):
            return Loading(dtype, way, f"{COSTS[way]}, {_gb(weight_bytes(way))} of the GPU's {_gb(memory_bytes)}")
    needs = ", ".join(f"{_gb(weight_bytes(way) + ROOM_BYTES)} ({way})" for way in ways)
    hint = "" if can_quantize else "; int8 and nf4 need bitsandbytes: pip install 'speechprune-lib[quantized]'"
    raise ValueError(f"Qwen2-Audio does not fit a GPU of {_gb(memory_bytes)}: it takes {needs}{hint}; or load 'mini'")


def loading_here(device: torch.device, forced: bool = False) -> Loading:
    """`loading_for` this computer's device; a CPU is refused unless `forced`, and then reads float32."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
        return loading_for(total, torch.cuda.get_device_capability(device), find_spec("bitsandbytes") is not None)
    size = weight_bytes("none", width=4)
    if not forced:
        raise ValueError(
            f"Qwen2-Audio on a {device.type} would take {_gb(size)} of memory in float32 and minutes an answer: load "
            "'mini', or insist with force=True"
        )
    return Loading(torch.float32, "none", f"float32 on a {device.type}, {_gb(size)}, because force=True")


def download_notice(source: str, megabytes_per_second: float = 50.0) -> str:
    """What a first download means, before it starts."""
    size = weight_bytes("none")
    minutes = size / 1e6 / megabytes_per_second / 60
    return f"{source}: a first download is {_gb(size)}, {minutes:.0f} minutes at {megabytes_per_second:.0f} MB/s; later ones are not"


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"

"""Whisper's encoder out of a CTranslate2 file, as a `Qwen2AudioEncoder`.

The public Whisper weights travel in package registries in CTranslate2's binary layout. Its keys map one to one to the
Whisper-style encoder that transformers' Qwen2-Audio uses, so nothing is retrained or approximated here.
"""

# pyright: basic
from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen2AudioEncoder, Qwen2AudioEncoderConfig

_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_ct2(parts: list[Path]) -> dict[str, np.ndarray]:
    """Read every tensor of a CTranslate2 `model.bin`, which may come as several consecutive `parts`."""
    blob = memoryview(b"".join(part.read_bytes() for part in parts))
    offset = 0

    def take(code: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from("<" + code, blob, offset)
        offset += struct.calcsize("<" + code)
        return value

    def text() -> str:
        nonlocal offset
        length = take("H")
        raw = bytes(blob[offset : offset + length - 1])  # the last byte is C's terminating zero
        offset += length
        return raw.decode()

    _header = take("I"), text(), take("I")  # format version, specification's name, its revision
    tensors = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        dtype, size = take("B"), take("I")
        if dtype not in _DTYPES:
            raise ValueError(f"tensor {name!r} has CTranslate2 type {dtype}, expected one of {sorted(_DTYPES)}")
        tensors[name] = np.frombuffer(blob[offset : offset + size], _DTYPES[dtype]).reshape(shape)
        offset += size
    return tensors


def _layer_names(index: int) -> dict[str, str]:
    theirs, ours = f"encoder/layer_{index}", f"layers.{index}"
    pairs = {
        f"{theirs}/self_attention/linear_1": f"{ours}.self_attn.out_proj",
        f"{theirs}/self_attention/layer_norm": f"{ours}.self_attn_layer_norm",
        f"{theirs}/ffn/linear_0": f"{ours}.fc1",
        f"{theirs}/ffn/linear_1": f"{ours}.fc2",
        f"{theirs}/ffn/layer_norm": f"{ours}.final_layer_norm",
    }
    return pairs


def whisper_encoder(weights: dict[str, np.ndarray]) -> Qwen2AudioEncoder:
    """Build transformers' encoder from the tensors of `read_ct2` (float32, evaluation mode)."""
    depth = 1 + max(int(k.split("/")[1][6:]) for k in weights if k.startswith("encoder/layer_") and k[14].isdigit())
    width, mel_bins, _ = weights["encoder/conv1/weight"].shape
    config = Qwen2AudioEncoderConfig(
        num_mel_bins=mel_bins,
        encoder_layers=depth,
        encoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        d_model=width,
        max_source_positions=1500,
    )
    encoder = Qwen2AudioEncoder(config)
    encoder.load_state_dict(_renamed(weights, depth, width))
    return encoder.eval()


def _renamed(weights: dict[str, np.ndarray], depth: int, width: int) -> dict[str, torch.Tensor]:
    def tensor(name: str) -> torch.Tensor:
        return torch.from_numpy(np.array(weights[name], dtype=np.float32))

    names = {"encoder/conv1": "conv1", "encoder/conv2": "conv2", "encoder/layer_norm": "layer_norm"}
    state = {"embed_positions.weight": tensor("encoder/position_encodings/encodings")}
    for index in range(depth):
        names |= _layer_names(index)
        packed = f"encoder/layer_{index}/self_attention/linear_0"
        weight, bias = tensor(f"{packed}/weight"), tensor(f"{packed}/bias")
        for row, letter in enumerate("qkv"):
            part = slice(row * width, (row + 1) * width)
            state[f"layers.{index}.self_attn.{letter}_proj.weight"] = weight[part]
            if letter != "k":  # Whisper's keys have no bias
                state[f"layers.{index}.self_attn.{letter}_proj.bias"] = bias[part]
    for theirs, ours in names.items():
        scale, shift = ("gamma", "beta") if "layer_norm" in theirs else ("weight", "bias")
        state[f"{ours}.weight"] = tensor(f"{theirs}/{scale}")
        state[f"{ours}.bias"] = tensor(f"{theirs}/{shift}")
    return state

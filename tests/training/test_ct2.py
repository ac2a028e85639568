"""The encoder out of a CTranslate2 file against transformers' own Whisper encoder."""

import struct

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperModel

from speechprune_lib.training.ct2 import read_ct2, whisper_encoder


def _as_ct2(encoder) -> dict[str, np.ndarray]:
    state = {k: v.detach().numpy() for k, v in encoder.state_dict().items()}
    out = {"encoder/position_encodings/encodings": state["embed_positions.weight"]}
    for name in ("conv1", "conv2"):
        out |= {f"encoder/{name}/{part}": state[f"{name}.{part}"] for part in ("weight", "bias")}

    def norm(theirs: str, ours: str) -> dict:
        return {f"encoder/{theirs}/gamma": state[f"{ours}.weight"], f"encoder/{theirs}/beta": state[f"{ours}.bias"]}

    out |= norm("layer_norm", "layer_norm")
    for i in range(encoder.config.encoder_layers):
        ours, theirs = f"layers.{i}", f"layer_{i}"
        q, k, v = (state[f"{ours}.self_attn.{x}_proj.weight"] for x in "qkv")
        qb, vb = (state[f"{ours}.self_attn.{x}_proj.bias"] for x in "qv")
        out[f"encoder/{theirs}/self_attention/linear_0/weight"] = np.concatenate([q, k, v])
        out[f"encoder/{theirs}/self_attention/linear_0/bias"] = np.concatenate([qb, np.zeros_like(qb), vb])
        for linear, name in (
            ("self_attention/linear_1", "self_attn.out_proj"),
            ("ffn/linear_0", "fc1"),
            ("ffn/linear_1", "fc2"),
        ):
            out |= {f"encoder/{theirs}/{linear}/{part}": state[f"{ours}.{name}.{part}"] for part in ("weight", "bias")}
        out |= norm(f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
        out |= norm(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
    return out


def _write(path, tensors: dict[str, np.ndarray]) -> None:
    def text(s: str) -> bytes:
        return struct.pack("<H", len(s) + 1) + s.encode() + b"\0"

    blob = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    for name, array in tensors.items():
        raw = array.astype(np.float32)
        blob += text(name) + struct.pack("<B", raw.ndim) + b"".join(struct.pack("<I", n) for n in raw.shape)
        blob += struct.pack("<BI", 0, raw.nbytes) + raw.tobytes()
    path.write_bytes(blob)


@pytest.fixture(scope="module")
def whisper():
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=64, encoder_layers=2, encoder_attention_heads=1, encoder_ffn_dim=256, num_mel_bins=8,
        decoder_layers=1, decoder_attention_heads=1, decoder_ffn_dim=8, vocab_size=60, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=3,
    )  # fmt: skip
    return WhisperModel(config).eval().encoder


def test_it_computes_what_whisper_computes(whisper, tmp_path):
    _write(tmp_path / "model.bin", _as_ct2(whisper))
    blob = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "a").write_bytes(blob[:1000])
    (tmp_path / "b").write_bytes(blob[1000:])  # files come in parts
    ours = whisper_encoder(read_ct2([tmp_path / "a", tmp_path / "b"]))
    mel = torch.randn(2, 8, 3000)
    with torch.no_grad():
        norm, whisper.layer_norm = whisper.layer_norm, torch.nn.Identity()
        hidden = whisper(mel).last_hidden_state
        whisper.layer_norm = norm
        expected = norm(hidden.unflatten(1, (750, 2)).mean(2))  # Qwen2-Audio pools before the last norm
        torch.testing.assert_close(ours(mel).last_hidden_state, expected, atol=2e-5, rtol=1e-4)


def test_an_unknown_type_is_named(tmp_path):
    blob = struct.pack("<I", 6) + struct.pack("<H", 2) + b"s\0" + struct.pack("<II", 3, 1)
    blob += struct.pack("<H", 2) + b"w\0" + struct.pack("<BI", 1, 1) + struct.pack("<BI", 9, 1) + b"x"
    (tmp_path / "model.bin").write_bytes(blob)
    with pytest.raises(ValueError, match="'w' has CTranslate2 type 9"):
        read_ct2([tmp_path / "model.bin"])

"""Stage 2, `encode`: windows of speech -> the frozen encoder's features, 25 frames of 512 numbers a second, cached.

Short windows are part of a model's life (the end of every recording), and the encoder masks their padding: a passage
ends where it ends, of the other clips one in ten loses its end here, and `frames` says how many of a window's 750
frames are speech.
"""

# pyright: basic
from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from tqdm import tqdm
from transformers import Qwen2AudioEncoder, WhisperFeatureExtractor

from ..audio import SAMPLE_RATE_HZ, audio_tokens, encoder_frames, mel_frames
from .corpus import ENCODED, Corpus
from .loop import arithmetic
from .upper import UpperLayers, below, layers_left

BATCH = 4
SHORTENED_SHARE = 0.1


def encode(
    corpus: Corpus,
    encoder: Qwen2AudioEncoder,
    device: str = "cpu",
    shards: Sequence[int] | None = None,
    bf16: bool = False,
    suffix: str = ENCODED,
) -> None:
    """Write `shard_NNN.features.npy` (float16) and `shard_NNN.frames.npy` for every spoken shard that lacks them.

    shards: those alone, waiting for them to be spoken. suffix: another file's, in place of the features': for an encoder
    that ends earlier. Where such a file is there, the features go on from it.
    """
    encoder.eval().to(torch.device(device))  # type: ignore[arg-type]  # transformers declares no device
    for shard in tqdm(corpus.spoken(shards), desc="shards encoded", total=None if shards is None else len(shards)):
        if not corpus.file(shard, suffix).exists():
            _encode_shard(corpus, shard, encoder, device, bf16, suffix)


@torch.inference_mode()
def _encode_shard(corpus: Corpus, shard: int, encoder: Qwen2AudioEncoder, device: str, bf16: bool, suffix: str) -> None:
    left = layers_left(corpus, shard) if suffix == ENCODED else 0
    if left:
        parts = _from_below(corpus, shard, UpperLayers(encoder, left).eval(), device, bf16)
    else:
        parts = _from_sound(corpus, shard, encoder, device, bf16)
    features = [part.half().cpu().numpy() for part in parts]
    partial = corpus.file(shard, "part.npy")
    np.save(partial, np.concatenate(features))
    os.replace(partial, corpus.file(shard, suffix))


def _from_sound(
    corpus: Corpus, shard: int, encoder: Qwen2AudioEncoder, device: str, bf16: bool
) -> Iterator[torch.Tensor]:
    windows = np.load(corpus.file(shard, "npy"), mmap_mode="r")
    lengths = _lengths(corpus, shard, len(windows), windows.shape[1])
    np.save(corpus.file(shard, "frames.npy"), np.array([audio_tokens(n) for n in lengths]))
    for part in _batches(len(windows)):
        audio = [w[:n].astype(np.float32) / 32768 for w, n in zip(windows[part], lengths[part], strict=True)]
        yield features_of(encoder, audio, device, bf16)


def _from_below(corpus: Corpus, shard: int, upper: UpperLayers, device: str, bf16: bool) -> Iterator[torch.Tensor]:
    """What the encoder's last layers make of what is cached below them: a third of the work, where they are two of six."""
    hidden = np.load(corpus.file(shard, below(len(upper.layers))), mmap_mode="r")
    heard = torch.from_numpy(corpus.frames(shard))
    for part in _batches(len(hidden)):
        with arithmetic(device, bf16):
            yield upper(torch.from_numpy(hidden[part].astype(np.float32)).to(device), heard[part].to(device))


def _batches(windows: int) -> list[slice]:
    return [slice(first, first + BATCH) for first in range(0, windows, BATCH)]


def _lengths(corpus: Corpus, shard: int, windows: int, full: int) -> list[int]:
    """Samples heard of each window: all, but for the ends of passages, and of a tenth of the other clips."""
    rng = random.Random(7000 + shard)
    lengths = [full] * windows
    for clip in corpus.clips(shard):
        last = corpus.windows(clip)[-1]
        if "questions" in clip:  # what is asked about must stay
            lengths[last] = clip["samples"] - (clip["windows"] - 1) * full
        elif rng.random() < SHORTENED_SHARE:
            lengths[last] = int(full * rng.uniform(0.05, 0.9))
    return lengths


@torch.inference_mode()
def features_of(encoder: Qwen2AudioEncoder, audio: list[np.ndarray], device: str, bf16: bool = False) -> torch.Tensor:
    """(windows, 750, width) features; the encoder's attention is masked beyond each window's end, as in Qwen2-Audio."""
    extractor = WhisperFeatureExtractor(feature_size=encoder.config.num_mel_bins)
    mel = extractor(audio, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").input_features.to(device)
    frames = torch.tensor([encoder_frames(mel_frames(len(a))) for a in audio], device=device)
    full = encoder.config.max_source_positions
    heard = torch.arange(full, device=device)[None] < frames[:, None]
    mask = torch.where(heard, 0.0, torch.finfo(mel.dtype).min)[:, None, None].expand(-1, 1, full, -1)
    with arithmetic(device, bf16):
        return encoder(mel, attention_mask=None if bool(heard.all()) else mask).last_hidden_state

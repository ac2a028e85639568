"""What happens to speech on its way to the microphone and the file: tilt, room, noise, codec."""

# pyright: basic
from __future__ import annotations

import io
import random

import numpy as np
import soundfile
import soxr
from scipy.signal import fftconvolve, lfilter

from ..audio import SAMPLE_RATE_HZ

ROOM_SHARE, CODED_SHARE = 0.33, 0.3
ROOM_SECONDS = 0.4
CODECS = ("mp3", "vorbis", "telephone")
MU = 255
"""Of G.711's companding."""


def coloured(samples: np.ndarray, gain: float, tilt: float) -> np.ndarray:
    """At a peak of `gain`; a `tilt` above 0 takes treble away, below 0 bass."""
    samples = np.asarray(lfilter([1.0, tilt], [1.0], samples))
    return (samples / (np.abs(samples).max() + 1e-6) * gain).astype(np.float32)


def recorded(rng: random.Random, samples: np.ndarray) -> np.ndarray:
    """A reverberant room in a third of the clips, white noise at -90 to -40 dB, and a lossy file in three of ten."""
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < ROOM_SHARE:
        samples = _in_room(noise, samples, decay=rng.uniform(0.05, 0.3), loudness=rng.uniform(0.02, 0.12))
    level = 10 ** rng.uniform(-4.5, -2.0)
    noisy = (samples + noise.standard_normal(len(samples), np.float32) * level).astype(np.float32)
    return coded(noisy, rng.choice(CODECS)) if rng.random() < CODED_SHARE else noisy


def _in_room(noise: np.random.Generator, samples: np.ndarray, decay: float, loudness: float) -> np.ndarray:
    taps = int(ROOM_SECONDS * SAMPLE_RATE_HZ)
    echo = noise.standard_normal(taps) * np.exp(-np.arange(taps) / (decay * SAMPLE_RATE_HZ / 3))
    heard = fftconvolve(samples, np.concatenate([[1.0], loudness * echo]))[: len(samples)]
    return heard / max(1.0, float(np.abs(heard).max()))


def coded(samples: np.ndarray, codec: str) -> np.ndarray:
    """As a lossy file gives it back, as long and at the same times: MP3 and Vorbis at about 20 kbit/s, telephone."""
    if codec == "telephone":
        narrow = np.clip(soxr.resample(samples, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ // 2), -1, 1)
        steps = np.round(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU) * 127) / 127
        decoded = soxr.resample(
            (np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(MU)) / MU).astype(np.float32),
            SAMPLE_RATE_HZ // 2,
            SAMPLE_RATE_HZ,
        )
    else:
        kind = {"mp3": ("MP3", "MPEG_LAYER_III"), "vorbis": ("OGG", "VORBIS")}[codec]
        file = io.BytesIO()
        soundfile.write(
            file, samples, SAMPLE_RATE_HZ, format=kind[0], subtype=kind[1], compression_level=0.95
        )  # variable bit rate: libsndfile then writes how much silence MP3's coder put before the sound
        file.seek(0)
        decoded, _ = soundfile.read(file, dtype="float32")
    return np.pad(decoded[: len(samples)], (0, max(0, len(samples) - len(decoded)))).astype(np.float32)

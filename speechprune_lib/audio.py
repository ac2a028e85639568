"""Sound as this library counts it: 16 kHz mono, 30 s windows, and exact maps from samples to audio tokens and back.

Whisper-style encoders see 25 ms windows every 10 ms (one mel frame a hop), halve them with a strided convolution
(encoder frames) and, in Qwen2-Audio, halve them again with a pool (audio tokens): 640 samples, 40 ms, 25 a second.
Windows are encoded apart, and the tokens of the last one's padding are dropped. A window is a whole number of
tokens, so counts and times run on through all windows without a seam.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr
from jaxtyping import Float32
from numpy.typing import ArrayLike

SAMPLE_RATE_HZ = 16_000
HOP_SAMPLES = 160
CONV_STRIDE = 2
POOL_STRIDE = 2
SAMPLES_PER_TOKEN = HOP_SAMPLES * CONV_STRIDE * POOL_STRIDE
TOKENS_PER_SECOND = SAMPLE_RATE_HZ // SAMPLES_PER_TOKEN
WINDOW_SECONDS = 30
WINDOW_SAMPLES = WINDOW_SECONDS * SAMPLE_RATE_HZ
WINDOW_TOKENS = WINDOW_SAMPLES // SAMPLES_PER_TOKEN

SHORTEST_SAMPLES = (CONV_STRIDE * POOL_STRIDE - 2) * HOP_SAMPLES + 1
"""The least audio that gives a token: 3 mel frames, 2 encoder frames, 1 token (20 ms and one sample)."""

MOST_CHANNELS = 64

MP3_DELAY_SECONDS: Mapping[int, float] = {24: 1105 / SAMPLE_RATE_HZ, 40: 0.0}
"""Silence before the sound, at 16 kHz, by kbit/s: LAME's 576 samples and the decoder's 529 (see `mp3`)."""

Waveform = Float32[np.ndarray, " _samples"]


class AudioError(ValueError):
    """Audio that cannot be used; the message names the value, what was expected and the way out."""


def load(path: str | Path) -> Waveform:
    """Any file that libsndfile or, failing that, an installed ffmpeg decodes, as 16 kHz mono.

    The whole file is read: nothing is cut to 30 s. Raises FileNotFoundError, and AudioError for a file that is no
    sound, holds no samples, or holds NaN or infinity. Silence is sound.
    """
    path = Path(path)
    samples, rate_hz = _decode(path)
    try:
        return as_waveform(samples, rate_hz)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None


def as_waveform(samples: ArrayLike, rate_hz: int) -> Waveform:
    """Samples at any rate, (samples,) or (samples, channels), as 16 kHz mono: channels averaged, then soxr's HQ.

    Integer samples are scaled to [-1, 1). The result has ceil(samples * 16000 / rate_hz) samples.
    """
    array = np.asarray(samples)
    if rate_hz < 1:
        raise AudioError(f"the sample rate is {rate_hz} Hz, expected a positive one, such as {SAMPLE_RATE_HZ}")
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= MOST_CHANNELS):
        raise AudioError(
            f"samples have shape {array.shape}, expected (samples,) or (samples, channels) with at most "
            f"{MOST_CHANNELS} channels: transpose what librosa returns"
        )
    if len(array) == 0:
        raise AudioError("the audio has 0 samples, expected at least one: record or export it again")
    array = _as_float(array)
    _refuse_non_finite(array, rate_hz)
    return _resample(array if array.ndim == 1 else array.mean(axis=1), rate_hz)


def duration_seconds(path: str | Path) -> float:
    """Length of an audio file, from its header where libsndfile can read it. Raises as `load` does."""
    path = _existing(Path(path))
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return len(load(path)) / SAMPLE_RATE_HZ


def windows(waveform: Waveform) -> list[Waveform]:
    """The waveform in pieces of 30 s, the last one shorter: what an encoder with a 30 s input sees, one by one.

    Every piece gives at least one token, and the pieces' tokens add up to `audio_tokens(len(waveform))`: a last piece
    too short for a token (20 ms or less) is left out, and a whole waveform that short is padded with silence to
    `SHORTEST_SAMPLES`, because a model cannot answer about no tokens at all.
    """
    if len(waveform) < SHORTEST_SAMPLES:
        return [np.pad(waveform, (0, SHORTEST_SAMPLES - len(waveform)))]
    pieces = [waveform[start : start + WINDOW_SAMPLES] for start in range(0, len(waveform), WINDOW_SAMPLES)]
    return pieces if len(pieces[-1]) >= SHORTEST_SAMPLES else pieces[:-1]


def begins_late(start_s: float) -> bool:
    """Whether a model that hears one window alone, the first, hears nothing of what begins at this second."""
    return start_s >= WINDOW_SECONDS


def mel_frames(samples: int) -> int:
    """10 ms hops that hold a sample: what WhisperFeatureExtractor's attention mask counts, summed over windows."""
    if samples < 0:
        raise AudioError(f"{samples} samples, expected 0 or more")
    return -(-samples // HOP_SAMPLES)


def encoder_frames(mel: int) -> int:
    """Outputs of the two convolutions (stride 1, then 2): (mel - 1) // 2 + 1."""
    return -(-mel // CONV_STRIDE)


def audio_tokens(samples: int) -> int:
    """Audio tokens of a waveform of any length at 16 kHz: (encoder frames - 2) // 2 + 1, summed over 30 s windows.

    Unlike transformers' formula, which gives none for 20 ms or less, at least one: see `windows`.
    """
    if samples < 1:
        raise AudioError(f"{samples} samples, expected at least one")
    return max(1, encoder_frames(mel_frames(samples)) // POOL_STRIDE)


def samples_of_token(index: int) -> tuple[int, int]:
    """Half-open span of 16 kHz samples that an audio token stands for (the encoder itself looks further)."""
    if index < 0:
        raise AudioError(f"audio token {index}, expected 0 or more")
    return index * SAMPLES_PER_TOKEN, (index + 1) * SAMPLES_PER_TOKEN


def seconds_of_token(index: int) -> tuple[float, float]:
    """Start and end in seconds of an audio token; the last token may end up to 30 ms after the audio does."""
    start, end = samples_of_token(index)
    return start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ


def encoder_frames_of_token(index: int) -> range:
    """The encoder frames pooled into an audio token, counted on through all windows."""
    return range(index * POOL_STRIDE, (index + 1) * POOL_STRIDE)


def mel_frames_of_token(index: int) -> range:
    """The mel frames under an audio token, counted on through all windows."""
    frames = encoder_frames_of_token(index)
    return range(frames.start * CONV_STRIDE, frames.stop * CONV_STRIDE)


def tokens_in(start_s: float, end_s: float) -> range:
    """Indices of the audio tokens that overlap a time span; the caller clips them to the tokens there are.

    Times count to the nearest sample, so that 0.28 s ends token 6 and not, by float error, just inside token 7.
    """
    if not (math.isfinite(start_s) and math.isfinite(end_s) and 0 <= start_s <= end_s):
        raise AudioError(f"the time span is {start_s}..{end_s} s, expected 0 <= start <= end")
    start, end = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    if start == end:
        return range(0)
    return range(start // SAMPLES_PER_TOKEN, -(-end // SAMPLES_PER_TOKEN))


def mp3(samples: Waveform, rate_hz: int = SAMPLE_RATE_HZ, kbits: Literal[24, 40] = 40) -> bytes:
    """Constant `kbits` kbit/s at 16 kHz: speech stays clear, a minute takes 180 or 300 kB.

    At 24 kbit/s a frame is too small for the tag that tells of the coder's delay: the sound then begins
    `MP3_DELAY_SECONDS` late. Unlike Ogg's, the bytes repeat exactly, so that what is made again has the same hash.
    """
    file, level = io.BytesIO(), {24: 0.87, 40: 0.8}[kbits]
    with soundfile.SoundFile(
        file, "w", rate_hz, channels=1, format="MP3", compression_level=level, bitrate_mode="CONSTANT"
    ) as sound:
        sound.write(np.clip(samples, -1.0, 1.0))
    return file.getvalue()


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"no audio file at {path}: check the path")
    return path


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """(samples, channels) and the file's own rate."""
    try:
        return soundfile.read(_existing(path), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return _decode_by_ffmpeg(path)


def _decode_by_ffmpeg(path: Path) -> tuple[np.ndarray, int]:
    """What libsndfile cannot read (phones' .m4a, .webm, ...), where ffmpeg is installed; it resamples as well."""
    ffmpeg = shutil.which("ffmpeg")
    reason = "ffmpeg, which reads more formats, is not installed"
    if ffmpeg is not None:
        source = ["-v", "error", "-nostdin", "-protocol_whitelist", "file", "-i", str(path.resolve())]
        raw = ["-f", "f32le", "-ac", "1", "-ar", str(SAMPLE_RATE_HZ), "-"]
        done = subprocess.run([ffmpeg, *source, *raw], capture_output=True, check=False)
        if done.returncode == 0:
            return np.frombuffer(done.stdout, "<f4").astype(np.float32)[:, None], SAMPLE_RATE_HZ
        reason = "ffmpeg says: " + done.stderr.decode(errors="replace").strip()[-200:]
    raise AudioError(
        f"cannot decode {path}: expected a sound file (WAV, FLAC, OGG, MP3, ...), but it is damaged or of another kind "
        f"({reason}): convert it to WAV"
    )


def _as_float(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what overflows becomes infinity, and is refused as such
            return array.astype(np.float32, copy=False)
    if array.dtype.kind not in "iu":
        raise AudioError(f"samples are of type {array.dtype}, expected float or integer ones")
    half = 2.0 ** (8 * array.dtype.itemsize - 1)
    middle = half if array.dtype.kind == "u" else 0.0
    return ((array - middle) / half).astype(np.float32)


def _refuse_non_finite(array: np.ndarray, rate_hz: int) -> None:
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise AudioError(
            f"{int(bad.sum())} of {len(array)} samples are NaN or infinite, the first at "
            f"{int(bad.argmax()) / rate_hz:.3f} s: expected finite samples; export the recording again"
        )


def _resample(mono: np.ndarray, rate_hz: int) -> Waveform:
    if rate_hz == SAMPLE_RATE_HZ:
        return mono
    length = -(-len(mono) * SAMPLE_RATE_HZ // rate_hz)
    resampled = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ, quality="HQ")[:length]
    # soxr rounds its length, for very short input to nothing
    return np.pad(resampled, (0, length - len(resampled)))

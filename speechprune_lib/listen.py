"""What survives pruning, to listen to: the kept audio, sound files, and players for notebooks."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float32

from .audio import SAMPLE_RATE_HZ, mp3
from .prompt import Clock, Plan

FADE_SECONDS = 0.005
"""Half of a cross-fade: long enough against clicks, short enough for a single token of 40 ms."""
LOUDNESS_SECONDS, SILENCE_BELOW = 0.05, 10_000.0
"""Blocks of `loudness`, and the factor in power (40 dB) that parts silence from the loudest of them."""

Samples = Float32[np.ndarray, " _samples"]
Take = tuple[Samples, str, str]
"""Samples (16 kHz), what they are, and what is said in them."""


def kept_audio(samples: Samples, plan: Plan, clock: Clock = 25.0) -> Samples:
    """The recording (16 kHz) cut down to what the plan keeps, as long as the kept tokens are.

    At every cut both sides go on for 5 ms of the recording and fade into each other, so that nothing clicks.
    """
    spans = [_in_samples(span, len(samples)) for span in plan.spans(clock)]
    fade = round(FADE_SECONDS * SAMPLE_RATE_HZ)
    source = np.pad(samples, fade)
    kept = np.zeros(sum(end - start for start, end in spans) + 2 * fade, np.float32)
    place = 0
    for start, end in spans:
        kept[place : place + end - start + 2 * fade] += source[start : end + 2 * fade] * _faded(end - start, fade)
        place += end - start
    return kept[fade : len(kept) - fade]


def write_audio(path: str | Path, samples: Samples) -> Path:
    """Write 16 kHz mono in the format of the name's ending; raises as `check_writable` does."""
    check_writable(path)
    soundfile.write(path, np.clip(samples, -1.0, 1.0), SAMPLE_RATE_HZ)
    return Path(path)


def check_writable(path: str | Path) -> None:
    """Raise ValueError for a name whose ending soundfile does not write, FileNotFoundError for one in no folder."""
    path = Path(path)
    if path.suffix.upper() not in (".WAV", ".FLAC", ".OGG", ".MP3"):
        raise ValueError(f"cannot write {path.name}: expected a name that ends in .wav, .flac, .ogg or .mp3")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} to write {path.name} into: make it first")


def loudness(samples: Samples) -> float:
    """Root mean square of the sound without its silences: of the blocks of 50 ms within 40 dB of the loudest one."""
    size = max(1, round(LOUDNESS_SECONDS * SAMPLE_RATE_HZ))
    blocks = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size).astype(np.float64)
    powers = (blocks**2).mean(1)
    return float(np.sqrt(powers[powers >= powers.max() / SILENCE_BELOW].mean())) if len(powers) else 0.0


@dataclass(frozen=True)
class AudioPlayer:
    """A labelled player that carries its sound within itself; notebooks show it, pages keep it."""

    label: str
    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def audio_player(samples: Samples, rate_hz: int, label: str, transcript: str = "") -> AudioPlayer:
    """A player for a notebook: an MP3 in the page itself, the same bytes for the same samples.

    label: what is heard, shown under the player and read out by screen readers. transcript: what is said, folded away
    beneath it. Raises ValueError without a label.
    """
    if not label.strip():
        raise ValueError("the player has no label: say what is heard, for those who cannot see the page")
    sound = base64.b64encode(mp3(samples, rate_hz)).decode("ascii")
    text = html.escape(label, quote=True)
    player = f'<audio controls aria-label="{text}" src="data:audio/mpeg;base64,{sound}"></audio>'
    said = f"<details><summary>What is said</summary>{html.escape(transcript)}</details>" if transcript else ""
    return AudioPlayer(label, f'<figure class="audio">{player}<figcaption>{text}{said}</figcaption></figure>')


def audio_pair(before: Take, after: Take) -> AudioPlayer:
    """Two players for comparing, the second as loud as the first (`loudness`), so that louder does not pass for better.

    Each is (16 kHz samples, label, transcript).
    """
    (first, *words), (second, *others) = before, after
    quiet = max(loudness(second), np.finfo(np.float32).tiny)
    gain = min(loudness(first) / quiet, 1 / max(float(np.abs(second).max(initial=0.0)), np.finfo(np.float32).tiny))
    players = (
        audio_player(first, SAMPLE_RATE_HZ, *words),
        audio_player(second * np.float32(gain), SAMPLE_RATE_HZ, *others),
    )
    both = "".join(player.html for player in players)
    return AudioPlayer(f"{before[1]} / {after[1]}", f'<div class="audio-pair">{both}</div>')


def _in_samples(span: tuple[float, float], total: int) -> tuple[int, int]:
    start, end = (min(round(second * SAMPLE_RATE_HZ), total) for second in span)
    return start, end


def _faded(length: int, fade: int) -> Samples:
    """A window over `length` samples and `fade` more on either side; two that follow each other add up to one."""
    rise = (np.arange(2 * fade, dtype=np.float32) + 0.5) / (2 * fade)
    window = np.ones(length + 2 * fade, np.float32)
    window[: 2 * fade] *= rise
    window[len(window) - 2 * fade :] *= rise[::-1]
    return window

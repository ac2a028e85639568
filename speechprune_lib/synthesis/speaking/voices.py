"""Speakers made of the engines' voices: tempo, pitch and formants varied, silence trimmed, 16 kHz out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soxr

from ...audio import SAMPLE_RATE_HZ
from .engines import ENGINES, engine
from .speech import Speech

LEAD_SECONDS, TAIL_SECONDS = 0.06, 0.1


@dataclass(frozen=True)
class Speaker:
    """One of an engine's voices; `stretch` > 1 is slower, `resample` > 1 raises pitch, formants and tempo together.

    band_limited: resampled with a low-pass, so that nothing above 8 kHz is folded back below it. SPIRAL-mini's speakers
    came before it.
    """

    voice: str
    stretch: float = 1.0
    resample: float = 1.0
    gender: str = ""
    engine: str = "flite"
    band_limited: bool = False

    def check(self) -> None:
        """Raise ValueError for an unknown engine, and for a tempo or pitch that is no number above 0."""
        if self.engine not in ENGINES:
            raise ValueError(f"no speech engine {self.engine!r}, expected {', '.join(ENGINES)}")
        for name in ("stretch", "resample"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0.1 <= value <= 10:
                raise ValueError(f"{name} is {value!r}, expected a number from 0.1 to 10")

    @property
    def name(self) -> str:
        return f"{self.engine} {Path(self.voice).stem}, stretch {self.stretch}, resample {self.resample}"

    def say(self, text: str) -> Speech:
        """Speak one sentence, trimmed to 60 ms before its first and 100 ms after its last word."""
        speech = engine(self.engine)(text, self.voice, self.stretch)
        factor = self.resample * speech.rate_hz / SAMPLE_RATE_HZ
        samples = self._resampled(speech.samples, factor)
        first = max(0.0, speech.words[0][1] / self.resample - LEAD_SECONDS)
        last = min(len(samples) / SAMPLE_RATE_HZ, speech.words[-1][2] / self.resample + TAIL_SECONDS)
        trimmed = samples[int(first * SAMPLE_RATE_HZ) : int(last * SAMPLE_RATE_HZ)].astype(np.float32)
        words = tuple((w, s / self.resample - first, e / self.resample - first) for w, s, e in speech.words)
        return Speech(trimmed, SAMPLE_RATE_HZ, words)

    def _resampled(self, samples: np.ndarray, factor: float) -> np.ndarray:
        """`samples` in fewer, by `factor`."""
        if self.band_limited:
            return soxr.resample(samples, factor * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        return np.interp(np.arange(int(len(samples) / factor)) * factor, np.arange(len(samples)), samples)


CAST = (
    Speaker("slt", 1.1, 1.0, "female"),
    Speaker("rms", 1.1, 1.0, "male"),
    Speaker("slt", 1.16, 1.1, "female"),
    Speaker("awb", 1.1, 1.0, "male"),
    Speaker("slt", 1.07, 0.92, "female"),
    Speaker("joe", 1.05, 1.0, "male", "piper"),
    Speaker("awb", 1.16, 1.14, "female"),
    Speaker("kal16", 1.21, 1.0, "male"),
    Speaker("slt", 1.2, 1.05, "female"),
    Speaker("rms", 1.04, 1.08, "male"),
    Speaker("awb", 1.2, 1.18, "female"),
    Speaker("joe", 1.15, 0.94, "male", "piper"),
)
"""SPIRAL-mini's speakers, women and men by turns; neighbours differ in voice. Piper's joe speaks in no training."""


def read_cast(path: Path) -> tuple[Speaker, ...]:
    """Speakers from a JSON list of objects with `Speaker`'s fields.

    Raises ValueError naming the entry that is none.
    """
    try:
        entries, speakers = json.loads(path.read_text("utf8")), []
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}), expected a list of speakers") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path} holds no list of speakers, expected such as {json.dumps([asdict(CAST[0])])}")
    for number, entry in enumerate(entries):
        try:
            speakers.append(Speaker(**entry))
            speakers[-1].check()
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, speaker {number}: {entry!r} is none ({error})") from error
    return tuple(speakers)

"""Speakers made of an engine's voices: tempo, pitch and formants varied, silence trimmed, 16 kHz out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from . import flite
from .flite import Speech

LEAD_SECONDS, TAIL_SECONDS = 0.06, 0.1


@dataclass(frozen=True)
class Speaker:
    """One of flite's voices; `stretch` > 1 is slower, `resample` > 1 raises pitch, formants and tempo together."""

    voice: str
    stretch: float = 1.0
    resample: float = 1.0
    gender: str = ""

    def say(self, text: str) -> Speech:
        """Speak one sentence, trimmed to 60 ms before its first and 100 ms after its last word."""
        speech = flite.say(text, self.voice, self.stretch)
        factor = self.resample * speech.rate_hz / SAMPLE_RATE_HZ
        length = int(len(speech.samples) / factor)
        samples = np.interp(np.arange(length) * factor, np.arange(len(speech.samples)), speech.samples)
        first = max(0.0, speech.words[0][1] / self.resample - LEAD_SECONDS)
        last = min(length / SAMPLE_RATE_HZ, speech.words[-1][2] / self.resample + TAIL_SECONDS)
        trimmed = samples[int(first * SAMPLE_RATE_HZ) : int(last * SAMPLE_RATE_HZ)].astype(np.float32)
        words = tuple((w, s / self.resample - first, e / self.resample - first) for w, s, e in speech.words)
        return Speech(trimmed, SAMPLE_RATE_HZ, words)


CAST = (
    Speaker("slt", 1.1, 1.0, "female"),
    Speaker("rms", 1.1, 1.0, "male"),
    Speaker("slt", 1.16, 1.1, "female"),
    Speaker("awb", 1.1, 1.0, "male"),
    Speaker("slt", 1.07, 0.92, "female"),
    Speaker("kal16", 1.21, 1.0, "male"),
    Speaker("awb", 1.16, 1.14, "female"),
    Speaker("rms", 1.04, 1.08, "male"),
)
"""Speakers of the benchmark, women and men by turns; consecutive ones differ in voice."""

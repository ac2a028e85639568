"""Who speaks in the training speech: thirteen voices of three engines, each varied in tempo, pitch and loudness.

Two are never among them, so that the model can be tested on voices, and on an engine, that it has not met: flite's
kal16, and Piper's joe.
"""

# pyright: basic
from __future__ import annotations

import random
from dataclasses import dataclass

from ..synthesis.speaking.engines.festival import UNSTRETCHED
from ..synthesis.speaking.voices import Speaker

VOICES = {
    ("flite", "slt"): 16,
    ("flite", "rms"): 16,
    ("flite", "awb"): 16,
    ("festival", "kal"): 9,
    ("festival", "ked"): 6,
    ("festival", "slt-hts"): 4,
    ("espeak", "en-us"): 5,
    ("espeak", "en-us+f2"): 5,
    ("espeak", "en-us+m3"): 5,
    ("espeak", "en-us+f5"): 5,
    ("espeak", "en-gb-x-rp"): 4,
    ("espeak", "en-gb-x-rp+f3"): 5,
    ("espeak", "en-gb-scotland"): 4,
}
"""(engine, voice) -> its share of the speech, in percent. Voices that Whisper understands well speak more."""

GROUPS = {"known": VOICES, "kal16": {("flite", "kal16"): 1}, "joe": {("piper", "joe"): 1}}
"""Who may speak: the voices of the training, a voice that it never hears, and an engine that it never hears."""


@dataclass(frozen=True)
class Drawn:
    """A speaker as one clip has it."""

    speaker: Speaker
    gain: float
    tilt: float

    @property
    def name(self) -> str:
        return f"{self.speaker.engine} {self.speaker.voice}"


def draw(rng: random.Random, group: str = "known") -> Drawn:
    """One of a group's voices by their shares, varied."""
    voices = GROUPS[group]
    return varied(rng, *rng.choices(list(voices), list(voices.values()))[0])


def varied(rng: random.Random, engine: str, voice: str) -> Drawn:
    """A voice at a tempo, pitch, loudness and spectral tilt of its own."""
    stretch, resample = rng.uniform(0.85, 1.2), rng.uniform(0.86, 1.15 if voice.startswith("slt") else 1.22)
    stretch = 1.0 if voice in UNSTRETCHED else round(stretch, 3)
    gain, tilt = 10 ** rng.uniform(-1.0, -0.15), rng.uniform(-0.5, 0.5)
    return Drawn(Speaker(voice, stretch, round(resample, 3), engine=engine, band_limited=True), gain, tilt)

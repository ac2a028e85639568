"""One recording: its sentences spoken one after the other, with natural gaps, one voice per speaker."""

# pyright: basic
from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import numpy as np

from ...audio import SAMPLE_RATE_HZ
from .voices import Speaker

GAP_SECONDS = (0.2, 0.45)
TURN_GAP_SECONDS = (0.35, 0.7)
PEAK = 0.6


def speak(script: dict, cast: Sequence[Speaker], delay_s: float = 0.0) -> tuple[np.ndarray, dict]:
    """The recording (mono float32, 16 kHz) and SPIRAL's `combined` record of it, without key sentences.

    delay_s: silence that the file's coder will put before it, so that the times are the file's. Raises ValueError
    naming the script for more speakers than the cast has.
    """
    identity = script["metadata"]["id"]
    rng = random.Random(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]))
    voices = cast_speakers(rng, script, cast)
    pieces, sentences, times, clock = [], [], [], delay_s
    for number, turn in enumerate(script["transcript"]):
        for index, sentence in enumerate(turn["text"]):
            if pieces:
                gap = rng.uniform(*(TURN_GAP_SECONDS if index == 0 and number else GAP_SECONDS))
                pieces.append(np.zeros(int(gap * SAMPLE_RATE_HZ), np.float32))
                clock += len(pieces[-1]) / SAMPLE_RATE_HZ
            speech = voices[turn["speaker"]].say(sentence)
            pieces.append(speech.samples / np.abs(speech.samples).max() * PEAK)
            times.append([round(clock + speech.words[0][1], 3), round(clock + speech.words[-1][2], 3)])
            sentences.append(sentence)
            clock += len(speech.samples) / SAMPLE_RATE_HZ
    combined = {
        "audio_files": [f"{identity}.mp3"],
        "audio_folder": "audio",
        "voices": {name: speaker.name for name, speaker in voices.items()},
        "sentences": sentences,
        "times": times,
    }
    return np.concatenate(pieces), {"combined": combined}


def cast_speakers(rng: random.Random, script: dict, cast: Sequence[Speaker]) -> dict[str, Speaker]:
    """Neighbours of the cast, starting anywhere: with women and men by turns there, their number is balanced here."""
    names = list(dict.fromkeys(turn["speaker"] for turn in script["transcript"]))
    if len(names) > len(cast):
        raise ValueError(f"{script['metadata']['id']} has {len(names)} speakers, the cast has {len(cast)}")
    start = rng.randrange(len(cast))
    return {name: cast[(start + index) % len(cast)] for index, name in enumerate(names)}

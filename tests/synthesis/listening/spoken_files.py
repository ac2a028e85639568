"""A benchmark of three clips whose loudness is their content, and a recognizer and a MOS model that hear loudness."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from speechprune_lib.synthesis.listening.opinion import Opinion
from speechprune_lib.synthesis.listening.recognizers import Recognizer

STEP = 0.05
"""Loudness of level 1, of which the others are multiples."""

HEARD = {
    1: "We meat at noon, the key is the mat.",  # one word wrong, one missing
    2: "thank you Anna",
    3: "Bees dance, they",
    4: "color the the hive.",  # one word too many
    5: "",
    6: "2 cups, please",
    7: "Fine!",
}

MEETING = {
    "said": [("anna", "We meet at noon.", 0.5, 2.0), ("anna", "The key is under the mat.", 2.3, 4.0),
             ("ben", "Thank you, uh, Anna.", 4.6, 6.0)],
    "levels": [(1, 0.5, 4.0), (2, 4.6, 6.0)], "duration": 6.5, "key": 1, "right": "A. Mat", "topic": "Houses",
}  # fmt: skip
LECTURE = {
    "said": [("anna", "Bees dance.", 1.0, 35.0), ("anna", "They colour the hive.", 35.5, 39.5)],
    "levels": [(3, 1.0, 20.0), (4, 20.6, 39.5)], "duration": 40.0, "key": 1, "right": "C. Bees", "topic": "Bees",
}  # fmt: skip
CONVERSATION = {
    "said": [("ben", "Tea?", 0.4, 1.0), ("cara", "Two cups, please.", 1.6, 3.0), ("ben", "Fine.", 3.2, 4.0)],
    "levels": [(5, 0.4, 1.0), (6, 1.6, 3.0), (7, 3.2, 4.0)], "duration": 4.0, "key": 0, "right": "C. Bees",
    "topic": "Bees",
}  # fmt: skip
CLIPS = {"meeting_0": MEETING, "lecture_0": LECTURE, "conversation_0": CONVERSATION}


def line(identity: str, clip: dict) -> dict:
    """A line as the builder writes it; every sentence is a turn of the transcript."""
    voices = [voice for voice, *_ in clip["said"]]
    return {
        "transcript": [{"speaker": f"spk_{voice}", "text": [text]} for voice, text, *_ in clip["said"]],
        "test_question": {"question": "What?", "choices": ["A. Mat", "B. Hat", "C. Bees"],
                          "correct_answer": clip["right"]},
        "metadata": {"id": identity, "transcript_type": identity.split("_")[0], "main_topic": clip["topic"]},
        "audio_data": {
            "key_sentences": {"indices": [clip["key"], clip["key"] + 1]},
            "combined": {
                "audio_files": [f"{identity}.wav"],
                "audio_folder": "audio",
                "voices": {f"spk_{voice}": voice for voice in voices},
                "sentences": [text for _, text, *_ in clip["said"]],
                "times": [[start, end] for *_, start, end in clip["said"]],
                "duration": clip["duration"],
            },
        },
    }  # fmt: skip


def write_lines(folder: Path, lines: list[dict]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "test.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_benchmark(folder: Path, clips: dict[str, dict] = CLIPS) -> Path:
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    for identity, clip in clips.items():
        samples = np.zeros(round(clip["duration"] * 16_000), np.float32)
        for level, start, end in clip["levels"]:
            samples[round(start * 16_000) : round(end * 16_000)] = level * STEP
        soundfile.write(folder / "audio" / f"{identity}.wav", samples, 16_000, subtype="FLOAT")
    write_lines(folder, [line(identity, clip) for identity, clip in clips.items()])
    return folder


def level(waveform: np.ndarray) -> int:
    return round(float(np.abs(waveform).max()) / STEP)


@dataclass(frozen=True)
class Loudness(Recognizer):
    """Hears `HEARD`, and stops the program or fails at a level that it was told of."""

    version: str = "1"
    stops_at: int = 0
    fails_at: int = 0

    name = "loudness"

    @property
    def revision(self) -> str:
        return self.version

    def transcribe(self, waveform: np.ndarray) -> str:
        heard = level(waveform)
        if heard == self.stops_at:
            raise KeyboardInterrupt
        if heard == self.fails_at:
            raise RuntimeError("an ear ache")
        CALLS.append(heard)
        return HEARD[heard]


CALLS: list[int] = []
"""Levels heard by any `Loudness` of this process; tests clear it."""


@dataclass(frozen=True)
class LevelScore(Opinion):
    """The level is the score."""

    scale = "levels"
    revision = "1"

    def score(self, waveform: np.ndarray) -> float:
        return float(level(waveform))

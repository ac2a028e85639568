"""Speak SPIRAL-format transcripts: one clip per question, one voice per speaker, exact sentence times.

Input lines follow SPIRAL's schema with a `split`; output lines add `audio_data` as SPIRAL publishes it, and two fields
it lacks: `times` (start, end in seconds of every sentence, from the engine) and `duration`.
"""

# pyright: basic
from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..audio import SAMPLE_RATE_HZ, mp3
from .voices import CAST, Speaker

GAP_SECONDS = (0.2, 0.45)
TURN_GAP_SECONDS = (0.35, 0.7)
PEAK = 0.6


def build(texts: Path, out: Path) -> None:
    """Write `out/{split}.jsonl` and `out/audio/{id}.mp3` for every line of `texts/*.jsonl`."""
    (out / "audio").mkdir(parents=True, exist_ok=True)
    items = [json.loads(line) for path in sorted(texts.glob("*.jsonl")) for line in path.read_text().splitlines()]
    if not items:
        raise FileNotFoundError(f"no *.jsonl transcripts in {texts}")
    lines: dict[str, list[str]] = {}
    for item in tqdm(items, desc="clips spoken"):
        samples, spoken = speak_item(item)
        path = out / "audio" / f"{item['metadata']['id']}.mp3"
        path.with_suffix(".part").write_bytes(mp3(samples))
        path.with_suffix(".part").replace(path)
        split = item.pop("split")
        lines.setdefault(split, []).append(json.dumps(item | {"audio_data": spoken}))
    for split, rows in lines.items():
        (out / f"{split}.jsonl").write_text("\n".join(rows) + "\n")


def speak_item(item: dict) -> tuple[np.ndarray, dict]:
    """One clip (mono float32, 16 kHz) and its `audio_data` record."""
    identity = item["metadata"]["id"]
    rng = random.Random(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]))
    cast = _cast(rng, item)
    pieces, sentences, times, clock = [], [], [], 0.0
    for number, turn in enumerate(item["transcript"]):
        for index, sentence in enumerate(turn["text"]):
            if pieces:
                gap = rng.uniform(*(TURN_GAP_SECONDS if index == 0 and number else GAP_SECONDS))
                pieces.append(np.zeros(int(gap * SAMPLE_RATE_HZ), np.float32))
                clock += len(pieces[-1]) / SAMPLE_RATE_HZ
            speech = cast[turn["speaker"]].say(sentence)
            pieces.append(speech.samples / np.abs(speech.samples).max() * PEAK)
            times.append([round(clock + speech.words[0][1], 3), round(clock + speech.words[-1][2], 3)])
            sentences.append(sentence)
            clock += len(speech.samples) / SAMPLE_RATE_HZ
    return np.concatenate(pieces), _record(item, cast, sentences, times, clock)


def _cast(rng: random.Random, item: dict) -> dict[str, Speaker]:
    """Women and men by turns, starting anywhere in the cast."""
    names = list(dict.fromkeys(turn["speaker"] for turn in item["transcript"]))
    if len(names) > len(CAST):
        raise ValueError(f"{item['metadata']['id']} has {len(names)} speakers, the cast has {len(CAST)}")
    start = rng.randrange(len(CAST))
    return {name: CAST[(start + index) % len(CAST)] for index, name in enumerate(names)}


def _record(item: dict, cast: dict[str, Speaker], sentences: list[str], times: list, duration: float) -> dict:
    key = item["original_key_sentence"]
    if sentences.count(key) != 1:
        raise ValueError(
            f"{item['metadata']['id']}: the key sentence occurs {sentences.count(key)} times, expected once"
        )
    index = sentences.index(key)
    speaker = next(turn["speaker"] for turn in item["transcript"] if key in turn["text"])
    return {
        "key_sentences": {"speaker": speaker, "text": key, "indices": [index, index + 1]},
        "combined": {
            "audio_files": [f"{item['metadata']['id']}.mp3"],
            "audio_folder": "audio",
            "voices": {n: f"flite {s.voice}, stretch {s.stretch}, resample {s.resample}" for n, s in cast.items()},
            "sentences": sentences,
            "times": times,
            "duration": round(duration, 3),
        },
    }

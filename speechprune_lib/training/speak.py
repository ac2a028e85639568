"""Stage 1, `speak`: texts -> augmented 16 kHz speech in 30 s windows, with the exact time of every word.

Speech comes in shards of half an hour, each made by a child process (flite ends its process on a rare unit: that
sentence is then skipped and the shard begun again). A shard is complete or absent; a rerun makes those missing.
"""

# pyright: basic
from __future__ import annotations

import json
import multiprocessing as mp
import os
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve, lfilter
from tqdm import tqdm

from ..audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from ..synthesis.voices import Speaker
from .texts import Fact, everyday_sentences, facts, wordnet_sentences

WINDOWS_PER_SHARD = 60
CLIP_WINDOWS = (1, 1, 2, 3)  # a clip fills one of these numbers of windows
EVERYDAY_FROM = 38  # shards from here on speak the everyday sentences, those before it WordNet's
FACT_SHARE = 0.3  # of all sentences; the rest is WordNet's


def speak(out: Path, shards: range, workers: int) -> None:
    """Write `shard_NNN.npy` (int16 windows) and `shard_NNN.json` (clips) for every shard not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    missing = [s for s in shards if not (out / f"shard_{s:03}.json").exists()]
    with ThreadPoolExecutor(workers) as pool:
        list(tqdm(pool.map(lambda s: _until_done(out, s), missing), total=len(missing), desc="shards spoken"))


def _until_done(out: Path, shard: int) -> None:
    skip: set[str] = set()
    saying = out / f"shard_{shard:03}.saying"
    while True:
        child = mp.get_context("spawn").Process(target=_speak_shard, args=(out, shard, skip, saying))
        child.start()
        child.join()
        if child.exitcode == 0:
            saying.unlink(missing_ok=True)
            return
        text = saying.read_text() if saying.exists() else ""
        if not text or text in skip:
            raise RuntimeError(f"shard {shard} failed with exit code {child.exitcode} at {text!r}")
        skip.add(text)


def _speak_shard(out: Path, shard: int, skip: set[str], saying: Path) -> None:
    rng = random.Random(1000 + shard)
    source = _texts(rng, _sentences(shard))
    windows, clips = [], []
    while len(windows) < WINDOWS_PER_SHARD:
        count = min(rng.choice(CLIP_WINDOWS), WINDOWS_PER_SHARD - len(windows))
        samples, spoken = _clip(rng, source, count * WINDOW_SAMPLES, skip, saying)
        clips.append({"first_window": len(windows), "windows": count, "samples": len(samples), "sentences": spoken})
        padded = np.zeros(count * WINDOW_SAMPLES, np.int16)
        padded[: len(samples)] = np.clip(samples * 32767, -32768, 32767)
        windows += list(padded.reshape(count, WINDOW_SAMPLES))
    np.save(out / f"shard_{shard:03}.npy", np.stack(windows))
    partial = out / f"shard_{shard:03}.json.part"
    partial.write_text(json.dumps(clips))
    os.replace(partial, out / f"shard_{shard:03}.json")


def _sentences(shard: int) -> tuple[str, ...]:
    """A shard speaks about 400 sentences, so no two shards share one before the lists wrap."""
    everyday = shard >= EVERYDAY_FROM
    sentences = everyday_sentences() if everyday else wordnet_sentences()
    start = (shard - EVERYDAY_FROM * everyday) * 450 % len(sentences)
    return sentences[start:] + sentences[:start]


def _texts(rng: random.Random, sentences):
    invented = facts(rng)
    for sentence in sentences:
        while rng.random() < FACT_SHARE:
            yield next(invented)
        yield Fact(sentence, "", "")


def _clip(rng: random.Random, source, limit: int, skip: set[str], saying: Path):
    samples, spoken, drawn = np.zeros(0, np.float32), [], _draw(rng)
    for fact in source:
        if rng.random() < 0.35:
            drawn = _draw(rng)
        if fact.sentence in skip:
            continue
        saying.write_text(fact.sentence)
        try:
            speech = drawn[0].say(fact.sentence)
        except (ValueError, UnicodeEncodeError):
            continue  # the engine splits this text into other words than we do
        voice = _coloured(speech.samples, *drawn[1:])
        pause = np.zeros(int(rng.uniform(0.05, 0.5) * SAMPLE_RATE_HZ), np.float32)
        if len(samples) + len(voice) + len(pause) > limit:
            return _room(rng, samples), spoken
        offset = len(samples) / SAMPLE_RATE_HZ
        timed = [(w, round(offset + s, 3), round(offset + e, 3)) for w, s, e in speech.words]
        spoken.append({**asdict(fact), "voice": drawn[0].voice, "words": timed})
        samples = np.concatenate([samples, voice, pause])
    raise RuntimeError("the texts ran out")


def _draw(rng: random.Random) -> tuple[Speaker, float, float]:
    """A speaker, a gain and a spectral tilt."""
    voice = rng.choice(("slt", "slt", "rms", "rms", "awb", "awb", "kal16"))
    stretch, resample = rng.uniform(0.85, 1.2), rng.uniform(0.86, 1.22 if voice != "slt" else 1.15)
    gain, tilt = 10 ** rng.uniform(-1.0, -0.15), rng.uniform(-0.5, 0.5)
    return Speaker(voice, stretch, resample), gain, tilt


def _coloured(samples: np.ndarray, gain: float, tilt: float) -> np.ndarray:
    samples = np.asarray(lfilter([1.0, tilt], [1.0], samples))
    return (samples / (np.abs(samples).max() + 1e-6) * gain).astype(np.float32)


def _room(rng: random.Random, samples: np.ndarray) -> np.ndarray:
    """A reverberant room in a third of the clips, then white noise at -90 to -40 dB."""
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.33:
        decay = rng.uniform(0.05, 0.3)
        taps = noise.standard_normal(int(0.4 * SAMPLE_RATE_HZ)) * np.exp(
            -np.arange(int(0.4 * SAMPLE_RATE_HZ)) / (decay * SAMPLE_RATE_HZ / 3)
        )
        taps = np.concatenate([[1.0], rng.uniform(0.02, 0.12) * taps])
        samples = fftconvolve(samples, taps)[: len(samples)]
        samples = samples / max(1.0, float(np.abs(samples).max()))
    return (samples + noise.standard_normal(len(samples)) * 10 ** rng.uniform(-4.5, -2.0)).astype(np.float32)

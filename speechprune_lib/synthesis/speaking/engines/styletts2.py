"""StyleTTS 2, the paper's engine, in an environment of its own: its pins exclude this library's.

    python3.10 -m venv styletts && styletts/bin/pip install styletts2
    export SPEECHPRUNE_STYLETTS2=styletts/bin/python

A voice is the path of a reference recording; `libritts_cast` draws the paper's kind, from LibriTTS's train-clean-100. A
worker process holds the model; texts go in and paths of recordings come out as lines of JSON.
"""

# pyright: basic
from __future__ import annotations

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import soundfile

from ..speech import Speech, as_one

PYTHON_VARIABLE = "SPEECHPRUNE_STYLETTS2"
WORKER = Path(__file__).with_name("styletts2_worker.py")
STEPS, SCALE = 5, 1.0
"""Diffusion steps and embedding scale: fixed, as in the paper, which does not print them; these are StyleTTS 2's own."""


def say(text: str, voice: str, stretch: float = 1.0) -> Speech:
    """Speak `text` as the reference recording `voice` sounds. Raises ValueError for a stretch: the engine has none."""
    if stretch != 1.0:
        raise ValueError(f"StyleTTS 2 speaks at its reference's pace, got stretch {stretch}: leave it at 1")
    if not Path(voice).is_file():
        raise FileNotFoundError(f"no reference recording {voice!r}: a voice of StyleTTS 2 is the path of a sound file")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        _ask({"text": text, "reference": voice, "out": str(out), "steps": STEPS, "scale": SCALE})
        samples, rate_hz = soundfile.read(out, dtype="float32")
    return as_one(text, samples, rate_hz)


def _ask(request: dict[str, Any]) -> None:
    worker = _worker()
    try:
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        answer = json.loads(worker.stdout.readline())
    except (OSError, json.JSONDecodeError) as error:
        end_worker()
        raise RuntimeError(
            f"StyleTTS 2's process ended at {request['text']!r}; run {WORKER} by hand to see why"
        ) from error
    if "error" in answer:
        raise ValueError(f"StyleTTS 2 cannot say {request['text']!r}: {answer['error']}")


def end_worker() -> None:
    """End the process, if there is one; the next `say` starts another."""
    if _worker.cache_info().currsize:
        _worker().kill()
        _worker().communicate()
    _worker.cache_clear()


@cache
def _worker() -> Any:
    python = os.environ.get(PYTHON_VARIABLE)
    if python is None:
        raise ModuleNotFoundError(
            f"StyleTTS 2 lives in an environment of its own: make one and name its python in ${PYTHON_VARIABLE}"
        )
    return subprocess.Popen([python, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

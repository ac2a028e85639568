"""A model as its user meets it: a fresh process that loads it and answers one question, in seconds and bytes.

`python -m speechprune_lib.efficiency.fresh NAME` is that process; it prints what it took as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..audio import SAMPLE_RATE_HZ, WINDOW_TOKENS, audio_tokens
from ..prompt import SpeechPrompt, apply, kept_count
from ..pruners import SpeechPrune
from .records import Measurement, Stage
from .timing import Timing, resident

CLIP_SECONDS = 90
"""About SPIRAL's mean recording, which has 88."""
RATE = 0.2
LOAD, LISTEN, EVERYTHING, PRUNED = "load", "listen", "answer", "answer pruned"


def measure_fresh(name: str, rounds: int = 5) -> Iterator[Measurement]:
    """Rows of a model's first use, a process a round: `load` from the process' start, imports included; `listen`, the
    first clip that becomes audio tokens; and `answer`, which is listening and scoring four options, with all of the
    clip's tokens and with those that SpeechPrune keeps.

    The peak is the whole process' resident memory, of the round that took most; None where the kernel does not count it.
    Raises RuntimeError with what the process complained of.
    """
    taken = [_fresh(name) for _ in range(rounds)]
    peak = max(one["peak"] or 0 for one in taken) or None
    tokens = audio_tokens(CLIP_SECONDS * SAMPLE_RATE_HZ)

    def row(stage: Stage, of: str, audio_tokens: int, **known: Any) -> Measurement:
        seconds = Timing(rounds=tuple(one[of] for one in taken))
        return Measurement(stage=stage, audio_tokens=audio_tokens, seconds=seconds, peak_bytes=peak, **known)

    yield row("load", LOAD, 0, method=name)
    yield row("listen", LISTEN, tokens, method=name)
    yield row("answer", EVERYTHING, tokens, method="everything")
    kept = kept_count(WINDOW_TOKENS, RATE)
    yield row("answer", PRUNED, tokens, method=SpeechPrune.name, rate=RATE, kept=kept)


def _fresh(name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "speechprune_lib.efficiency.fresh", name, str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"a fresh process could not use {name!r}: {complaint}")
    return json.loads(done.stdout.splitlines()[-1])


def _use(name: str, began: float) -> dict[str, float | None]:
    from ..models import load_model  # what a user waits for is counted

    model = load_model(name, "cpu")
    taken: dict[str, float | None] = {LOAD: time.time() - began}
    audio = np.random.default_rng(0).standard_normal(CLIP_SECONDS * SAMPLE_RATE_HZ).astype(np.float32) / 10
    question, options = "What is said?", ("Nothing", "A word", "Two words", "Three words")
    instruction = model.instruction(question, options, model.default_scoring)

    def listen() -> SpeechPrompt:
        return model.prepare(audio, question, instruction=instruction)

    def answer(rate: float | None) -> object:
        prompt = listen()
        return model.option_scores(prompt if rate is None else apply(prompt, SpeechPrune().plan(prompt, rate)), options)

    taken[LISTEN] = _seconds(listen)
    taken[PRUNED], taken[EVERYTHING] = (_seconds(partial(answer, rate)) for rate in (RATE, None))
    return taken | {"peak": resident("VmHWM")}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(_use(sys.argv[1], float(sys.argv[2]))))

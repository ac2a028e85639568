"""What a plan keeps of the answer: measures that need no reply of a model, and that no paper reports."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor
from tqdm import tqdm

from .audio import SAMPLE_RATE_HZ
from .benchmarks import Example
from .conditions import conditions, label
from .models.base import SpeechModel
from .prompt import Clock, Plan
from .pruners import Pruner
from .texts import with_texts

Spans = Sequence[tuple[float, float]]
"""(start, end) in seconds."""


def evidence_recall(plan: Plan, key_spans: Spans, clock: Clock) -> float | None:
    """Share of the audio tokens overlapping the key sentences (seconds) that the plan keeps; None if there are none.

    clock: the tokens in a second, or, where tokens have no order in time, when each is heard.
    """
    key = _overlapping(key_spans, clock, plan.total)
    return len(key.intersection(plan.keep.tolist())) / len(key) if key else None


def word_recall(plan: Plan, words: Sequence[str], key_spans: Spans, clock: Clock) -> float | None:
    """Share of the words in the key sentences of which the plan keeps at least one audio token; None if there are none.

    words: what each audio token says by itself, as a model's `nearest_words` gives it; a run of equal, non-empty ones
    is a word. A word lasts several tokens, so keeping a quarter of the tokens can keep a quarter of the words, or all.
    """
    if len(words) != plan.total:
        raise ValueError(f"got {len(words)} words for {plan.total} audio tokens, expected one for each")
    key, kept = _overlapping(key_spans, clock, plan.total), {*plan.keep.tolist()}
    runs: list[list[int]] = []
    for token in sorted(token for token in key if words[token]):
        if runs and runs[-1][-1] == token - 1 and words[token - 1] == words[token]:
            runs[-1].append(token)
        else:
            runs.append([token])
    return sum(not kept.isdisjoint(run) for run in runs) / len(runs) if runs else None


def kept_evidence(
    model: SpeechModel,
    examples: Sequence[Example],
    methods: Sequence[str | Pruner],
    rates: Sequence[float],
    seeds: Sequence[int] = (0,),
    progress: bool = True,
) -> pd.DataFrame:
    """Prune without answering: a row for every example and plan.

    Columns: example, method (with its options, as `parse_method` reads them), rate, seed, share_kept (of all audio
    tokens), token_recall (`evidence_recall`), word_recall, and unevenness: how far from equal a plan treats the seconds
    (`unevenness`).
    """
    rows, grid = [], conditions(methods, rates, seeds)
    for example in tqdm(examples, disable=None if progress else True):
        instruction = model.instruction(example.question, example.choices, model.default_scoring)
        prompt = model.prepare(example.waveform(), example.question, instruction=instruction)
        prompt = with_texts(model, prompt, example.question, example.choices)
        words, clock = model.nearest_words(prompt.audio), prompt.clock
        for condition in grid:
            plan = condition.plan(prompt)
            rows.append(
                {
                    "example": example.id,
                    "method": label(condition.method, condition.options),
                    "rate": condition.rate,
                    "seed": condition.seed,
                    "share_kept": len(plan.keep) / plan.total,
                    "token_recall": evidence_recall(plan, example.key_spans, clock),
                    "word_recall": word_recall(plan, words, example.key_spans, clock),
                    "unevenness": unevenness(plan, float(prompt.frame_size(1.0))),
                }
            )
    return pd.DataFrame(rows)


def unevenness(plan: Plan, tokens_per_second: float) -> float:
    """Gini coefficient of the tokens kept per whole second: 0, every second keeps as many; near 1, few keep all."""
    size = max(1, round(tokens_per_second))
    seconds = plan.total // size
    if seconds == 0:
        raise ValueError(f"the plan is over {plan.total} audio tokens, expected at least a second of {size}")
    kept = np.sort(np.bincount(plan.keep.numpy() // size, minlength=seconds)[:seconds])
    if kept.sum() == 0:
        return 0.0
    ranks = np.arange(1, seconds + 1)
    return float((2 * ranks - seconds - 1) @ kept / (seconds * kept.sum()))


def _overlapping(spans: Spans, clock: Clock, total: int) -> set[int]:
    tokens: set[int] = set()
    if isinstance(clock, Tensor):
        for start_s, end_s in spans:
            tokens.update(((clock[:, 0] < end_s) & (clock[:, 1] > start_s)).nonzero().squeeze(1).tolist())
        return tokens
    for start_s, end_s in spans:
        # by whole samples, as `audio.tokens_in` does for 25 tokens a second: 0.28 s ends token 6, float error or not
        start, end = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
        first, stop = start * clock / SAMPLE_RATE_HZ, end * clock / SAMPLE_RATE_HZ
        tokens.update(range(math.floor(first), min(math.ceil(stop), total)))
    return tokens

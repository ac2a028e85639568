"""What a plan keeps of the answer: measures that need no language model, and that no paper reports."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .audio import SAMPLE_RATE_HZ
from .prompt import Plan

Spans = Sequence[tuple[float, float]]
"""(start, end) in seconds."""


def evidence_recall(plan: Plan, key_spans: Spans, tokens_per_second: float) -> float | None:
    """Share of the audio tokens overlapping the key sentences (seconds) that the plan keeps; None if there are none."""
    key = _overlapping(key_spans, tokens_per_second, plan.total)
    return len(key.intersection(plan.keep.tolist())) / len(key) if key else None


def word_recall(plan: Plan, words: Sequence[str], key_spans: Spans, tokens_per_second: float) -> float | None:
    """Share of the words in the key sentences of which the plan keeps at least one audio token; None if there are none.

    words: what each audio token says by itself, as a model's `nearest_words` gives it; a run of equal, non-empty ones
    is a word. A word lasts several tokens, so keeping a quarter of the tokens can keep a quarter of the words, or all.
    """
    if len(words) != plan.total:
        raise ValueError(f"got {len(words)} words for {plan.total} audio tokens, expected one for each")
    key, kept = _overlapping(key_spans, tokens_per_second, plan.total), {*plan.keep.tolist()}
    runs: list[list[int]] = []
    for token in sorted(token for token in key if words[token]):
        if runs and runs[-1][-1] == token - 1 and words[token - 1] == words[token]:
            runs[-1].append(token)
        else:
            runs.append([token])
    return sum(not kept.isdisjoint(run) for run in runs) / len(runs) if runs else None


def _overlapping(spans: Spans, tokens_per_second: float, total: int) -> set[int]:
    tokens: set[int] = set()
    for start_s, end_s in spans:
        # by whole samples, as `audio.tokens_in` does for 25 tokens a second: 0.28 s ends token 6, float error or not
        start, end = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
        first, stop = start * tokens_per_second / SAMPLE_RATE_HZ, end * tokens_per_second / SAMPLE_RATE_HZ
        tokens.update(range(math.floor(first), min(math.ceil(stop), total)))
    return tokens

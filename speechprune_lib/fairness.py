"""What a benchmark gives away before anybody listens: checks of its questions that need neither audio nor model.

A multiple-choice benchmark measures listening only as far as its answers cannot be had otherwise. Each check is a
strategy that never listens (always one letter, the longest option, the option that sounds like the question), a model
that has not heard the key sentence, or a property that a fair set of questions has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from string import ascii_uppercase

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer

from .audio import WINDOW_SECONDS
from .benchmarks import Example

LEVEL = 0.05
"""A check fails where chance alone would do as much in fewer cases than this."""

TWINS = 0.8
"""Cosine similarity (TF-IDF of words) from which two questions count as one."""


@dataclass(frozen=True)
class Check:
    """`measured` and `chance` are shares; `fair` is None where nothing is decided; `named` are examples to look at."""

    check: str
    measured: float
    chance: float
    p_value: float
    fair: bool | None
    named: tuple[str, ...] = ()


def fairness(examples: Sequence[Example], answers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One line a check, columns as of `Check`. Raises ValueError for no examples.

    answers: a model's, as of `evaluate`; those of "no-audio", and those of "original" where the key sentence comes after
    the 30 s that it heard, must not be right more often than chance (one-sided binomial tests).

    Strategies: the commonest letter (chi-square test of all letters, so that picking the best one afterwards is paid
    for), and the options that are longest, shortest or share most words with the question (two-sided binomial tests
    over the questions where one option stands alone; a strategy that is always wrong also gives something away).
    Properties: key sentences spread evenly over the recordings (Kolmogorov-Smirnov), no question asked twice.
    """
    examples = [example for example in examples if example.choices]
    if not examples:
        raise ValueError("got no examples with choices, expected a benchmark's, as of load_benchmark")
    checks = [
        _letters(examples),
        _strategy("longest option", examples, lambda example: [len(option) for option in example.choices]),
        _strategy("shortest option", examples, lambda example: [-len(option) for option in example.choices]),
        _strategy("option most like the question", examples, _echoes),
        *_positions(examples),
        _twins(examples),
        *([] if answers is None else _unheard(examples, answers)),
    ]
    return pd.DataFrame([asdict(check) for check in checks])


def _letters(examples: Sequence[Example]) -> Check:
    options = max(len(example.choices) for example in examples)
    counts = np.bincount([example.answer or 0 for example in examples], minlength=options)
    # of k options each letter is right in 1 of k questions
    shares = [[1 / len(e.choices)] * len(e.choices) + [0.0] * (options - len(e.choices)) for e in examples]
    p_value = float(stats.chisquare(counts, np.sum(shares, axis=0)).pvalue)
    name, share = f"always {ascii_uppercase[int(counts.argmax())]}", float(counts.max() / len(examples))
    return Check(name, share, float(np.mean([1 / len(e.choices) for e in examples])), p_value, p_value >= LEVEL)


def _strategy(name: str, examples: Sequence[Example], score: Callable[[Example], list[int]]) -> Check:
    """Choose the option of the highest score, where one stands alone."""
    right, chances = [], []
    for example in examples:
        scores = score(example)
        if scores.count(max(scores)) == 1:
            right.append(scores.index(max(scores)) == example.answer)
            chances.append(1 / len(example.choices))
    name = f"{name} (of {len(right)})"
    if not right:
        return Check(name, float("nan"), float("nan"), float("nan"), None)
    chance = float(np.mean(chances))
    p_value = float(stats.binomtest(sum(right), len(right), chance).pvalue)
    return Check(name, float(np.mean(right)), chance, p_value, p_value >= LEVEL)


def _unheard(examples: Sequence[Example], answers: pd.DataFrame) -> list[Check]:
    """What a model answers that cannot have heard the answer."""
    late = {e.id: e for e in examples if e.key_spans and e.key_spans[0][0] >= WINDOW_SECONDS}
    everyone = {e.id: e for e in examples}
    cases = (("no-audio", "no audio", everyone), ("original", f"first {WINDOW_SECONDS} s, key later", late))
    checks = []
    for method, name, asked in cases:
        rows = answers[(answers["method"] == method) & answers["example"].isin([*asked])]
        if len(rows) == 0:
            continue
        chance = float(np.mean([1 / len(asked[str(identity)].choices) for identity in rows["example"]]))
        test = stats.binomtest(int(rows["correct"].sum()), len(rows), chance, alternative="greater")
        p_value = float(test.pvalue)
        checks.append(
            Check(f"{name} (of {len(rows)})", float(rows["correct"].mean()), chance, p_value, p_value >= LEVEL)
        )
    return checks


def _echoes(example: Example) -> list[int]:
    asked = _words(example.question)
    return [len(asked & _words(option)) for option in example.choices]


def _positions(examples: Sequence[Example]) -> list[Check]:
    timed = [(e.key_spans[0][0], e.duration_s) for e in examples if e.key_spans and e.duration_s]
    if not timed:
        return []
    late = float(np.mean([start >= WINDOW_SECONDS for start, _ in timed]))
    p_value = float(stats.kstest([start / duration for start, duration in timed], "uniform").pvalue)
    return [
        Check(f"key sentence after {WINDOW_SECONDS:g} s", late, float("nan"), float("nan"), None),
        Check("key sentences spread evenly", float("nan"), float("nan"), p_value, p_value >= LEVEL),
    ]


def _twins(examples: Sequence[Example]) -> Check:
    """Examples whose question is another's, in other words at most."""
    vectors = TfidfVectorizer().fit_transform([example.question for example in examples])
    alike = np.triu((vectors @ vectors.T).toarray(), k=1) >= TWINS
    named = tuple(dict.fromkeys(examples[int(i)].id for pair in zip(*alike.nonzero(), strict=True) for i in pair))
    return Check("questions asked twice", len(named) / len(examples), 0.0, float("nan"), not named, named)


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z']+", text.lower()) if len(word) > 3}

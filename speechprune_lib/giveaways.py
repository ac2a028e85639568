"""What a benchmark gives away before anybody listens: checks of its questions that need neither audio nor model.

A multiple-choice benchmark measures listening only as far as its answers cannot be had otherwise. Each check is a
strategy that never listens (always one letter, the longest option, the option that sounds like the question), a model
that has not heard the key sentence, or a property that a fair set of questions has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from string import ascii_uppercase

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from statsmodels.stats.multitest import multipletests

from .audio import WINDOW_SECONDS
from .benchmarks import Example

LEVEL = 0.05
"""The chance, at most, that a benchmark that gives nothing away fails any check of a table that has a p-value: Holm's
correction holds it there, however many checks there are."""

TWINS = 0.8
"""Cosine similarity (TF-IDF of words) from which two questions count as one."""


@dataclass(frozen=True)
class Check:
    """`measured` and `chance` are shares, `p_value` is of this check alone; `named` are examples to look at.

    `fair` depends on the other checks of the table too; it is None where nothing is decided.
    """

    check: str
    measured: float
    chance: float
    p_value: float
    fair: bool | None = None
    named: tuple[str, ...] = ()


def fairness(examples: Sequence[Example], answers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One line a check, columns as of `Check`. Raises ValueError for no examples, and for repeated answers.

    `fair` is decided at `LEVEL` by Holm's correction over the checks of the table that have a p-value, for many checks
    fail more often than one; `p_value` is the raw one. Questions asked twice need no p-value to fail.

    answers: a model's, as of `evaluate`; those of "no-audio", and those of "original" where the key sentence comes
    after the 30 s that it heard, must not be right more often than chance (one-sided binomial tests). One row an
    example of each: rows of two scorings are not independent.

    Strategies: the commonest letter (chi-square test of all letters, so that picking the best one afterwards is paid
    for), the options that are longest, shortest or share most words with the question, and the text that is an option
    of most questions, if of half of them or more; of k equally common texts the best, its p-value times k (two-sided
    binomial tests over the questions where one option stands alone; a strategy that is always wrong also gives
    something away).
    Properties: key sentences begin evenly over the time in which they can, the recording less their own length
    (Kolmogorov-Smirnov), no question asked twice.
    """
    examples = [example for example in examples if example.choices]
    if not examples:
        raise ValueError("got no examples with choices, expected a benchmark's, as of load_benchmark")
    checks = [
        _letters(examples),
        _strategy("longest option", examples, lambda example: example.choice_lengths),
        _strategy("shortest option", examples, lambda example: [-length for length in example.choice_lengths]),
        _strategy("option most like the question", examples, _echoes),
        *_commonest(examples),
        *_positions(examples),
        _twins(examples),
        *([] if answers is None else _unheard(examples, answers)),
    ]
    return pd.DataFrame([asdict(check) for check in _decided(checks)])


def _decided(checks: Sequence[Check]) -> list[Check]:
    """Those that have a p-value get their verdict from Holm's correction, the others keep theirs."""
    tested = [place for place, check in enumerate(checks) if not np.isnan(check.p_value)]
    p_values = [checks[place].p_value for place in tested]
    failed = np.asarray(multipletests(p_values, alpha=LEVEL, method="holm")[0], bool)
    fair = {place: not bool(fails) for place, fails in zip(tested, failed, strict=True)}
    return [replace(check, fair=fair.get(place, check.fair)) for place, check in enumerate(checks)]


def _letters(examples: Sequence[Example]) -> Check:
    options = max(len(example.choices) for example in examples)
    counts = np.bincount([example.answer or 0 for example in examples], minlength=options)
    # of k options each letter is right in 1 of k questions
    shares = [[1 / len(e.choices)] * len(e.choices) + [0.0] * (options - len(e.choices)) for e in examples]
    p_value = float(stats.chisquare(counts, np.sum(shares, axis=0)).pvalue)
    name, share = f"always {ascii_uppercase[int(counts.argmax())]}", float(counts.max() / len(examples))
    return Check(name, share, float(np.mean([1 / len(e.choices) for e in examples])), p_value)


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
        return Check(name, float("nan"), float("nan"), float("nan"))
    chance = float(np.mean(chances))
    p_value = float(stats.binomtest(sum(right), len(right), chance).pvalue)
    return Check(name, float(np.mean(right)), chance, p_value)


def _commonest(examples: Sequence[Example]) -> list[Check]:
    """Choose the text that is an option of most questions; of several, the one that tells most, paid for as k tries."""
    counts = Counter(option for example in examples for option in example.choices)
    most = max(counts.values())
    if 2 * most < len(examples):
        return []
    tied = [text for text, count in counts.items() if count == most]
    tries = [_strategy("commonest option", examples, partial(_same, text)) for text in tied]
    best = min(tries, key=lambda check: check.p_value)
    return [replace(best, p_value=min(1.0, len(tied) * best.p_value))]


def _same(text: str, example: Example) -> list[int]:
    return [int(option == text) for option in example.choices]


def _unheard(examples: Sequence[Example], answers: pd.DataFrame) -> list[Check]:
    """What a model answers that cannot have heard the answer."""
    late = {e.id: e for e in examples if e.key_is_late}
    everyone = {e.id: e for e in examples}
    cases = (("no-audio", "no audio", everyone), ("original", f"first {WINDOW_SECONDS} s, key later", late))
    checks = []
    for method, name, asked in cases:
        _refuse_repeats(answers, method)
        rows = answers[(answers["method"] == method) & answers["example"].isin([*asked])]
        if len(rows) == 0:
            continue
        chance = float(np.mean([1 / len(asked[str(identity)].choices) for identity in rows["example"]]))
        right = sum(bool(correct) for correct in rows["correct"])
        test = stats.binomtest(right, len(rows), chance, alternative="greater")
        checks.append(Check(f"{name} (of {len(rows)})", right / len(rows), chance, float(test.pvalue)))
    return checks


def _refuse_repeats(answers: pd.DataFrame, method: str) -> None:
    rows = answers[answers["method"] == method]
    for identity, count in Counter(str(identity) for identity in rows["example"]).items():
        if count > 1:
            raise ValueError(
                f"{identity} has {count} rows of {method!r}, expected one: pass the rows of one scoring and one budget"
            )


def _echoes(example: Example) -> list[int]:
    asked = _words(example.question)
    return [len(asked & _words(option)) for option in example.choices]


def _positions(examples: Sequence[Example]) -> list[Check]:
    timed = [(e, e.duration_s) for e in examples if e.key_spans and e.duration_s]
    if not timed:
        return []
    late = float(np.mean([example.key_is_late for example, _ in timed]))
    # a key of s seconds begins within the first d - s of d; one that fills its recording has no choice
    keys = [(example.key_spans[0][0], example.key_spans[-1][1], duration) for example, duration in timed]
    rooms = [(start, duration - (end - start)) for start, end, duration in keys]
    places = [start / room for start, room in rooms if room > 0]
    p_value = float(stats.kstest(places, "uniform").pvalue) if places else float("nan")
    return [
        Check(f"key sentence after {WINDOW_SECONDS:g} s", late, float("nan"), float("nan")),
        Check("key sentences spread evenly", float("nan"), float("nan"), p_value),
    ]


def _twins(examples: Sequence[Example]) -> Check:
    """Examples whose question is another's, in other words at most."""
    vectors = TfidfVectorizer().fit_transform([example.question for example in examples])
    alike = np.triu((vectors @ vectors.T).toarray(), k=1) >= TWINS
    named = tuple(dict.fromkeys(examples[int(i)].id for pair in zip(*alike.nonzero(), strict=True) for i in pair))
    return Check("questions asked twice", len(named) / len(examples), 0.0, float("nan"), not named, named)


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z']+", text.lower()) if len(word) > 3}

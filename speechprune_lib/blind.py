"""What strategies score that never listen, as lines of the tables in which models stand."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

import pandas as pd

from .arrangements import Options, arrangements
from .benchmarks import Example
from .statistics import wilson

LONGEST = "longest option"


def always(letter: str) -> str:
    """The name of the strategy that always answers this letter."""
    return f"always {letter}"


def beside(summary: pd.DataFrame, examples: Sequence[Example], options: Options = "original") -> pd.DataFrame:
    """The summary (as of `summarize`) with the lines of `blind` on top."""
    return pd.concat([blind(examples, options).reindex(columns=summary.columns), summary], ignore_index=True)


def blind(examples: Sequence[Example], options: Options = "original") -> pd.DataFrame:
    """A line for every letter that is always answered, and one for the longest option, in columns of `summarize`.

    options: the order in which the choices are shown, which decides what a letter stands for; with "rotate" each letter
    is right once in as many tries as there are options. Of equally long options each counts its share. Open questions
    are left out. Raises ValueError where no choices are left.
    """
    asked = [example for example in examples if example.choices]
    if not asked:
        raise ValueError("got no examples with choices, expected a benchmark's, as of load_benchmark")
    letters = ascii_uppercase[: max(len(example.choices) for example in asked)]
    lines = {always(letter): [_right(one, place, options) for one in asked] for place, letter in enumerate(letters)}
    lines[LONGEST] = [_longest(example) for example in asked]
    return pd.DataFrame([_line(name, shares) for name, shares in lines.items()])


def _right(example: Example, place: int, options: Options) -> float:
    """How often the letter of that place is right, over the orders in which this example is shown."""
    shown = arrangements(options, example.id, len(example.choices))
    return sum(one.order[place : place + 1] == (example.answer,) for one in shown) / len(shown)


def _longest(example: Example) -> float:
    lengths = example.choice_lengths
    return (lengths[example.answer or 0] == max(lengths)) / lengths.count(max(lengths))


def _line(name: str, shares: Sequence[float]) -> dict[str, Any]:
    low, high = wilson(round(sum(shares)), len(shares))
    counted = {"n": len(shares), "seeds": 1, "accuracy": sum(shares) / len(shares), "low": low, "high": high}
    nothing_heard = {"options": "{}", "rate": float("nan"), "tokens_total": 0.0, "tokens_kept": 0.0}
    return {"method": name, **counted, **nothing_heard, "unread": 0}

"""Where in its recording the key sentence lies -> how much of it is kept there, and how often the answer is right."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false
from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

from .audio import WINDOW_SECONDS
from .benchmarks import Example
from .summary import summarize

COLUMNS = ("method", "options", "rate", "place", "questions", "accuracy", "low", "high", "evidence_recall")


def window_of_key(example: Example) -> str:
    """The encoder's 30 s window in which the key sentence begins; recordings are rarely long enough for more than three."""
    begins = min(start for start, _ in example.key_spans)
    if begins >= 2 * WINDOW_SECONDS:
        return f"after {2 * WINDOW_SECONDS} s"
    return f"0 to {WINDOW_SECONDS} s" if begins < WINDOW_SECONDS else f"{WINDOW_SECONDS} to {2 * WINDOW_SECONDS} s"


def edge_in_key(example: Example) -> str:
    """Whether a window ends within a key sentence, whose audio tokens then come of two passes of the encoder."""
    cut = any(int(start // WINDOW_SECONDS) != int(end // WINDOW_SECONDS) for start, end in example.key_spans)
    return "cut by a window's edge" if cut else "within one window"


def by_place(rows: pd.DataFrame, examples: Iterable[Example], place: Callable[[Example], str]) -> pd.DataFrame:
    """A line a condition and place: its questions, the share right (seeds averaged) with Wilson's 95 % interval, and recall.

    rows: of one scoring, as of `read_rows`. place: such as `window_of_key`. Questions without a key sentence are left
    out. Raises ValueError for rows about other questions than `examples`.
    """
    known = {example.id: example for example in examples}
    if unknown := sorted(set(rows["example"]) - known.keys()):
        raise ValueError(f"no example {unknown[0]!r} ({len(unknown)} in all), expected those that the rows are about")
    places = {name: place(example) for name, example in known.items() if example.key_spans}
    of_row = rows["example"].map(places)
    tables = [summarize(rows[of_row == name]).assign(place=name) for name in dict.fromkeys(places.values())]
    return pd.concat(tables).rename(columns={"n": "questions"})[list(COLUMNS)].reset_index(drop=True)

"""Rows of answers -> the numbers that tables and figures show; nothing here runs a model."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false, reportAssignmentType=false
from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from .answers import row_key
from .benchmarks import Example
from .conditions import NO_AUDIO, ORDER, WITHOUT_AUDIO, label
from .scoring import best, minus_no_audio
from .statistics import wilson

SUBTRACTED = "likelihood-minus-no-audio"


def rescore(rows: pd.DataFrame, examples: Iterable[Example]) -> pd.DataFrame:
    """The same answers under "likelihood-minus-no-audio", from stored "likelihood" rows and without the model.

    rows: as of `read_rows`, the "no-audio" row of every example among them. examples: those asked, for the right
    answers. The no-audio rows keep their own scores: minus themselves nothing would be left. Raises ValueError where an
    example or its no-audio row is missing.
    """
    rows = rows[rows["scoring"] == "likelihood"].reset_index(drop=True)
    right = {example.id: example.answer for example in examples}
    without = rows[rows["method"] == NO_AUDIO].set_index("example")["scores"].to_dict()
    for what, known in (("a no-audio row", without), ("an example", right)):
        if lacking := sorted(set(rows["example"]) - known.keys()):
            raise ValueError(f"{what} is missing for {', '.join(lacking[:3])} ({len(lacking)} in all): evaluate it too")
    changes = pd.DataFrame([_subtracted(row, without, right) for row in rows.to_dict("records")], index=rows.index)
    return rows.assign(**{str(name): changes[name] for name in changes}).astype({"answer": "Int64"})


def hard(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows on examples that "original" gets wrong: the paper's definition of SPIRAL-H, for any model and benchmark.

    Wrong is what is right in half of the orders of its options at most; under each scoring by itself. Raises ValueError
    where "original" was not asked.
    """
    first = rows[(rows["method"] == "original") & (rows["options"] == "{}")]
    if len(first) == 0:
        raise ValueError("no answers of 'original', which say what is hard: evaluate it too")
    right = first.groupby(["scoring", "example"])["correct"].mean()
    wrong = {question for question, share in right.items() if float(share) <= 0.5}
    return rows[[one in wrong for one in zip(rows["scoring"], rows["example"], strict=True)]].reset_index(drop=True)


def summarize(rows: pd.DataFrame) -> pd.DataFrame:
    """One line for every scoring, method, options and rate.

    `n` counts examples. Seeds and orders of the options answer the same examples, so they narrow no interval: `accuracy`
    is the mean over an example's answers, then over examples; `low` and `high` are Wilson's 95 % interval at n (of the nearest whole number
    right); of free replies, accuracy is the share that contains the answer, and `exact` and `f1` are the other measures'
    means, NaN elsewhere. Where the options were shown in several orders, `consistent` is the share of questions (and
    seeds) that got the same answer in all of them, and `consistent_right` the share that got the right one in all. `seed_spread` is the standard deviation of the seeds' accuracies, NaN for one seed. `unread` counts answers
    that could not be read and count as wrong. Recall and tokens are means.
    """
    groups = rows.assign(order=rows["method"].map(_order)).groupby(
        ["scoring", "order", "method", "options", "rate"], dropna=False
    )
    lines = [{"scoring": key[0], **dict(zip(KEYS, key[2:], strict=True)), **_line(group)} for key, group in groups]
    return pd.DataFrame(lines, columns=["scoring", *KEYS, *COLUMNS])


@dataclass(frozen=True)
class Pace:
    """Answers a second of the model's time, as they were made and as they would have been without sharing prompts."""

    shared: float
    unshared: float


def pace(rows: pd.DataFrame) -> Pace | None:
    """Of rows with measured times (of a store, not of an export); None without any.

    A prompt, its encoder pass included, is prepared once for all conditions of an example and an order of its options.
    """
    timed = rows[rows["seconds"].map(len) > 0]
    if len(timed) == 0:
        return None
    of_step = pd.DataFrame(timed["seconds"].tolist()).fillna(0.0)
    stands_in = timed["method"].where(timed["method"].isin(WITHOUT_AUDIO), "").tolist()
    once = of_step["prepare"].groupby([timed["example"].tolist(), timed["arrangement"].tolist(), stands_in]).first()
    beside = float(of_step.drop(columns="prepare").to_numpy().sum())
    shared, unshared = float(once.sum()) + beside, float(of_step["prepare"].sum()) + beside
    return Pace(len(timed) / shared, len(timed) / unshared) if shared > 0 else None


KEYS = ("method", "options", "rate")
COLUMNS = (
    *("n", "seeds", "accuracy", "low", "high", "seed_spread", "consistent", "consistent_right"),
    *("exact", "f1", "unread", "evidence_recall", "tokens_total", "tokens_kept"),
)

PERCENTAGES = {
    "seed_spread": "between seeds (± %)",
    "consistent": "same in all orders (%)",
    "consistent_right": "right in all orders (%)",
}
"""Columns that a table for people shows where there is something in them."""


def readable(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as a table for people: percentages, and blanks where a condition knows no rate or keeps no audio."""
    percent = (summary[["accuracy", "low", "high"]] * 100).map("{:.1f}".format)
    table = pd.DataFrame(
        {
            "method": [label(m, json.loads(o)) for m, o in zip(summary["method"], summary["options"], strict=True)],
            "rate": summary["rate"].map(lambda rate: "" if pd.isna(rate) else f"{rate:g}"),
            "audio tokens": summary["tokens_kept"].map("{:.0f}".format),
            "accuracy (%)": percent["accuracy"],
            "95 % interval": percent["low"] + " to " + percent["high"],
            "evidence recall": summary["evidence_recall"].map(lambda share: "" if pd.isna(share) else f"{share:.2f}"),
        }
    )
    for column, title in PERCENTAGES.items():
        if summary[column].notna().any():
            table[title] = (summary[column] * 100).map(lambda share: "" if pd.isna(share) else f"{share:.1f}")
    if summary["f1"].notna().any():
        table["exact (%)"] = (summary["exact"] * 100).map("{:.1f}".format)
        table["F1"] = summary["f1"].map("{:.2f}".format)
    return table.set_index("method")


def _measure(group: pd.DataFrame, name: str) -> float:
    """A measure's mean over an example's seeds, then over examples; NaN where there is none."""
    if "measures" not in group:
        return float("nan")
    return float(
        group["measures"].map(lambda measures: measures.get(name)).astype(float).groupby(group["example"]).mean().mean()
    )


def _consistency(group: pd.DataFrame) -> dict[str, float]:
    """NaN where every question was shown in one order."""
    if "arrangement" not in group or group["arrangement"].nunique() < 2:
        return {"consistent": float("nan"), "consistent_right": float("nan")}
    of_question = group.groupby(["example", "seed"], dropna=False)
    same = of_question["answer"].agg(lambda answers: answers.notna().all() and answers.nunique() == 1)
    return {"consistent": float(same.mean()), "consistent_right": float(of_question["correct"].all().mean())}


def _unread(group: pd.DataFrame) -> int:
    """Answers that could not be read: no option named, or, of free replies, nothing said."""
    if group["scoring"].iloc[0] == "open":
        return int((group["reply"].fillna("").str.strip() == "").sum())
    return int(group["answer"].isna().sum())


def _line(group: pd.DataFrame) -> dict[str, Any]:
    of_example = group.groupby("example")["correct"].mean()
    of_seed = group.groupby("seed", dropna=False)["correct"].mean()
    low, high = wilson(round(float(of_example.sum())), len(of_example))
    return {
        "n": len(of_example),
        "seeds": len(of_seed),
        "accuracy": float(of_example.mean()),
        "low": low,
        "high": high,
        "seed_spread": float(of_seed.std(ddof=1)),
        **_consistency(group),
        "exact": _measure(group, "exact"),
        "f1": _measure(group, "f1"),
        "unread": _unread(group),
        "evidence_recall": float(group["evidence_recall"].mean()),
        "tokens_total": float(group["tokens_total"].astype(float).mean()),
        "tokens_kept": float(group["tokens_kept"].astype(float).mean()),
    }


def _subtracted(row: dict[str, Any], without: dict[str, Any], right: dict[str, int]) -> dict[str, Any]:
    scores = tuple(row["scores"])
    if row["method"] != NO_AUDIO:
        scores = minus_no_audio(scores, without[row["example"]])
    rate, seed = (None if pd.isna(row[name]) else row[name] for name in ("rate", "seed"))
    key = row_key(row["example"], row["method"], json.loads(row["options"]), rate, seed and int(seed), SUBTRACTED)
    answer = best(scores)
    correct = answer == right[row["example"]]
    return {"key": key, "scoring": SUBTRACTED, "scores": scores, "answer": answer, "correct": correct}


def _order(method: str) -> int:
    return ORDER.index(method) if method in ORDER else len(ORDER)

"""The paper's printed numbers beside ours: reproduced, different, or not run yet, and what it would take.

A model's accuracy is reproduced only by that model on that benchmark: the printed number lies inside our 95 % interval.
What follows from shapes, sample rates or the released annotations is reproduced by computing it. Answers of the mini
model reproduce nothing of the paper; they can show whether its effects point the same way elsewhere (`directions`).
"""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pandas as pd

from .audit.remarks import recompute
from .committed import HARD, Run, runs_of
from .comparisons import rightness
from .efficiency.table1 import count_table1
from .key_counts import KeyCounts
from .paired import paired_difference
from .paper import (
    ACCURACIES,
    FIGURE_3_POINTS,
    PREFILL_GPU,
    REMARKS,
    TABLE_1_COST,
    TABLE_1_RATES,
    Accuracy,
    printed_accuracy,
)

Status = Literal["reproduced", "differs", "not run"]

COLUMNS = ("place", "what", "printed", "ours", "status", "how")

RECORDINGS = "SPIRAL's recordings (`speechprune fetch spiral` says where they are)"
NEEDS: Mapping[str, str] = {
    "spiral": RECORDINGS,
    "spiral-h": RECORDINGS,
    "dream-tts": "the data set AudioLLMs/dream_tts_mcq_test, recordings of more than 60 s",
    "cn-college-listen": "the data set AudioLLMs/cn_college_listen_mcq_test, recordings of more than 60 s",
}
"""What each of the paper's benchmarks takes besides the model."""
GPU: Mapping[str, str] = {
    "qwen2-audio": "a GPU of 21 GB (16 bits) or 12 GB (8 or 4 bits)",
    "diva": "a GPU of 21 GB",
}


def accuracy_status(runs: Iterable[Run]) -> pd.DataFrame:
    """A line a printed accuracy and committed run of its model on its benchmark; one that says "not run" where there is none.

    Of a condition that is printed in several places the first counts. A value read off Fig. 3 counts as inside the
    interval if it is no further from it than the plot can be read.
    """
    every = list(runs)
    lines = [line for one in _once(ACCURACIES) for line in _accuracy_lines(one, every)]
    return pd.DataFrame(lines, columns=COLUMNS)


def _once(accuracies: Sequence[Accuracy]) -> list[Accuracy]:
    """A line a condition: as printed if it is, else as read off."""
    found: dict[tuple[str, str, str, float | None], Accuracy] = {}
    for one in sorted(accuracies, key=lambda one: one.read_off):
        found.setdefault((one.model, one.benchmark, one.method, one.rate), one)
    return list(found.values())


def _accuracy_lines(one: Accuracy, runs: list[Run]) -> list[dict[str, str]]:
    rate = "" if one.rate is None else f" {one.rate:g}"
    line = {"place": one.place, "what": f"{one.model} on {one.benchmark}: {one.method}{rate}"}
    line["printed"] = f"{'about ' if one.read_off else ''}{one.printed} %"
    found = [
        line | answer
        for run in runs_of(runs, one.model, one.benchmark)
        for answer in _answers(one, run)
    ]  # fmt: skip
    return found or [line | {"ours": "", "status": "not run", "how": needs(one.model, one.benchmark)}]


def _answers(one: Accuracy, run: Run) -> list[dict[str, str]]:
    summary = run.summary()
    same = (summary["method"] == one.method) & (summary["options"] == "{}")
    same &= summary["rate"].isna() if one.rate is None else summary["rate"] == one.rate
    slack = FIGURE_3_POINTS / 100 if one.read_off else 0.0
    found: list[dict[str, str]] = []
    for answer in summary[same].itertuples():
        low, high = float(answer.low), float(answer.high)
        inside = low - slack <= one.percent / 100 <= high + slack
        status: Status = "reproduced" if inside else "differs"
        ours = f"{float(answer.accuracy):.1%} ({low:.1%} to {high:.1%}, n = {answer.n})"
        found.append({"ours": ours, "status": status, "how": f"{run.name}, {answer.scoring}"})
    return found


def cost_status() -> pd.DataFrame:
    """Table I's cost cells: what is counted comes out or not; prefill times are another computer's."""
    lines: list[dict[str, str]] = []
    for row in TABLE_1_COST:
        name = "first 30 s" if row.rate is None else f"rate {row.rate:g}"
        cells = (row.teraflops, row.total_memory_gb, row.activations_gb)
        units = ("TFLOPS", "GB in all", "GB of activations")
        for cell, unit, ours in zip(cells, units, count_table1(row.rate).rounded(), strict=True):
            status: Status = "reproduced" if f"{cell:.2f}" == str(ours) else "differs"
            line = {"place": "Table I", "what": f"{name}: {unit}", "printed": f"{cell:.2f}", "ours": str(ours)}
            lines.append(line | {"status": status, "how": "closed form"})
        line = {"place": "Table I", "what": f"{name}: prefill", "printed": f"{row.prefill_ms} ms", "ours": ""}
        lines.append(line | {"status": "not run", "how": f"a {PREFILL_GPU}, and `speechprune measure` on it"})
    return pd.DataFrame(lines, columns=COLUMNS)


def remark_status(counts: Iterable[KeyCounts]) -> pd.DataFrame:
    """The numbers in the text. Sums of other printed accuracies are not run as long as those are not."""
    lines: list[dict[str, str]] = []
    for one in recompute(counts):
        remark = REMARKS[one.name]
        computed = one.source in ("closed form", "annotations")
        status: Status = "not run" if not computed else "reproduced" if one.agrees else "differs"
        ours = f"{one.ours:,.2f}".rstrip("0").rstrip(".") if computed and one.ours is not None else ""
        how = {
            "the recordings": RECORDINGS,
            "printed numbers": "follows from other printed numbers, which it takes to be run",
            "Fig. 3": "follows from Fig. 3's curve, which it takes to be run",
        }.get(one.source, "; ".join(filter(None, (one.source, one.note))))
        line = {"place": remark.place, "what": one.name, "printed": f"{remark.printed} {remark.unit}", "ours": ours}
        lines.append(line | {"status": status, "how": how})
    return pd.DataFrame(lines, columns=COLUMNS)


def status_table(runs: Iterable[Run], counts: Iterable[KeyCounts]) -> pd.DataFrame:
    """Every printed number once, `kind` telling accuracies, costs and remarks apart."""
    tables = {"accuracy": accuracy_status(runs), "cost": cost_status(), "remark": remark_status(counts)}
    return pd.concat([table.assign(kind=kind) for kind, table in tables.items()], ignore_index=True)


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """How many lines of each kind have which status. table: as of `status_table`."""
    counts = pd.crosstab(table["kind"], table["status"])
    return counts.reindex(columns=["reproduced", "differs", "not run"], fill_value=0)


def to_run(table: pd.DataFrame) -> pd.DataFrame:
    """What is not run, gathered by what it takes. table: as of `status_table`."""
    missing = table[table["status"] == "not run"]
    numbers = missing.groupby("how", sort=False).agg(numbers=("what", "size"), places=("place", _places))
    return numbers.rename_axis("it takes")


def _places(places: pd.Series) -> str:
    return ", ".join(dict.fromkeys(map(str, places)))


def needs(model: str, benchmark: str) -> str:
    """What a printed accuracy takes to be run: machine and data."""
    return f"{GPU[model]}; {NEEDS[benchmark]}"


def command(model: str, benchmark: str) -> str:
    """The command that gives the rows of all that is printed for a model on a benchmark; SPIRAL-H's are among SPIRAL's.

    The options stand in the benchmark's own order, of which the paper says nothing else; shuffled, as by default, the
    right letters are spread evenly.
    """
    asked = {name for name, hard in HARD.items() if hard == benchmark} or {benchmark}
    parts = {*asked, *(HARD[name] for name in asked if name in HARD)}
    printed = [one for one in ACCURACIES if one.model == model and one.benchmark in parts]
    if not printed:
        raise ValueError(f"the paper prints nothing for {model} on {benchmark}")
    (whole,) = asked
    methods = ",".join(dict.fromkeys(one.method for one in printed))
    rates = ",".join(f"{rate:g}" for rate in sorted({one.rate for one in printed if one.rate is not None}))
    folder = "" if whole.startswith("spiral") else f" --root {whole}"
    return (
        f"speechprune evaluate --model {model} --benchmark {whole}{folder} --methods {methods} --rates {rates} "
        "--options original --out data/results"
    )


def commands() -> list[str]:
    """All of them, each once: what it takes to run every printed accuracy."""
    return list(dict.fromkeys(command(one.model, one.benchmark) for one in ACCURACIES))


EFFECTS: Sequence[tuple[str, str]] = (
    ("speechprune", "original"),
    ("speechprune", "rap"),
    ("speechprune", "rac"),
    ("rac", "original"),
    ("rap", "original"),
)
"""Table I's comparisons: the first method, at a rate, with the second at the same rate or with what has none."""


def directions(rows: pd.DataFrame, rates: Sequence[float] = TABLE_1_RATES) -> pd.DataFrame:
    """Do the effects of Table I on SPIRAL point the same way in another model's rows on another benchmark?

    A line an effect and rate: the paper's points, ours with a 95 % interval over the questions (seeds averaged), and
    `direction`: "same", "opposite", or "not told apart" where the interval holds 0; "not run" where rows are lacking.
    This compares signs. It reproduces no number.
    """
    known = rightness(rows)
    lines: list[dict[str, object]] = []
    for first, second in EFFECTS:
        for rate in rates:
            printed = _printed_effect(first, second, rate)
            sides = ((first, "{}", rate), (second, "{}", None if second == "original" else rate))
            line: dict[str, object] = {"effect": f"{first} over {second}", "rate": rate, "paper (points)": printed}
            lines.append(line | _direction(printed, *(known.get(side) for side in sides)))
    return pd.DataFrame(lines)


def _printed_effect(first: str, second: str, rate: float) -> float:
    one = printed_accuracy("qwen2-audio", "spiral", first, rate)
    other = printed_accuracy("qwen2-audio", "spiral", second, None if second == "original" else rate)
    if one is None or other is None:
        raise ValueError(f"Table I has no {first} and {second} at rate {rate:g}, expected one of its rates")
    return one.percent - other.percent


def _direction(printed: float, one: Mapping[str, float] | None, other: Mapping[str, float] | None) -> dict[str, object]:
    if one is None or other is None:
        return {"ours (points)": float("nan"), "interval": "", "direction": "not run"}
    found = paired_difference(one, other)
    told = {0: "not told apart", 1: "same", -1: "opposite"}[found.sign * (1 if printed > 0 else -1)]
    interval = f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
    return {"ours (points)": 100 * found.difference, "interval": interval, "direction": told}

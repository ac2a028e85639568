"""The paper's tables and its Fig. 3 with our numbers beside them, and what an ablation says matters."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep

from .audit.accuracies import groups
from .committed import Run, runs_of
from .comparisons import rightness
from .conditions import label
from .grim import grim_totals
from .paired import paired_difference
from .paper import (
    FIGURE_3_RATES,
    TABLE_1_ACCURACY,
    TABLE_2_ACCURACY,
    TABLE_2_BENCHMARKS,
    printed_accuracy,
)

NOT_RUN = "not run yet"
PAPER_MODEL = "qwen2-audio"
MOST_QUESTIONS = 1500
"""Of a benchmark whose size is not printed."""
PHASES = ("phase1", "phase2", "speechprune")
"""Of Fig. 3."""


def table_1(ours: Mapping[str, Run | None]) -> pd.DataFrame:
    """Table I's accuracies, a line a rate and method: the paper's two columns, then one of ours for every run.

    ours: title -> run, or None for one that is not run yet. Cells are per cent with the 95 % interval; of a run under
    several scorings the first counts.
    """
    lines = []
    for one in (one for one in TABLE_1_ACCURACY if one.benchmark == "spiral"):
        hard = printed_accuracy(PAPER_MODEL, "spiral-h", one.method, one.rate)
        line = {"rate": "" if one.rate is None else f"{one.rate:g}", "method": one.method}
        line |= {"SPIRAL, paper": one.printed, "SPIRAL-H, paper": "" if hard is None else hard.printed}
        lines.append(line | {title: _cell(run, one.method, one.rate) for title, run in ours.items()})
    return pd.DataFrame(lines).set_index(["rate", "method"])


def table_2(runs: Iterable[Run]) -> pd.DataFrame:
    """Table II, a line a model without and with SpeechPrune, for every benchmark the paper's number and ours."""
    every = list(runs)
    conditions = dict.fromkeys((one.model, one.method, one.rate) for one in TABLE_2_ACCURACY)
    lines = []
    for model, method, rate in conditions:
        line = {"model": model, "method": method if rate is None else f"{method} {rate:g}"}
        for title, benchmark in TABLE_2_BENCHMARKS.items():
            printed = printed_accuracy(model, benchmark, method, rate)
            found = runs_of(every, model, benchmark)
            line |= {f"{title}, paper": "" if printed is None else printed.printed}
            line |= {f"{title}, ours": _cell(found[0] if found else None, method, rate)}
        lines.append(line)
    return pd.DataFrame(lines).set_index(["model", "method"])


def gains() -> pd.DataFrame:
    """What SpeechPrune gains in Table II, in points, with Newcombe's 95 % interval for two independent shares.

    questions: the least number of which all of the benchmark's printed cells can be counts. The two conditions were
    asked the same questions, which makes these intervals too wide by what only paired answers tell.
    """
    lines = []
    for one in (one for one in TABLE_2_ACCURACY if one.rate is not None):
        without = printed_accuracy(one.model, one.benchmark, "original", None)
        cells = [cell.printed for cell in groups()[one.benchmark]]
        total = next(iter(grim_totals(cells, range(1, MOST_QUESTIONS + 1))), None)
        if without is None or total is None:
            continue
        right, before = (round(cell.percent * total / 100) for cell in (one, without))
        interval = confint_proportions_2indep(right, total, before, total, compare="diff", method="newcomb")
        low, high = (100 * float(end) for end in interval)
        line = {"model": one.model, "benchmark": one.benchmark, "rate": one.rate, "questions": total}
        lines.append(line | {"gain": one.percent - without.percent, "low": low, "high": high})
    return pd.DataFrame(lines)


def _cell(run: Run | None, method: str, rate: float | None) -> str:
    summary = None if run is None else first_scoring(run)
    found = None if summary is None else summary[_same(summary, method, rate)]
    if found is None or len(found) == 0:
        return NOT_RUN
    line = found.iloc[0]
    accuracy, low, high = (100 * float(line[name]) for name in ("accuracy", "low", "high"))
    return f"{accuracy:.1f} ({low:.0f} to {high:.0f})"


def first_scoring(run: Run) -> pd.DataFrame:
    """The run's summary under the first of its scorings."""
    summary = run.summary()
    return summary[summary["scoring"] == summary["scoring"].iloc[0]].reset_index(drop=True)


def _same(summary: pd.DataFrame, method: str, rate: float | None) -> pd.Series:
    same = (summary["method"] == method) & (summary["options"] == "{}")
    return same & (summary["rate"].isna() if rate is None else summary["rate"] == rate)


def figure_3() -> pd.DataFrame:
    """Fig. 3's curves as a summary's lines: shares, printed where they are, else read off; and the unpruned line."""
    lines = []
    for method, rate in [(phase, rate) for phase in PHASES for rate in FIGURE_3_RATES] + [("everything", None)]:
        one = printed_accuracy(PAPER_MODEL, "spiral-h", method, rate, read_off=True)
        if one is not None:
            accuracy = one.percent / 100
            line = {"method": method, "options": "{}", "rate": rate, "accuracy": accuracy, "read off": one.read_off}
            lines.append(line | {"low": np.nan, "high": np.nan})
    return pd.DataFrame(lines)


def of_figure_3(summary: pd.DataFrame) -> pd.DataFrame:
    """Those lines of a summary that Fig. 3 shows: the phases alone and both as the paper has them, and everything."""
    shown = summary["method"].isin([*PHASES, "everything"]) & (summary["options"] == "{}")
    return summary[shown].reset_index(drop=True)


def what_matters(
    rows: pd.DataFrame,
    levers: Mapping[str, Sequence[str]] | None = None,
    base: str = "speechprune",
    rates: Sequence[float] | None = None,
) -> pd.DataFrame:
    """A line a variant, by how many points it beats what it varies, on the same questions, rates and seeds averaged.

    A variant (`phase1:match=max`) is held `against` the same method without options, or against the base where that
    was not asked; another method is held against the base. rows: answers under one scoring. levers: what is varied ->
    its variants, as `evaluation.presets.ABLATIONS`; named in the column `lever`. rates: those to average over (default:
    all that the base was asked at); a variant that lacks one is left out. `low` and `high`: the 95 % interval over questions. `p (Holm)`: corrected
    for the table's comparisons. Raises ValueError if the base was not asked.
    """
    known = _by_label(rows)
    asked = sorted({rate for name, rate in known if name == base and rate is not None})
    wanted = list(rates or asked)
    if not asked or not set(wanted) <= set(asked):
        raise ValueError(f"{base} was asked at the rates {asked}, expected {wanted or 'some'}")
    names = dict.fromkeys(name for name, rate in known if rate is not None)
    means = {name: mean for name in names if (mean := _mean(known, name, wanted)) is not None}
    of_variant = {variant: lever for lever, variants in (levers or {}).items() for variant in variants}
    lines = []
    for name, mean in means.items():
        if name == base:
            continue
        plain = name.partition(":")[0]
        against = plain if plain != name and plain in means else base
        of = {"lever": of_variant.get(name, ""), "variant": name, "against": against}
        lines.append(of | _points(mean, means[against]))
    columns = ["lever", "variant", "against", "points", "low", "high", "p", "questions"]
    table = pd.DataFrame(lines, columns=columns).sort_values("points", ascending=False, kind="stable")
    corrected = multipletests(table["p"], method="holm")[1] if len(table) else []
    return table.assign(**{"p (Holm)": corrected}).reset_index(drop=True)


def held_against(rows: pd.DataFrame, method: str, others: Sequence[str], rates: Sequence[float]) -> pd.DataFrame:
    """By how many points a method beats each of the others (in the index), as `what_matters` counts them.

    Raises ValueError for one that was not asked at all of the rates.
    """
    known = _by_label(rows)
    means: dict[str, dict[str, float]] = {}
    for name in (method, *others):
        if (mean := _mean(known, name, rates)) is None:
            raise ValueError(f"{name} was not asked at all of the rates {list(rates)}: evaluate it there too")
        means[name] = mean
    lines = {name: _points(means[method], means[name]) for name in others}
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("against")


def _by_label(rows: pd.DataFrame) -> dict[tuple[str, float | None], dict[str, float]]:
    """`rightness` by a method's name with its options, and the rate."""
    named = rightness(rows).items()
    return {(label(method, json.loads(options)), rate): right for (method, options, rate), right in named}


def _points(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    found = paired_difference(first, second)
    points = {"points": 100 * found.difference, "low": 100 * found.low, "high": 100 * found.high}
    return points | {"p": found.p_value, "questions": found.items}


def _mean(
    known: Mapping[tuple[str, float | None], Mapping[str, float]], name: str, rates: Sequence[float]
) -> dict[str, float] | None:
    """example -> mean share right over the rates; None where one of them was not asked."""
    answers = [known.get((name, rate)) for rate in rates]
    if any(one is None for one in answers):
        return None
    table = pd.DataFrame([dict(one) for one in answers if one is not None])
    return {str(example): float(mean) for example, mean in table.mean().items()}

"""The command line's sweep: a benchmark's questions under every method, rate and seed, or one of the paper's grids."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args

import pandas as pd
import typer

from .answers import ORIGINAL
from .arrangements import Options
from .benchmarks import BENCHMARKS, Example, load_benchmark
from .blind import beside
from .cli_errors import plain_errors
from .comparisons import told_beneath
from .conditions import ORDER, Condition, conditions
from .evaluation import Engine, SerialEngine, open_store, sweep
from .evaluation.presets import PRESETS, Preset, preset
from .evaluation.progress import JsonProgress, LiveProgress, PlainProgress, Progress
from .evaluation.ray_engine import RayEngine
from .models import MODELS, load_model, model_name
from .models.base import Scoring
from .results import read_card
from .store import AboutStale, ResultStore
from .summary import hard, pace, readable, summarize
from .summary_files import Table, write_summary

METHODS_BY_DEFAULT = "no-audio,original,everything,rap,rac,speechprune,phase1,phase2,transcript"
RATES_BY_DEFAULT = "0.2,0.4,0.6,0.8"

EngineName = Literal["serial", "ray"]
Number = TypeVar("Number", int, float)

app = typer.Typer()


@dataclass(frozen=True)
class _Asked:
    """What the words of the command ask for, checked before a model is loaded."""

    model: str
    presets: dict[str, Preset]
    grid: list[Condition]
    seeds: list[int]
    scoring: Scoring | None
    options: Options
    stale: AboutStale
    engine: EngineName


@app.command("evaluate")
def evaluate_command(
    model: Annotated[
        str, typer.Option(help=f"auto, {', '.join(MODELS)}, or hub/name of a speech LLM of transformers")
    ] = "auto",
    benchmark: Annotated[str, typer.Option(help=", ".join(BENCHMARKS))] = "spiral-mini",
    split: Annotated[str | None, typer.Option(help="of the benchmark; default: test, or the preset's")] = None,
    root: Annotated[Path | None, typer.Option(help="folder of a benchmark that is not shipped")] = None,
    presets: Annotated[
        str | None, typer.Option("--preset", help=f"comma-separated grids of the paper's: {', '.join(PRESETS)}")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(help=f"comma-separated, with options as in phase1:temperature=0.1: {', '.join(ORDER)}"),
    ] = None,
    rates: Annotated[str | None, typer.Option(help=f"comma-separated; default: {RATES_BY_DEFAULT}")] = None,
    seeds: Annotated[str, typer.Option(help="comma-separated, of methods that draw at random")] = "0,1,2,3,4",
    scoring: Annotated[
        str, typer.Option(help=f"auto (the model's own; open without choices), {', '.join(get_args(Scoring))}")
    ] = "auto",
    options: Annotated[
        str, typer.Option(help=f"order in which choices are shown, if they are: {', '.join(get_args(Options))}")
    ] = "shuffle",
    limit: Annotated[int | None, typer.Option(min=1, help="only the first so many examples")] = None,
    out: Annotated[
        Path, typer.Option(help="folder of the store, and of the sorted .jsonl rows and their card, for committing")
    ] = Path("results"),
    stale: Annotated[
        str, typer.Option(help="rows of other runs in the store: show, discard, or keep if no answer can differ")
    ] = "show",
    engine: Annotated[str, typer.Option(help="serial, or ray: many GPUs or computers")] = "serial",
    workers: Annotated[int | None, typer.Option(min=1, help="of ray; default: one a GPU, or one a CPU")] = None,
    batch: Annotated[int, typer.Option(min=1, help="prompts in one pass of the model")] = 1,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="file of the tables with the run's card: to publish where a benchmark's questions may not be"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="progress and tables as JSON lines on stdout")] = False,
) -> None:
    """Ask a benchmark's questions under every method, rate and seed; goes on where it was stopped.

    Ends with 1 if some answers failed: they are missing from the tables, and the same command tries them again.
    """
    with plain_errors():
        asked = _asked(model, presets, methods, rates, seeds, scoring, options, stale, engine)
        part = split or _split(asked.presets)
        examples = _examples(benchmark, part, root, asked.grid)
        with _engine(asked, workers, batch) as answering:
            store = open_store(
                out / f"{_stem(answering.card.model, benchmark, part)}.sqlite",
                answering,
                benchmark,
                examples,
                asked.seeds,
                asked.stale,
            )
            with store:
                _tell_stale(store)
                rows, failed = sweep(
                    answering,
                    examples[:limit],
                    asked.grid,
                    asked.scoring,
                    store,
                    _progress(as_json),
                    asked.options,
                )
                exported = store.export_jsonl(store.path.with_suffix(".jsonl"))
        tables = list(_tables(rows, examples[:limit], asked, answering.card.model))
        for title, table, beneath in tables:
            _tell_table(title, table, beneath, as_json)
        if summary is not None:
            write_summary(summary, read_card(exported), (Table.of(*table) for table in tables), pace(rows))
    typer.echo(f"{exported}: {len(rows)} answers{_paced(rows)}", err=True)
    if failed:
        typer.echo(f"speechprune: {failed}", err=True)
        raise typer.Exit(1)


def _asked(
    model: str,
    presets: str | None,
    methods: str | None,
    rates: str | None,
    seeds: str,
    scoring: str,
    options: str,
    stale: str,
    engine: str,
) -> _Asked:
    name, draws = model_name(model), _numbers(seeds, int)
    if presets is not None and (methods, rates) != (None, None):
        raise ValueError("--preset fixes methods and rates: leave --methods and --rates out, or the preset")
    chosen = {word: preset(word) for word in _words(presets)} if presets is not None else {}
    if chosen:
        grid = conditions([one for chosen_one in chosen.values() for one in chosen_one.grid(name, draws)], (), ())
    else:
        shares = _numbers(RATES_BY_DEFAULT if rates is None else rates, float)
        grid = conditions(_words(METHODS_BY_DEFAULT if methods is None else methods), shares, draws)
    return _Asked(
        model=name,
        presets=chosen,
        grid=grid,
        seeds=draws,
        scoring=None if scoring == "auto" else cast(Scoring, _one_of(scoring, "--scoring", get_args(Scoring))),
        options=cast(Options, _one_of(options, "--options", get_args(Options))),
        stale=cast(AboutStale, _one_of(stale, "--stale", get_args(AboutStale))),
        engine=cast(EngineName, _one_of(engine, "--engine", get_args(EngineName))),
    )


def _split(presets: dict[str, Preset]) -> str:
    splits = sorted({one.split for one in presets.values()}) or ["test"]
    if len(splits) > 1:
        raise ValueError(f"the presets {', '.join(presets)} are of the splits {', '.join(splits)}: name one by --split")
    return splits[0]


def _examples(benchmark: str, split: str, root: Path | None, grid: Sequence[Condition]) -> list[Example]:
    """The question alone, and the transcript as text, are asked even where nobody has the recordings."""
    try:
        return load_benchmark(benchmark, split, root)
    except FileNotFoundError:
        if any(one.pruner is not None for one in grid):
            raise
        return load_benchmark(benchmark, split, root, need_audio=False)


@contextmanager
def _engine(asked: _Asked, workers: int | None, batch: int) -> Iterator[Engine]:
    if asked.engine == "ray":
        engine: Engine = RayEngine(asked.model, workers, batch)
    elif workers is not None:
        raise ValueError(f"--workers got {workers} with --engine serial, which is one: take --engine ray")
    else:
        engine = SerialEngine(load_model(asked.model), batch)
    try:
        yield engine
    finally:
        engine.close()


def _progress(as_json: bool) -> Progress:
    if as_json:
        return JsonProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()


def _tell_stale(store: ResultStore) -> None:
    for run in store.stale():
        typer.echo(f"stale: {run}; they stay in {store.path.name} and count nowhere", err=True)


def _tables(
    rows: pd.DataFrame, examples: Sequence[Example], asked: _Asked, model: str
) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """(title, summary with the blind lines, what stands beneath) of every preset, or of all that was asked."""
    if not asked.presets:
        yield "", *_summed(rows, examples, asked.options)
    for one in asked.presets.values():
        of_preset = one.rows(rows, model)
        yield one.title, *_summed(of_preset, examples, asked.options)
        if one.hard:
            difficult = hard(of_preset)
            left = [example for example in examples if example.id in set(difficult["example"])]
            if left:
                yield (
                    f"{one.title}; the questions that the first 30 s get wrong",
                    *_summed(difficult, left, asked.options),
                )


def _summed(rows: pd.DataFrame, examples: Sequence[Example], options: Options) -> tuple[pd.DataFrame, str]:
    summary = summarize(rows)
    if any(example.choices for example in examples):
        summary = beside(summary, examples, options if {*rows["arrangement"]} - {ORIGINAL} else "original")
    return summary, told_beneath(rows)


def _paced(rows: pd.DataFrame) -> str:
    found = pace(rows)
    if found is None:
        return ""
    return f", {found.shared:.2f} a second with every recording encoded once ({found.unshared:.2f} without)"


def _tell_table(title: str, summary: pd.DataFrame, beneath: str, as_json: bool) -> None:
    if as_json:
        lines: list[dict[str, Any]] = json.loads(summary.to_json(orient="records") or "[]")
        typer.echo(json.dumps({"event": "table", "title": title, "lines": lines, "beneath": beneath}))
        return
    typer.echo("\n".join(filter(None, (title, readable(summary).to_string(), beneath))) + "\n")


def _stem(model: str, benchmark: str, split: str) -> str:
    """Of a run's files: the model's name without what no file may be called."""
    return f"{model.replace('/', '--')}_{benchmark}_{split}"


def _words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",")]


def _numbers(listed: str, kind: Callable[[str], Number]) -> list[Number]:
    try:
        return [kind(number) for number in listed.split(",")]
    except ValueError as error:
        raise ValueError(f"{listed!r} is no comma-separated list of numbers, such as 0 or 0,1") from error


def _one_of(word: str, option: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"{option} got {word!r}, expected {', '.join(words)}")
    return word

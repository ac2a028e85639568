"""The driver of an evaluation: asks an engine for what the store lacks, and is the only one that writes.

A condition is a pruning method at a rate with a seed, or a question without audio: "no-audio", which shows what can be
guessed, and "transcript", the text in place of the audio.
"""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false
from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from ..answers import Failure
from ..arrangements import Options
from ..benchmarks import Example, benchmark_hash
from ..conditions import NO_AUDIO, Condition, conditions
from ..models.base import Scoring, SpeechModel
from ..provenance import RunCard
from ..pruners import Pruner
from ..results import read_rows
from ..store import AboutStale, ResultStore
from ..summary import rescore
from .engines import Engine, SerialEngine, card_of
from .progress import Progress, progress_here
from .work import Task, tasks, unfinished


def evaluate(
    model: SpeechModel | Engine,
    examples: Sequence[Example],
    methods: Sequence[str | Pruner | Condition],
    rates: Sequence[float] = (),
    seeds: Sequence[int] = (0,),
    scoring: Scoring | None = None,
    store: ResultStore | None = None,
    progress: bool | Progress = True,
    options: Options = "shuffle",
) -> pd.DataFrame:
    """Answer every example under every condition, and return those answers as `read_rows` does.

    model: a loaded one, asked here one question after the other, or an engine. methods: names of `METHODS`, "no-audio",
    "transcript", pruners with options of their own, or whole conditions (of a preset's grid). A method that knows no rate or no seed is run once for all.
    store: an opened one (see `open_store`); answers that it holds are not computed again, and an example that lacks none
    is not loaded. Without one, answers last as long as the table. options: the order in which choices are shown, where
    the scoring shows them (see `arrangements`).

    scoring: None is the model's default, or "open" for questions without choices; "open" on others compares the free
    reply with the right choice's text. "likelihood-minus-no-audio" stores what "likelihood" stores, the no-audio
    answers among it, and subtracts in the returned table: `rescore` gets either from the same rows.

    An answer that fails three times is noted in the store with its error and lacks in the table, which a RuntimeWarning
    tells; a rerun tries it again. Raises ValueError for a grid, a scoring or examples that cannot be asked.
    """
    engine = model if isinstance(model, Engine) else SerialEngine(model)
    grid = conditions(methods, rates, seeds)
    shown = progress_here() if progress is True else progress or Progress()
    with _lasting_or_not(store, engine, seeds) as answers:
        rows, failed = sweep(engine, examples, grid, scoring, answers, shown, options)
    if failed:
        warnings.warn(failed, RuntimeWarning, stacklevel=2)
    return rows


def sweep(
    engine: Engine,
    examples: Sequence[Example],
    grid: Sequence[Condition],
    scoring: Scoring | None,
    store: ResultStore,
    progress: Progress,
    options: Options,
) -> tuple[pd.DataFrame, str]:
    """As `evaluate`, of a whole grid into an opened store: the answers, and what is to be told if some failed, or ""."""
    scoring = _scoring(examples, engine.default_scoring if scoring is None else scoring, scoring is not None)
    subtract = scoring == "likelihood-minus-no-audio"
    measured: Scoring = "likelihood" if subtract else scoring
    if subtract:
        grid = conditions([*grid, NO_AUDIO], (), ())
    _refuse_unrecorded(examples, grid)
    whole = tasks(examples, grid, measured, options)
    failures = fill(engine, whole, store, progress)
    asked = {unit.key for task in whole for unit in task.units()}
    table = read_rows(store.path)
    table = table[table["key"].isin(asked)].reset_index(drop=True)
    return rescore(table, examples) if subtract else table, told(failures, len(asked)) if failures else ""


def open_store(
    path: str | Path,
    model: SpeechModel | Engine,
    benchmark: str,
    examples: Iterable[Example],
    seeds: Iterable[int] = (0,),
    stale: AboutStale = "show",
) -> ResultStore:
    """A store for this model's answers on a benchmark, its run card written.

    examples: all of the benchmark's split, also where only some are evaluated: the card holds their hash. stale: what
    to do with the file's answers of other runs (`ResultStore.open`).
    """
    card = model.card if isinstance(model, Engine) else card_of(model)
    card = _opened(card, seeds, benchmark=benchmark, benchmark_hash=benchmark_hash(examples))
    store = ResultStore(path)
    try:
        return store.open(card, stale=stale)
    except BaseException:
        store.close()
        raise


def fill(engine: Engine, whole: Sequence[Task], store: ResultStore, progress: Progress) -> list[Failure]:
    """Have the engine answer what the store lacks of these tasks; the failures among it.

    Whatever happens, rows that were stored stay stored: a store that cannot be written ends the sweep with its error.
    """
    units = [unit for task in whole for unit in task.units()]
    missing = set(store.missing(unit.key for unit in units))
    wanted = {unit.key for unit in units}
    failures: list[Failure] = []
    with progress, closing(engine.run(unfinished(whole, missing, engine.batch))) as outcomes:
        progress.begin(units, [row for row in store.rows() if row.key in wanted])
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                store.fail(outcome)
                failures.append(outcome)
            else:
                store.add(outcome)
            progress.told(outcome)
    return failures


def told(failures: Sequence[Failure], asked: int) -> str:
    """Failures in one line, with the first one's error."""
    first = failures[0]
    return (
        f"{len(failures)} of {asked} answers failed {first.attempts} times and are missing, the first {first.example} "
        f"under {first.method!r}: {first.error}; the same run again tries them again"
    )


def _scoring(examples: Sequence[Example], wanted: Scoring, asked_for: bool) -> Scoring:
    """The scoring for these questions. Raises ValueError where open ones could not be scored so."""
    unlettered = [example.id for example in examples if not example.choices]
    if not unlettered or wanted == "open":
        return wanted
    if asked_for or len(unlettered) < len(examples):
        raise ValueError(f"{unlettered[0]} has no choices, so it cannot be scored by {wanted!r}: use scoring='open'")
    return "open"


def _refuse_unrecorded(examples: Sequence[Example], grid: Sequence[Condition]) -> None:
    if any(condition.pruner is not None for condition in grid):
        for example in examples:
            example.recording()


@contextmanager
def _lasting_or_not(store: ResultStore | None, engine: Engine, seeds: Iterable[int]) -> Iterator[ResultStore]:
    if store is not None:
        yield store
        return
    with TemporaryDirectory() as folder, ResultStore(Path(folder) / "answers.sqlite") as passing:
        yield passing.open(_opened(engine.card, seeds))


def _opened(card: RunCard, seeds: Iterable[int], **benchmark: str) -> RunCard:
    return card.model_copy(update={"seeds": tuple(sorted(set(seeds))), **benchmark})

"""The one loop: examples x conditions -> answers on disk. Serial; a rerun computes only what is missing.

A condition is a pruning method at a rate with a seed, or a question without audio: "no-audio", which shows what can be
guessed, and "transcript", the text in place of the audio. The audio is encoded once an example, for all conditions.
"""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportReturnType=false, reportGeneralTypeIssues=false, reportAssignmentType=false
from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import pandas as pd
from tqdm import tqdm

from .benchmarks import Example, benchmark_hash
from .conditions import NO_AUDIO, TRANSCRIPT, Condition, conditions
from .evidence import evidence_recall
from .free_replies import score_reply
from .models.base import Scoring, SpeechModel
from .prompt import SpeechPrompt, apply
from .pruners import Pruner
from .results import ResultStore, Row, RunCard, read_rows, run_card
from .scoring import choose
from .summary import rescore

Result = TypeVar("Result")


def evaluate(
    model: SpeechModel,
    examples: Sequence[Example],
    methods: Sequence[str | Pruner],
    rates: Sequence[float] = (),
    seeds: Sequence[int] = (0,),
    scoring: Scoring | None = None,
    store: ResultStore | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Answer every example under every condition, and return those answers as `read_rows` does.

    methods: names of `METHODS`, "no-audio", "transcript", or pruners with options of their own. A method that knows
    no rate or no seed is run once for all. store: an opened one (see `open_store`); answers that it holds are not
    computed again, and an example that lacks none is not loaded. Without one, answers last as long as the table.

    scoring: None is the model's default, or "open" for questions without choices; "open" on others compares the free
    reply with the right choice's text. "likelihood-minus-no-audio" stores what "likelihood" stores, the no-audio
    answers among it, and subtracts in the returned table: `rescore` gets either from the same rows.
    """
    scoring = _scoring(examples, model.default_scoring if scoring is None else scoring, scoring is not None)
    subtract = scoring == "likelihood-minus-no-audio"
    measured: Scoring = "likelihood" if subtract else scoring
    grid = conditions([*methods, NO_AUDIO] if subtract else methods, rates, seeds)
    with _lasting_or_not(store, model, seeds) as answers:
        _fill(model, examples, grid, measured, answers, progress)
        table = read_rows(answers.path)
    asked = {condition.key(example.id, measured) for example in examples for condition in grid}
    table = table[table["key"].isin(asked)].reset_index(drop=True)
    return rescore(table, examples) if subtract else table


def open_store(
    path: str | Path,
    model: SpeechModel,
    benchmark: str,
    examples: Iterable[Example],
    seeds: Iterable[int] = (0,),
    stale: Literal["refuse", "keep", "discard"] = "refuse",
) -> ResultStore:
    """A store for this model's answers on a benchmark, its run card written.

    examples: all of the benchmark's split, also where only some are evaluated: the card holds their hash. stale: what
    to do with a file that holds another run's answers (`ResultStore.open`).
    """
    return ResultStore(path).open(_card(model, benchmark, benchmark_hash(examples), seeds), stale=stale)


def _scoring(examples: Sequence[Example], wanted: Scoring, asked_for: bool) -> Scoring:
    """The scoring for these questions. Raises ValueError where open ones could not be scored so."""
    unlettered = [example.id for example in examples if not example.choices]
    if not unlettered or wanted == "open":
        return wanted
    if asked_for or len(unlettered) < len(examples):
        raise ValueError(f"{unlettered[0]} has no choices, so it cannot be scored by {wanted!r}: use scoring='open'")
    return "open"


class _Asked:
    """One example before the model: every prompt is prepared at most once, and only if a condition needs it."""

    def __init__(self, model: SpeechModel, example: Example, scoring: Scoring) -> None:
        self.model, self.example, self.scoring = model, example, scoring
        self.instruction = model.instruction(example.question, example.choices, scoring)

    def answer(self, condition: Condition) -> Row:
        """`seconds`: "prepare" is that of the shared prompt, encoder included, and repeats on every row it served."""
        plan, seconds = None, {}
        if condition.pruner is None:
            prompt, seconds["prepare"] = self._unheard(condition.method)
            pruned = prompt
        else:
            prompt, seconds["prepare"] = self._heard
            plan, seconds["plan"] = _timed(partial(condition.plan, prompt))
            pruned = apply(prompt, plan)
        answer, seconds["score"] = _timed(lambda: self._answer(pruned))
        return Row(
            example=self.example.id,
            method=condition.method,
            options=condition.options,
            rate=condition.rate,
            seed=condition.seed,
            scoring=self.scoring,
            **answer,
            tokens_total=prompt.audio_tokens,
            tokens_kept=pruned.audio_tokens,
            evidence_recall=plan and evidence_recall(plan, self.example.key_spans, prompt.clock),
            seconds=seconds,
        )

    def _answer(self, prompt: SpeechPrompt) -> dict[str, Any]:
        """The fields of a row that say what was answered. A free reply is right if it contains the answer."""
        if self.scoring == "open":
            reply = self.model.generate(prompt)
            measures = score_reply(reply, self.example.answer_forms)
            return {"answer": None, "correct": measures["contains"] == 1.0, "reply": reply, "measures": measures}
        choice = choose(self.model, prompt, self.example.choices, self.scoring)
        right = choice.index == self.example.answer
        return {"answer": choice.index, "correct": right, "scores": choice.scores, "reply": choice.reply}

    @cached_property
    def _heard(self) -> tuple[SpeechPrompt, float]:
        waveform = self.example.waveform()
        return _timed(lambda: self.model.prepare(waveform, self.example.question, instruction=self.instruction))

    def _unheard(self, method: str) -> tuple[SpeechPrompt, float]:
        text = self.example.transcript if method == TRANSCRIPT else None
        question, instruction = self.example.question, self.instruction
        return _timed(lambda: self.model.prepare(None, question, instruction=instruction, transcript=text))


def _fill(
    model: SpeechModel,
    examples: Sequence[Example],
    grid: Sequence[Condition],
    scoring: Scoring,
    store: ResultStore,
    progress: bool,
) -> None:
    keys = {(example.id, place): one.key(example.id, scoring) for example in examples for place, one in enumerate(grid)}
    if len(keys) < len(examples) * len(grid):
        raise ValueError("two examples have the same id, so their answers could not be told apart: make ids unique")
    missing = set(store.missing(keys.values()))
    # disable=None: no bar where nobody watches, as in a log file
    with tqdm(total=len(keys), initial=len(keys) - len(missing), disable=None if progress else True) as bar:
        for example in examples:
            todo = [one for place, one in enumerate(grid) if keys[example.id, place] in missing]
            asked = _Asked(model, example, scoring)  # costs nothing until it is answered
            for condition in todo:
                store.add(asked.answer(condition))
                bar.update()


@contextmanager
def _lasting_or_not(store: ResultStore | None, model: SpeechModel, seeds: Iterable[int]) -> Iterator[ResultStore]:
    if store is not None:
        yield store
        return
    with TemporaryDirectory() as folder, ResultStore(Path(folder) / "answers.sqlite") as passing:
        yield passing.open(_card(model, "", "", seeds))


def _card(model: SpeechModel, benchmark: str, digest: str, seeds: Iterable[int]) -> RunCard:
    return run_card(
        model=model.name,
        model_revision=model.revision,
        benchmark=benchmark,
        benchmark_hash=digest,
        prompt=json.dumps(asdict(model.instruction)),
        device=str(model.device),
        dtype=str(model.dtype),
        seeds=seeds,
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start

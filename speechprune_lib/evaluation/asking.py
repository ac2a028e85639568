"""A task before a model: its prompts are prepared once, pruned under every condition, and answered.

The audio is encoded once a recording, whatever is asked about it next: method, rate, seed, the order of the options or
another question.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..answers import Failure, Row
from ..arrangements import Arrangement
from ..audio import Waveform
from ..benchmarks import Example
from ..conditions import TRANSCRIPT, Condition
from ..evidence import evidence_recall
from ..free_replies import score_reply
from ..models.base import Scoring, SpeechModel
from ..prompt import Plan, SpeechPrompt, apply
from ..scoring import choose_each
from ..texts import with_texts
from .work import Task, Work

ATTEMPTS = 3
"""Before a unit is given up."""

Result = TypeVar("Result")


@dataclass
class _Clip:
    """A recording, loaded and encoded when first needed."""

    path: Path | None
    waveform: Waveform | None = None
    heard: SpeechPrompt | None = None


@dataclass
class _Ready:
    """A prompt as it goes into the model, and what led to it."""

    work: Work
    prompt: SpeechPrompt
    pruned: SpeechPrompt
    plan: Plan | None
    seconds: dict[str, float]


class Answerer:
    """Answers tasks with one model, and remembers the last recording and the last example's prompts."""

    def __init__(self, model: SpeechModel) -> None:
        self.model = model
        self._clip = _Clip(None)
        self._asked: _Asked | None = None

    def answer(self, task: Task) -> list[Row | Failure]:
        """A row for each work, or, after `ATTEMPTS` errors, a failure; works that fail together are tried one by one."""
        asked = self._ask(task)
        if len(task.works) > 1:
            try:
                return [*asked.answers(task.works)]
            except Exception:  # noqa: BLE001, S110  (one of them may be to blame, whatever it did)
                pass
        return [self._tried(asked, work) for work in task.works]

    def _ask(self, task: Task) -> _Asked:
        if self._clip.path is None or self._clip.path != task.example.audio_path:
            self._clip, self._asked = _Clip(task.example.audio_path), None
        asked = self._asked
        if asked is None or (asked.example, asked.scoring) != (task.example, task.scoring):
            asked = self._asked = _Asked(self.model, task.example, task.scoring, self._clip)
        return asked

    def _tried(self, asked: _Asked, work: Work) -> Row | Failure:
        told = ""
        for _ in range(ATTEMPTS):
            try:
                return asked.answers([work])[0]
            except Exception as error:  # noqa: BLE001  (whatever it is, the sweep goes on)
                told = f"{type(error).__name__}: {error}"
        return Failure(**work.identity(asked.example.id, asked.scoring), error=told, attempts=ATTEMPTS)


@dataclass
class _Asked:
    """One example: every prompt is prepared at most once, and only if a work needs it."""

    model: SpeechModel
    example: Example
    scoring: Scoring
    clip: _Clip
    prompts: dict[tuple[str, str], tuple[SpeechPrompt, float]] = field(default_factory=dict)

    def answers(self, works: Sequence[Work]) -> list[Row]:
        """A row for each. `seconds`: "prepare" is the shared prompt's, encoder included, and repeats on every row that
        it served; "score" is a work's share of what was scored together."""
        ready = [self._ready(work) for work in works]
        answers, seconds = _timed(partial(self._answers, ready))
        return [self._row(one, answer, seconds / len(ready)) for one, answer in zip(ready, answers, strict=True)]

    def _ready(self, work: Work) -> _Ready:
        condition = work.condition
        prompt, taken = self._prompt(condition, work.arrangement)
        if condition.pruner is None:
            return _Ready(work, prompt, prompt, None, {"prepare": taken})
        plan, planned = _timed(partial(condition.plan, prompt))
        return _Ready(work, prompt, apply(prompt, plan), plan, {"prepare": taken, "plan": planned})

    def _prompt(self, condition: Condition, arrangement: Arrangement) -> tuple[SpeechPrompt, float]:
        """With the audio, or with what stands in for it; and the seconds that it took."""
        stands_in = condition.method if condition.pruner is None else ""
        key = (stands_in, arrangement.name)
        if key not in self.prompts:
            choices = arrangement.shown(self.example.choices)
            instruction = self.model.instruction(self.example.question, choices, self.scoring)
            prepare = partial(self._unheard, stands_in) if stands_in else self._heard
            prompt, taken = _timed(partial(prepare, instruction))
            self.prompts[key] = with_texts(self.model, prompt, self.example.question, self.example.choices), taken
        return self.prompts[key]

    def _heard(self, instruction: str) -> SpeechPrompt:
        clip, question = self.clip, self.example.question
        if clip.waveform is None:
            clip.waveform = self.example.waveform()
        if clip.heard is None:
            clip.heard = self.model.prepare(clip.waveform, question, instruction=instruction)
            return clip.heard
        return self.model.ask_again(clip.heard, clip.waveform, question, instruction=instruction)

    def _unheard(self, stands_in: str, instruction: str) -> SpeechPrompt:
        text = self.example.transcript if stands_in == TRANSCRIPT else None
        return self.model.prepare(None, self.example.question, instruction=instruction, transcript=text)

    def _answers(self, ready: Sequence[_Ready]) -> list[dict[str, Any]]:
        """The fields of rows that say what was answered."""
        if self.scoring == "open":
            return [self._free(one.pruned) for one in ready]
        shown = [one.work.arrangement.shown(self.example.choices) for one in ready]
        choices = choose_each(self.model, [one.pruned for one in ready], shown, self.scoring)
        answers: list[dict[str, Any]] = []
        for one, choice in zip(ready, choices, strict=True):
            arrangement = one.work.arrangement
            answer = None if choice.index is None else arrangement.order[choice.index]
            scores = arrangement.printed(choice.scores) if choice.scores else ()
            right = answer == self.example.answer
            answers.append({"answer": answer, "correct": right, "scores": scores, "reply": choice.reply})
        return answers

    def _free(self, prompt: SpeechPrompt) -> dict[str, Any]:
        """A free reply is right if it contains the answer."""
        reply = self.model.generate(prompt)
        measures = score_reply(reply, self.example.answer_forms)
        return {"answer": None, "correct": measures["contains"] == 1.0, "reply": reply, "measures": measures}

    def _row(self, one: _Ready, answer: dict[str, Any], seconds: float) -> Row:
        recall = None if one.plan is None else evidence_recall(one.plan, self.example.key_spans, one.prompt.clock)
        return Row(
            **one.work.identity(self.example.id, self.scoring),
            **answer,
            tokens_total=one.prompt.audio_tokens,
            tokens_kept=one.pruned.audio_tokens,
            evidence_recall=recall,
            seconds=one.seconds | {"score": seconds},
        )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start

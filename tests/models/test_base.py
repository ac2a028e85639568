"""Instructions and the table of models."""

from __future__ import annotations

import pytest
import torch

from speechprune_lib import models
from speechprune_lib.models import MODELS, load_model, loading, profile_of
from speechprune_lib.models.base import lettered
from speechprune_lib.models.rows import MINI, QWEN2_AUDIO, QWEN2_AUDIO_BASE

CHOICES = ["Tea", "Coffee {question}"]


def test_the_minis_instructions():
    ask = MINI.instructions
    assert ask("Who?", CHOICES, "likelihood") == "Question: Who?\nAnswer in a few words."
    lines = "Question: Who?\nA. Tea\nB. Coffee {question}\nAnswer with the letter."
    assert ask("Who?", CHOICES, "letter") == ask("Who?", CHOICES, "generate") == lines
    assert ask("Who?", [], "generate") == ask("Who?", CHOICES, "likelihood-minus-no-audio")


@pytest.mark.parametrize("row", [MINI, QWEN2_AUDIO, QWEN2_AUDIO_BASE])
def test_every_row_can_ask(row):
    assert "Who {choices}?" in row.instructions("Who {choices}?", CHOICES, row.default_scoring)
    assert row.audio_span.count("{audio}") == 1 and row.after.count("{instruction}") == 1


def test_bad_instructions_are_refused():
    with pytest.raises(ValueError, match="unknown scoring 'guess', expected one of letter"):
        MINI.instructions("Who?", CHOICES, "guess")
    with pytest.raises(ValueError, match="question is empty"):
        MINI.instructions(" \n", CHOICES, "letter")
    with pytest.raises(ValueError, match="27 choices"):
        lettered(["x"] * 27)


@pytest.fixture
def asked(monkeypatch, mini):
    """What the table's factories are asked for; they all hand out the tiny model."""
    monkeypatch.delenv(models.MODEL_VARIABLE, raising=False)
    calls = []
    for name in MODELS:
        monkeypatch.setitem(MODELS, name, lambda name=name, **options: calls.append((name, options)) or mini)
    return calls


def test_load_model_passes_options_on(asked, mini):
    assert load_model("mini", "cpu", long_audio="spans") is mini
    assert asked == [("mini", {"device": torch.device("cpu"), "long_audio": "spans"})]


def test_auto_is_the_mini_without_a_large_gpu(asked):
    load_model(device="cpu")
    assert asked[0][0] == "mini"


def test_auto_is_what_the_environment_names(asked, monkeypatch):
    monkeypatch.setenv(models.MODEL_VARIABLE, "qwen2-audio")
    load_model(device="cpu")
    assert asked[0][0] == "qwen2-audio"
    assert str(profile_of()) == "qwen2-audio: named by SPEECHPRUNE_MODEL"
    assert str(profile_of("mini")) == "mini: as asked for"


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of so much memory, without bitsandbytes."""

    def make(gigabytes: float, capability=(8, 9)) -> None:
        properties = type("Properties", (), {"total_memory": round(gigabytes * 1e9)})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        monkeypatch.setattr(loading, "find_spec", lambda _: None)

    return make


@pytest.mark.parametrize(("gigabytes", "chosen"), [(15.6, "mini"), (22, "qwen2-audio"), (80, "qwen2-audio")])
def test_auto_counts_gpu_memory(asked, gpu, gigabytes, chosen):
    gpu(gigabytes)
    load_model(device="cuda")
    assert asked == [(chosen, {"device": torch.device("cuda")})]


def test_the_profile_says_why(asked, gpu):
    assert str(profile_of("auto", "cpu")).startswith("mini: no GPU here")
    gpu(24)
    assert str(profile_of("auto", "cuda")) == "qwen2-audio: 16-bit weights, as published, 16.8 GB of the GPU's 24.0 GB"
    gpu(15.6, (7, 5))
    assert "int8 and nf4 need bitsandbytes" in str(profile_of("auto", "cuda"))


def test_an_unknown_model_is_refused():
    with pytest.raises(
        ValueError, match="unknown model 'whisper', expected auto or one of mini, mini-lost-frames, qwen2-audio"
    ):
        load_model("whisper")

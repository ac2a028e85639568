"""One decision changed: what is mixed and merged then, by hand; and what is asked of it lies on disk with its card."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from fake_model import FakeModel, make_examples
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from speechprune_lib import read_rows
from speechprune_lib.models.mini.adapted import with_lora
from speechprune_lib.models.mini.connector import VocabularyProjector
from speechprune_lib.training import __main__ as command
from speechprune_lib.training.levers import Levers, _adapted, _mix_fewer


def test_the_likeliest_tokens_alone_are_mixed():
    """Of blank and the tokens 5 and 7, at .2, .5 and .3: without blank, 5/8 and 3/8."""
    projector = VocabularyProjector(4, 8, 1, torch.tensor([5, 7]), 3)
    table = torch.arange(30.0).reshape(10, 3)
    probability, classes = torch.tensor([[0.2, 0.5, 0.3]]), torch.tensor([[0, 1, 2]])
    for top, expected in ((2, (5 * table[5] + 3 * table[7]) / 8), (1, table[5])):
        fewer = copy.deepcopy(projector)
        _mix_fewer(fewer, top)
        torch.testing.assert_close(fewer.mix(probability, classes, table), expected[None])


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_the_adapter_is_cut_to_the_largest_singular_values(tmp_path):
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    llm = LlamaForCausalLM(LlamaConfig(**shape, vocab_size=9))
    settings = LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(copy.deepcopy(llm), settings).save_pretrained(tmp_path)
    plain, whole, cut, none_lost = (
        one.model.layers[0].mlp.up_proj.weight
        for one in (
            llm,
            with_lora(copy.deepcopy(llm), tmp_path),
            _adapted(copy.deepcopy(llm), tmp_path, 1),
            _adapted(copy.deepcopy(llm), tmp_path, 3),
        )
    )
    u, s, vh = torch.linalg.svd(whole - plain)
    torch.testing.assert_close(cut - plain, s[0] * torch.outer(u[:, 0], vh[0]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(none_lost, whole, atol=1e-5, rtol=1e-4)


def test_levers_are_told_and_checked():
    assert (
        str(Levers()) == ""
        and str(Levers(question_first=True)) == "question_first=True"
        and str(Levers(rank=4, top=1)) == "rank=4,top=1"
    )
    with pytest.raises(ValueError, match="rank is 0, expected 1 or more"):
        Levers(rank=0)
    with pytest.raises(ValueError, match="top is 9, expected 1 to 8"):
        Levers(top=9)


def test_ask_writes_rows_and_their_card(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "load_with", lambda folder, adapter, levers: FakeModel())
    monkeypatch.setattr(command, "load_benchmark", lambda name, split: make_examples(tmp_path, 3))
    out = tmp_path / "rows.jsonl"
    told = CliRunner().invoke(command.app, ["ask", "--out", str(out), "--methods", "everything,no-audio"])
    assert told.exit_code == 0, told.output
    assert read_rows(out)["method"].value_counts().to_dict() == {"everything": 3, "no-audio": 3}
    assert json.loads((tmp_path / "rows.card.json").read_text())["benchmark"] == "spiral-mini"
    assert "everything" in told.output


@pytest.mark.parametrize("stage", ["hear", "yardstick"])
def test_a_group_that_is_none_is_refused(stage):
    told = CliRunner().invoke(command.app, [stage, "--groups", "known,tests"])
    assert told.exit_code == 2 and "no group tests, expected some of known,kal16,joe,dev" in told.output

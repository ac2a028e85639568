"""What vLLM gets: shapes, placeholders, and the same prompt once it has put the pieces together."""

from __future__ import annotations

import pytest
import soundfile
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from speechprune_lib import cli
from speechprune_lib.models import MODELS
from speechprune_lib.models.adapter import TransformersSpeechModel
from speechprune_lib.models.serving import export_for_vllm, read_for_vllm
from speechprune_lib.prompt import apply
from speechprune_lib.pruners import get_method

QUESTION, INSTRUCTION = "What is it?", "Question: What is it?\nAnswer in a few words."


@pytest.fixture
def pruned(qwen, noise):
    prompt = qwen.prepare(noise(35.0), QUESTION, instruction=INSTRUCTION)
    return apply(prompt, get_method("speechprune", positions="renumbered").plan(prompt, 0.8))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prompt.safetensors"


def test_kept_audio_beside_the_text(qwen, pruned, path):
    """One placeholder, as many rows as tokens were kept; vLLM repeats the placeholder once a row."""
    served = read_for_vllm(export_for_vllm(path, qwen, pruned, INSTRUCTION))
    rows = served["multi_modal_data"]["audio"]["audio_embeds"]
    assert rows.shape == (150, 32)
    ids = torch.tensor(qwen.token_ids(served["prompt"]))
    placeholder = qwen.model.config.audio_token_id
    assert int((ids == placeholder).sum()) == 1
    assert "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n" in served["prompt"] and INSTRUCTION in served["prompt"]
    repeated = ids.repeat_interleave(torch.where(ids == placeholder, len(rows), 1))
    embeddings = qwen.model.get_input_embeddings()(repeated).detach()
    embeddings[repeated == placeholder] = rows
    assert torch.equal(embeddings, pruned.embeddings)
    assert torch.equal(pruned.position_ids, torch.arange(len(embeddings)))  # as vLLM will count them


def test_the_whole_prompt_as_embeddings(qwen, pruned, path):
    served = read_for_vllm(export_for_vllm(path, qwen, pruned, INSTRUCTION, "prompt_embeds"))
    assert served.keys() == {"prompt_embeds"}
    assert torch.equal(served["prompt_embeds"], pruned.embeddings)


def test_what_cannot_be_served_is_refused(qwen, mini, pruned, noise, path):
    with pytest.raises(ValueError, match="has no audio tokens to serve"):
        export_for_vllm(path, qwen, qwen.prepare(None, QUESTION, instruction=INSTRUCTION), INSTRUCTION)
    with pytest.raises(ValueError, match="mini counts positions in fractions"):
        export_for_vllm(path, mini, mini.prepare(noise(1.0), QUESTION, instruction=INSTRUCTION), INSTRUCTION)
    spans = TransformersSpeechModel(qwen.row, qwen.model, qwen.tokenizer, qwen.extractor, "tiny", "spans")
    with pytest.raises(ValueError, match="load the model with long_audio='joined'"):
        export_for_vllm(path, spans, pruned, INSTRUCTION)
    assert not path.exists()


def test_another_file_is_refused(path):
    save_file({"weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r'holds \["weights"\], expected what export_for_vllm saves'):
        read_for_vllm(path)


def test_the_command_saves_a_prompt(qwen, noise, path, tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "qwen2-audio", lambda **_options: qwen)
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, noise(35.0), 16_000)
    done = CliRunner().invoke(cli.app, ["export", str(talk), QUESTION, "--out", str(path), "--rate", "0.8"])
    assert done.exit_code == 0 and done.stdout.endswith("150 of 875 audio tokens\n"), done.output
    assert read_for_vllm(path)["multi_modal_data"]["audio"]["audio_embeds"].shape == (150, 32)

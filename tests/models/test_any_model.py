"""Families behind the contract of every model, against their own forward passes, with tiny random weights."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from transformers import Qwen2AudioProcessor

from speechprune_lib.models import load_model
from speechprune_lib.models.any_model import AnySpeechModel
from speechprune_lib.models.families import FAMILIES
from speechprune_lib.models.random_shapes import SHAPES
from speechprune_lib.models.random_weights import Letters, random_inputs, random_model
from speechprune_lib.prompt import apply
from speechprune_lib.pruners import get_method

GEMMA = "Gemma4ForConditionalGeneration"
SERVED = [name for name in FAMILIES if name != GEMMA]
QUESTION = "Who is it?"


class Speaking(Letters):
    """Letters that can also be read."""

    pad_token_id = 1

    def decode(self, ids, skip_special_tokens=True):
        return " ".join(map(str, ids))


@cache
def made(name):
    """The model, and the inputs that stand for what its processor makes of a recording."""
    model = random_model(name)
    inputs = random_inputs(name, model)
    return AnySpeechModel(model, Speaking(), name, "tiny", make_inputs=lambda _audio, _text: inputs), inputs


def prepared(name, noise):
    model, inputs = made(name)
    prompt = model.prepare(noise(SHAPES[name].seconds), QUESTION, instruction=QUESTION)
    return model, inputs, prompt


@pytest.mark.parametrize("name", SERVED)
def test_logits_and_reply_are_the_models_own(name, noise):
    model, inputs, prompt = prepared(name, noise)
    with torch.no_grad():
        whole = model.model(**inputs).logits[0, -1]
    torch.testing.assert_close(model.next_logits(prompt), whole, atol=1e-5, rtol=1e-5)
    ids = model.model.generate(**inputs, max_new_tokens=4, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert model.generate(prompt, 4) == model.decode(ids.tolist())


@pytest.mark.parametrize("name", SERVED)
def test_options_of_a_pruned_prompt_are_scored_as_by_full_passes(name, noise):
    """No cache, no padding, one option at a time; positions of several axes too."""
    model, _, prompt = prepared(name, noise)
    pruned = apply(prompt, get_method("speechprune", budget=20).plan(prompt, 0.0))
    options = ["Ann", "a cat"]
    scores = model.option_scores(pruned, options)
    for option, score in zip(options, scores, strict=True):
        ids = torch.tensor(model.token_ids(option))
        steps = torch.arange(1, len(ids) + 1)
        embeddings = torch.cat([pruned.embeddings, model.model.get_input_embeddings()(ids)])
        positions = torch.cat([pruned.position_ids, pruned.position_ids[..., -1:] + steps], dim=-1)
        mask = torch.ones(1, len(embeddings), dtype=torch.long)
        with torch.no_grad():
            hidden = model.model.get_decoder()(
                inputs_embeds=embeddings[None],
                position_ids=positions.unsqueeze(-2),
                attention_mask=mask,
                use_cache=False,
            ).last_hidden_state[0, -len(ids) - 1 : -1]
            logits = model.model.get_output_embeddings()(hidden)
        expected = logits.log_softmax(-1)[torch.arange(len(ids)), ids].mean()
        torch.testing.assert_close(score, expected, atol=1e-4, rtol=0)
    together = model.next_logits_of([pruned, prompt])
    torch.testing.assert_close(together[0], model.next_logits(pruned), atol=1e-4, rtol=0)


def test_what_a_prompt_cannot_carry_is_refused(noise):
    with pytest.raises(ValueError, match="decoder also takes per_layer_inputs: prune inside its generate"):
        prepared(GEMMA, noise)


def test_a_recording_that_the_processor_cut_is_refused(noise):
    model, _ = made("VoxtralForConditionalGeneration")
    with pytest.raises(ValueError, match="made 375 audio tokens of a recording that has 750: it was cut"):
        model.prepare(noise(60.0), QUESTION, instruction=QUESTION)


class OtherRate(Speaking):
    feature_extractor = type("Extractor", (), {"sampling_rate": 24_000})


def test_another_sampling_rate_is_refused():
    model, _ = made("VoxtralForConditionalGeneration")
    with pytest.raises(ValueError, match="hears 24000 Hz, expected a model of 16000 Hz"):
        AnySpeechModel(model.model, OtherRate(), "x", "tiny")


@pytest.fixture
def folder(qwen, tmp_path):
    """A checkpoint with its processor, as it lies on the hub."""
    qwen.model.save_pretrained(tmp_path)
    processor = Qwen2AudioProcessor(qwen.extractor, qwen.tokenizer)
    Qwen2AudioProcessor(qwen.extractor, qwen.tokenizer, chat_template=processor.default_chat_template).save_pretrained(
        tmp_path
    )
    return tmp_path


def test_a_name_with_a_slash_loads_any_family(qwen, folder, noise):
    """By its own processor and chat template; the adapter that writes its prompts itself makes the same prompt."""
    loaded = load_model(str(folder), "cpu")
    assert isinstance(loaded, AnySpeechModel) and loaded.revision == "local"
    ours = qwen.prepare(noise(2.0), QUESTION, instruction=QUESTION)
    theirs = loaded.prepare(noise(2.0), QUESTION, instruction=QUESTION)
    torch.testing.assert_close(theirs.embeddings, ours.embeddings)
    torch.testing.assert_close(loaded.next_logits(theirs), qwen.next_logits(ours), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match=r"it was cut \(cut to 30 s"):
        loaded.prepare(noise(50.0), QUESTION, instruction=QUESTION)


def test_without_audio(folder):
    loaded = load_model(str(folder), "cpu")
    silent = loaded.prepare(None, QUESTION, instruction=QUESTION)
    told = loaded.prepare(None, QUESTION, instruction=QUESTION, transcript="It is Ann.")
    assert silent.audio_tokens == told.audio_tokens == 0
    assert len(told.embeddings) == len(silent.embeddings) + len(loaded.token_ids("It is Ann.\n"))

"""A local chat model: a tiny one of transformers, with its own tokenizer and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import BaseModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from speechprune_lib.synthesis.writing.writers import Writer, WriterError, WriterUnavailableError
from speechprune_lib.synthesis.writing.writers.base import Spent
from speechprune_lib.synthesis.writing.writers.local_writer import LocalWriter, load_local

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[me]{% endif %}"
)


class Fruit(BaseModel):
    name: str


def letters() -> PreTrainedTokenizerFast:
    """A token a byte, and an end."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*alphabet, "<end>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    fast.chat_template = TEMPLATE
    return fast


class Parrot(LlamaForCausalLM):
    """Generates what it was taught, reply by reply, and keeps what it was shown."""

    def teach(self, *replies: str) -> Parrot:
        self.replies, self.shown = [letters()(reply)["input_ids"] for reply in replies], []
        return self

    def generate(self, input_ids, max_new_tokens, **options):
        self.shown.append((letters().decode(input_ids[0]), options))
        return torch.cat([input_ids, torch.tensor([self.replies.pop(0)[:max_new_tokens]])], dim=1)


def tiny() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(letters()),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=letters().eos_token_id,
    )


def test_the_json_in_a_reply_is_taken() -> None:
    reply = 'Sure: ```json\n{"name": "plüm"}\n``` Anything else, {friend}?'
    parrot = Parrot(tiny()).teach(reply)
    writer = LocalWriter(parrot, letters())
    assert isinstance(writer, Writer) and writer.spent == Spent()
    assert writer.write("Name a fruit.", Fruit) == Fruit(name="plüm")
    ((shown, options),) = parrot.shown
    assert shown.startswith("[user]Name a fruit.") and shown.endswith("[me]")
    assert json.dumps(Fruit.model_json_schema()) in shown
    assert (options["do_sample"], options["temperature"]) == (True, 0.8)
    assert options["pad_token_id"] == letters().eos_token_id
    assert writer.spent == Spent(len(shown.encode()), len(reply.encode()))
    writer.close()


def test_a_bad_reply_is_asked_for_again() -> None:
    parrot = Parrot(tiny()).teach('{"name": "pl', '{"name": "plum"}')
    assert LocalWriter(parrot, letters(), temperature=0.0).write("Name a fruit.", Fruit).name == "plum"
    second, options = parrot.shown[1]
    assert '[me]{"name": "pl' not in second and '[assistant]{"name": "pl[user]This cannot be used:' in second
    assert options["do_sample"] is False


def test_a_reply_without_end_is_told_as_such() -> None:
    parrot = Parrot(tiny()).teach('{"name": "plum"}', '{"name": "plum"}')
    with pytest.raises(WriterError, match="none of 2 replies could be used; .*cut off after 5 tokens"):
        LocalWriter(parrot, letters(), asks=2, max_new_tokens=5).write("Name a fruit.", Fruit)


def test_a_model_is_loaded_from_its_folder_and_generates(tmp_path: Path) -> None:
    torch.manual_seed(0)
    LlamaForCausalLM(tiny()).save_pretrained(tmp_path)
    letters().save_pretrained(tmp_path)
    writer = load_local(str(tmp_path), asks=2, max_new_tokens=8)
    with pytest.raises(WriterError, match="none of 2 replies"):
        writer.write("Name a fruit.", Fruit)
    assert writer.spent.completion_tokens == 16


def test_no_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(WriterUnavailableError, match=f"no chat model could be loaded from '{tmp_path}'"):
        load_local(str(tmp_path))


def test_a_model_that_does_not_chat_is_refused() -> None:
    plain = letters()
    plain.chat_template = None
    with pytest.raises(WriterUnavailableError, match="base-model has no chat template"):
        LocalWriter(Parrot(tiny()), plain, "base-model")

"""What the audio may be compared with besides the question."""

from __future__ import annotations

import pytest
import torch
from fake_model import FakeModel, make_examples

from speechprune_lib.conditions import conditions
from speechprune_lib.evaluation import evaluate
from speechprune_lib.texts import content_words, with_texts


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("On which day of the week did the mountain train at Kettle Pass never run?", "day week mountain train Kettle Pass never run?"),
        ("Who's the new chair?", "new chair?"),
        ("What will \"it\" cost, and when?", "cost,"),
        ("Who is it?", "Who is it?"),
        ("How many crates do they ship?", "many crates ship?"),
    ],
)  # fmt: skip
def test_content_words(question, content):
    assert content_words(question) == content


def test_a_prompt_carries_its_texts():
    model = FakeModel()
    plain = model.prepare(None, "Who is the chair?", instruction="Who?")
    prompt = with_texts(model, plain, "Who is the chair?", ["Ann", "Bob"])
    assert torch.equal(prompt.compared("question"), plain.question)
    assert torch.equal(prompt.compared("content"), model.embed("chair?"))
    assert torch.equal(prompt.compared("options"), model.embed("Who is the chair?\nAnn\nBob"))


def test_an_evaluation_knows_them(tmp_path):
    methods = ["phase1", "phase1:text=content", "phase1:text=options", "phase1:centre=both"]
    rows = evaluate(FakeModel(), make_examples(tmp_path, 3, seconds=8.0), conditions(methods, [0.96], []))
    assert len(rows) == 12 and set(rows["tokens_kept"]) == {30}
    assert len({tuple(kept) for _, kept in rows.groupby("options")["evidence_recall"]}) > 1  # they keep other tokens

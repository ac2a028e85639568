"""The written passages, and the form they are written in."""

import re

import pytest

from speechprune_lib.benchmarks import load_benchmark
from speechprune_lib.training.passages import parse, passage_files, read_passages, sentences

BLOCK = """# meeting | the roof of the boathouse
A: Who ordered slates? We agreed on tin.
B: The builder did, on Monday.
? Who ordered the slates? | The builder | The mayor | A neighbour | The captain
"""


def test_a_block_is_read():
    passage = parse(BLOCK, "here")
    assert (passage.kind, passage.topic) == ("meeting", "the roof of the boathouse")
    assert passage.turns == (
        ("A", "Who ordered slates?"), ("A", "We agreed on tin."), ("B", "The builder did, on Monday."),
    )  # fmt: skip
    assert passage.questions[0].options[0] == "The builder"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# meeting | the", "meeting, the", "expected '# kind | topic'"),
        (" | A neighbour", "", "expected 4 different options"),
        ("A neighbour", "The mayor", "expected 4 different options"),
        ("B: The", "The", "expected 'A: text'"),
        ("? Who ordered the slates?", "B: Who?\nC: Nobody.\n-", "expected 'A: text'"),
    ],
)
def test_a_line_that_does_not_fit_is_named(old, new, told):
    with pytest.raises(ValueError, match="here: .*"):
        parse(BLOCK.replace(old, new), "here")
    with pytest.raises(ValueError) as error:
        parse(BLOCK.replace(old, new), "here")
    assert told in str(error.value)


def test_sentences_end_before_a_capital():
    assert sentences("Oh, no! Was it you? Well, um, yes.") == ["Oh, no!", "Was it you?", "Well, um, yes."]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def _runs(text: str, length: int = 8) -> set[tuple[str, ...]]:
    words = _words(text)
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_the_passages_hold_nothing_of_the_benchmark():
    benchmark = [e for split in ("test", "dev") for e in load_benchmark("spiral-mini", split)]
    theirs = set().union(*(_runs(e.transcript) for e in benchmark))
    asked = {" ".join(_words(e.question)) for e in benchmark}
    answers = {" ".join(_words(e.choices[e.answer])) for e in benchmark}
    for file in passage_files():
        for passage in read_passages(file):
            assert not _runs(" ".join(sentence for _, sentence in passage.turns)) & theirs, passage.topic
            for one in passage.questions:
                assert " ".join(_words(one.question)) not in asked
                answer = " ".join(_words(one.options[0]))
                assert answer not in answers or " " not in answer, one.question


def test_the_passages_can_be_spoken():
    for file in passage_files():
        for passage in read_passages(file):
            text = " ".join(sentence for _, sentence in passage.turns)
            assert re.fullmatch(r"[A-Za-z .,:?!'-]+", text), passage.topic
            assert 60 <= len(text.split()) <= 260, passage.topic

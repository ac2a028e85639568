"""What never listens: letters and longest options, in the order in which the options are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechprune_lib.arrangements import arrangements
from speechprune_lib.benchmarks import Example
from speechprune_lib.blind import beside, blind
from speechprune_lib.summary import readable, summarize


def question(name: str, choices: tuple[str, ...], answer: int | None, **more) -> Example:
    fields = {"transcript": "", "key_spans": (), "kind": "lecture", "duration_s": 1.0, "split": "test"}
    return Example(name, Path("a.wav"), "Who?", choices, answer, **(fields | more))


EXAMPLES = [
    question("a", ("Ann", "Bob", "Cleopatra", "Dan"), 1),
    question("b", ("Ann", "Bob", "Cleo", "Dan"), 2),
    question("c", ("Anna", "Bob", "Cleo", "Dan"), 1),
    question("open", (), None, references=("Ann",)),
]


def test_as_printed():
    table = blind(EXAMPLES).set_index("method")
    assert table["accuracy"].to_dict() == pytest.approx(
        {"always A": 0, "always B": 2 / 3, "always C": 1 / 3, "always D": 0, "longest option": (0 + 1 + 0) / 3}
    )
    assert set(table["n"]) == {3}
    assert table.loc["always B", "low"] < 2 / 3 < table.loc["always B", "high"]


def test_equally_long_options_share():
    assert blind([EXAMPLES[2]]).set_index("method").loc["longest option", "accuracy"] == 0.0  # Anna and Cleo tie
    assert blind([question("d", ("Anna", "Bob", "Cleo"), 0)]).iloc[-1]["accuracy"] == 0.5


def test_rotation_makes_all_letters_equal_and_shuffling_moves_them():
    rotated = blind(EXAMPLES, "rotate").set_index("method")["accuracy"]
    assert rotated[[f"always {letter}" for letter in "ABCD"]].tolist() == pytest.approx([0.25] * 4)
    shown = [arrangements("shuffle", one.id, 4)[0].order.index(one.answer) for one in EXAMPLES[:3]]
    expected = [shown.count(place) / 3 for place in range(4)]
    assert blind(EXAMPLES, "shuffle")["accuracy"].tolist()[:4] == pytest.approx(expected)


def test_they_stand_above_the_models_in_one_table():
    from test_comparisons import rows

    answers = rows(original="110").assign(
        answer=1, evidence_recall=0.5, tokens_total=900, tokens_kept=750, measures=[{}] * 3
    )
    table = readable(beside(summarize(answers), EXAMPLES))
    assert table.index.tolist() == [*(f"always {letter}" for letter in "ABCD"), "longest option", "original"]
    assert table["audio tokens"].tolist() == ["0"] * 5 + ["750"]


def test_open_questions_have_no_letters():
    with pytest.raises(ValueError, match="no examples with choices"):
        blind(EXAMPLES[3:])

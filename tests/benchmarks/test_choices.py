"""Choices as benchmarks print them."""

from __future__ import annotations

import pytest

from speechprune_lib.benchmarks.choices import answer_index, split_options, strip_labels


@pytest.mark.parametrize(
    ("printed", "texts"),
    [
        (["A. red", "B. green"], ("red", "green")),
        (["a) red", "(B) green ", "C: blue", " D.brown"], ("red", "green", "blue", "brown")),
        (["B. red", "A. green"], ("red", "green")),
        (["A. 3.5 metres", "B. 4. floor"], ("3.5 metres", "4. floor")),
        (["A. Lincoln", "Grant"], ("A. Lincoln", "Grant")),
        (["A. Lincoln", "U. Grant"], ("A. Lincoln", "U. Grant")),
        (["A. A. Lincoln", "B. U. Grant"], ("A. Lincoln", "U. Grant")),
        (["Any", "Both"], ("Any", "Both")),
        (["A. two\nlines", "B. one"], ("two\nlines", "one")),
    ],
)
def test_labels_go_only_where_all_choices_carry_them(printed: list[str], texts: tuple[str, ...]) -> None:
    assert strip_labels(printed) == texts


@pytest.mark.parametrize(
    ("choices", "correct", "index"),
    [
        (["A. red", "B. green"], "B. green", 1),
        (["A. red", "B. green"], " B) green", 1),
        (["A. red", "B. green"], "green", 1),
        (["A. red", "B. green"], "B", 1),
        (["A. red", "B. green"], "(b)", 1),
        (["B. red", "A. green"], "B", 0),
        (["red", "green"], "B. green", 1),
        (["red", "green"], "red ", 0),
        (["B", "A"], "A", 1),
    ],
)
def test_the_answer_is_found(choices: list[str], correct: str, index: int) -> None:
    assert answer_index(choices, correct) == index


@pytest.mark.parametrize(
    ("choices", "correct"),
    [
        (["A. red", "B. green"], "B. red"),
        (["A. red", "B. green"], "C"),
        (["A. red", "B. green"], "blue"),
        (["A. red", "B. red"], "red"),
        (["A. red", "B. green"], ""),
    ],
)
def test_an_answer_that_fits_no_choice_or_two_is_refused(choices: list[str], correct: str) -> None:
    with pytest.raises(ValueError, match="not exactly one of the choices"):
        answer_index(choices, correct)


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("When?\n(A) Today;\n(B) Tomorrow.", "When?", ("(A) Today;", "(B) Tomorrow.")),
        ("When? (A) Today; (B) Tomorrow.", "When?", ("(A) Today;", "(B) Tomorrow.")),
        ("Who?\n (A) Ann\n(B) Both (A) and (C)\n(C) Cy", "Who?", ("(A) Ann", "(B) Both (A) and (C)", "(C) Cy")),
        ("What does (C) mean?\n(A) two\nlines\n(B) one", "What does (C) mean?", ("(A) two\nlines", "(B) one")),
    ],
)
def test_options_are_split_off_the_question(text: str, question: str, options: tuple[str, ...]) -> None:
    assert split_options(text) == (question, options)


@pytest.mark.parametrize("text", ["", "When?", "When? (A) Today", "When? (B) Today (A) Tomorrow", "(A) a (B) b (B) c"])
def test_a_text_without_options_in_order_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no options"):
        split_options(text)

"""Reading a multiple-choice answer out of a model, and out of odd replies."""

from __future__ import annotations

import pytest
import torch
from fake_model import FakeModel

from speechprune_lib.scoring import Choice, best, choose, letter_ids, minus_no_audio, parse_letter

CHOICES = ["10,000", "20,000", "30,000", "The old mill by the river"]
DRINKS = ["tea", "black tea", "coffee", "water"]
VITAMINS = ["Vitamin C", "Vitamin A", "Iron", "Zinc"]
WHO = ["A man with a dog", "A woman", "Nobody", "I. Newton"]

REPLIES = [
    # a letter, bare or dressed
    ("B", 1),
    ("b", 1),
    ("a", 0),
    (" B.\n", 1),
    ("(b)", 1),
    ("[D]", 3),
    ("**C**", 2),
    ('"A"', 0),
    ("A.", 0),
    # a letter as a label
    ("C. 30,000", 2),
    ("C) 30,000", 2),
    ("c) 30,000", 2),
    ("**C.** 30,000", 2),
    ("**C**. 30,000", 2),
    ("C: thirty thousand, not ten", 2),
    ("B. 30,000", 1),  # the letter was asked for; its text is another's
    ("C. A and B are both false.", 2),
    ("(C) because they said so", 2),
    ("\n\nB. 20,000\nExplanation: a lot of people came.", 1),
    # a letter that is stated
    ("The answer is C.", 2),
    ("The answer is C", 2),
    ("The correct answer is: (D)", 3),
    ("the answer is b", 1),
    ("Answer: D) The old mill by the river", 3),
    ("Answer: D", 3),
    ("ANSWER - B", 1),
    ("The answer is **B**", 1),
    ("My answer would be option C.", 2),
    ("I'd choose B", 1),
    ("Option D is correct.", 3),
    ("I think it's B.", 1),
    ("It is A.", 0),
    ("B is the correct answer", 1),
    ("The answer is C because A and B are false.", 2),
    ("The answer is C, as the speaker says in part A of the talk", 2),
    # a letter somewhere
    ("Probably B", 1),
    ("Not sure, maybe B", 1),
    ("I would say (c)", 2),
    ("A, I think", 0),
    # what it denies
    ("Option B is wrong, it's C", 2),
    ("It's C, not B.", 2),
    ("It's C not B", 2),
    ("C rather than B", 2),
    ("B isn't right. C is.", 2),
    ("A: no. B: yes.", 1),
    ("No, it's B", 1),
    ("The answer is not C", None),
    ("Neither A nor B", None),
    # an option's text
    ("30,000", 2),
    ("They expected 30,000 people.", 2),
    ("the OLD mill, by the river!", 3),
    ("It was not 30,000", None),
    ("30,000 is wrong", None),
    ("10,000 or 20,000", None),
    ("130,000", None),
    # no answer
    ("", None),
    (" \n", None),
    ("A or B?", None),
    ("A and C", None),
    ("The answer is A. Wait, the answer is B.", None),
    ("A. 10,000\nB. 20,000\nC. 30,000\nD. The old mill by the river", None),
    ("E", None),
    ("The answer is E.", None),
    ("I don't know", None),
    ("a man said that a lot of people came", None),
    ("A man said so", None),
    ("The answer is a number", None),
    ("the answer is a", None),  # cut off: more likely the article
    ("The speaker said: a lot", None),
    ("U.S. citizens", None),
    ("Don't ask", None),
    ("42", None),
    ("答えはCです", None),
]


@pytest.mark.parametrize(("reply", "index"), REPLIES)
def test_odd_replies(reply, index):
    assert parse_letter(reply, CHOICES) == index


@pytest.mark.parametrize(
    ("reply", "choices", "index"),
    [
        ("black tea", DRINKS, 1),  # not "tea" as well
        ("Black tea.", DRINKS, 1),
        ("He likes tea.", DRINKS, 0),
        ("tea, or black tea", DRINKS, None),
        ("Tea, not coffee", DRINKS, 0),
        ("He spilled the coffee, so the answer is B", DRINKS, 1),
        ("Vitamin C", VITAMINS, 0),
        ("C. Iron", VITAMINS, 2),
        ("Vitamin C and iron", VITAMINS, None),
        ("A man with a dog", WHO, 0),
        ("Answer: A woman", WHO, 1),
        ("D. I. Newton", WHO, 3),
        ("I. Newton", WHO, 3),
        ("B", ["B", "A", "C"], 1),  # asked for a letter
        ("C", ["yes", "no"], None),
        ("No.", ["Yes", "No"], 1),
        ("yes", ["Yes", "No"], 0),
        ("I think so", list("abcdefghij"), None),
        ("I", list("abcdefghij"), 8),
        ("+", ["+", "-"], None),
    ],
)
def test_replies_that_hold_the_options_texts(reply, choices, index):
    assert parse_letter(reply, choices) == index


def test_a_reply_without_choices_is_a_mistake():
    with pytest.raises(ValueError, match="got no choices"):
        parse_letter("B", [])


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def prompt_of(model, scoring: str, question: str = "Who?"):
    return model.prepare(None, question, instruction=model.instruction(question, CHOICES, scoring))


def test_letters_are_read_at_the_next_position(model):
    prompt = prompt_of(model, "letter")
    choice = choose(model, prompt, CHOICES, "letter")
    logits = model.next_logits(prompt).tolist()
    at_letters = [logits[ord(letter)] for letter in "ABCD"]
    assert choice.index == at_letters.index(max(at_letters))
    assert choice.reply is None
    # log-probabilities: their differences are those of the logits
    assert choice.scores[1] - choice.scores[0] == pytest.approx(at_letters[1] - at_letters[0], abs=1e-4)
    assert all(score < 0 for score in choice.scores)


class Spaced(FakeModel):
    """A tokenizer that knows letters only as words, with the space before them."""

    def token_ids(self, text):
        return [ord(text[1])] if len(text) == 2 and text[0] == " " else [1, *map(ord, text)]


class Split(FakeModel):
    def token_ids(self, text):
        return [7, 7]


def test_the_tokenizer_decides_how_a_letter_is_written(model):
    assert letter_ids(model, 3) == [65, 66, 67]
    assert letter_ids(Spaced(), 3) == [65, 66, 67]
    with pytest.raises(ValueError, match="fake's tokenizer has no single tokens"):
        letter_ids(Split(), 2)


def test_a_generated_reply_is_parsed_and_kept(model):
    prompt = prompt_of(model, "generate")
    assert choose(model, prompt, CHOICES, "generate") == Choice(1, (), "B")
    model.reply = "Hard to say."
    assert choose(model, prompt, CHOICES, "generate") == Choice(None, (), "Hard to say.")


def test_likelihoods_and_what_the_audio_adds_to_them(model):
    prompt, without = prompt_of(model, "likelihood"), prompt_of(model, "likelihood", "Where and why?")
    plain = choose(model, prompt, CHOICES, "likelihood")
    baseline = choose(model, without, CHOICES, "likelihood").scores
    added = choose(model, prompt, CHOICES, "likelihood-minus-no-audio", baseline)
    assert plain.scores == pytest.approx(model.option_scores(prompt, CHOICES).tolist())
    assert added.scores == pytest.approx([score - base for score, base in zip(plain.scores, baseline, strict=True)])
    assert added.index == max(range(4), key=lambda option: plain.scores[option] - baseline[option])


def test_bad_requests_are_refused(model):
    prompt = prompt_of(model, "letter")
    with pytest.raises(ValueError, match=r"got the choices \['tea'\], expected two or more"):
        choose(model, prompt, ["tea"], "letter")
    with pytest.raises(ValueError, match="needs baseline="):
        choose(model, prompt, CHOICES, "likelihood-minus-no-audio")
    with pytest.raises(ValueError, match="shorter"):
        choose(model, prompt, CHOICES, "likelihood-minus-no-audio", [0.0])
    with pytest.raises(ValueError, match="27 options"):
        letter_ids(model, 27)


def test_the_first_of_equals_is_best_and_nan_is_refused():
    assert best([-2.0, -1.0, -1.0]) == 1
    assert minus_no_audio([-1.0, -2.0], [-1.5, -1.0]) == (0.5, -1.0)
    with pytest.raises(ValueError, match="expected numbers"):
        best([0.0, float("nan")])
    with pytest.raises(ValueError, match="expected numbers"):
        best([])


def test_nan_logits_are_no_answer(model, monkeypatch):
    monkeypatch.setattr(model, "next_logits", lambda prompt: torch.full((128,), torch.nan))
    with pytest.raises(ValueError, match="check the audio and the dtype"):
        choose(model, prompt_of(model, "letter"), CHOICES, "letter")

"""Replies that are checked before they are used."""

from __future__ import annotations

import openai
import pytest
from pydantic import BaseModel, ValidationError

from speechprune_lib.synthesis.writing import drafts
from speechprune_lib.synthesis.writing.drafts import dialogue_of, different, key_sentence_of, topics_of
from speechprune_lib.synthesis.writing.plan import Slot
from speechprune_lib.synthesis.writing.scripts import Turn

SLOT = Slot("meeting_test_00", "test", "meeting", main=0, sub=0, speakers=3, place=0.5, letter=0, words=60)


def turns(*speakers: str, words: int = 60) -> dict:
    each = words // len(speakers)
    return {"turns": [{"speaker": speaker, "text": ["talk " * (each - 1) + "end."]} for speaker in speakers]}


@pytest.mark.parametrize(
    "shape", [drafts.Dialogue, drafts.FourWay, drafts.KeySentence, drafts.Topics, dialogue_of(SLOT), topics_of(2)]
)
def test_every_shape_is_one_that_structured_output_takes(shape: type[BaseModel]) -> None:
    """The package's own conversion to the strict subset of JSON Schema finds nothing to convert."""
    strict = openai.pydantic_function_tool(shape)["function"]["parameters"]
    assert strict == shape.model_json_schema()
    assert not {"minLength", "maxLength", "pattern", "default"} & set(str(strict).split("'"))


def test_a_transcript_as_planned_passes() -> None:
    reply = dialogue_of(SLOT).model_validate(turns("spk_1", "spk_2", "spk_3"))
    assert len(reply.turns) == 3


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (turns("spk_1", "spk_2", "spk_3", "Anna"), "speaker 'Anna' is unknown, expected spk_1, spk_2, spk_3"),
        (turns("spk_1", "spk_2", "spk_3", "spk_4"), "speaker 'spk_4' is unknown"),
        (turns("spk_1", "spk_3"), "speaker 'spk_2' says nothing"),
        (turns("spk_1", "spk_2", "spk_3", words=30), "has 30 words, expected 39 to 81"),
        (turns("spk_1", "spk_2", "spk_3", words=90), "has 90 words, expected 39 to 81"),
        ({"turns": [{"speaker": "spk_1", "text": [" "]}]}, "a text is empty"),
    ],
)
def test_a_transcript_that_breaks_the_plan_is_refused(reply: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        dialogue_of(SLOT).model_validate(reply)


def test_typographic_signs_become_plain_ones() -> None:
    said = drafts.KeySentence(sentence="“It’s  late” – he said…\u2028at half\u2011past ten")
    assert said.sentence == '"It\'s late" - he said... at half-past ten'


@pytest.mark.parametrize(("sentence", "named"), [("We met at the café.", "'café.'"), ("It is 20° in here.", "'20°'")])
def test_what_an_engine_cannot_say_is_refused_with_what_to_write_instead(sentence: str, named: str) -> None:
    message = f"{named} cannot be spoken, expected English letters without accents .* and words instead of symbols"
    with pytest.raises(ValidationError, match=message):
        drafts.KeySentence(sentence=sentence)
    with pytest.raises(ValidationError, match=message):
        drafts.SpokenTurn(speaker="spk_1", text=["Hello.", sentence])
    assert drafts.Topics(topics=[sentence]).topics == [sentence]  # nobody says topics


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("Too short.", "has 2 words, expected 5 to 40"),
        ("the cat sat on the MAT.", "is already in the transcript"),
    ],
)
def test_a_key_sentence_is_new_and_of_usual_length(sentence: str, message: str) -> None:
    said = (Turn(speaker="spk_1", text=("The cat sat on the mat.",)),)
    with pytest.raises(ValidationError, match=message):
        key_sentence_of(said).model_validate({"sentence": sentence})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distractors": ["two", "three"]}, "expected one answer and 3 others, all different"),
        ({"distractors": ["two", "three", "four", "five"]}, "expected one answer and 3 others"),
        ({"distractors": ["two", "three", "ONE"]}, "all different"),
        ({"distractors": ["B. two", "three", "four"]}, "'B. two' begins with a letter"),
        ({"answer": "one " * 16}, "is too long, expected at most 15 words"),
        ({"question": "Is it one?"}, "holds its answer 'one'"),
    ],
)
def test_a_question_has_four_different_options_and_keeps_its_answer(change: dict, message: str) -> None:
    good = {"question": "How many are there?", "answer": "one", "distractors": ["two", "three", "four"]}
    assert drafts.FourWay.model_validate(good)
    with pytest.raises(ValidationError, match=message):
        drafts.FourWay.model_validate(good | change)


def test_too_few_different_topics_are_refused() -> None:
    assert different(["Art", "Sport", "art", "Law"]) == ["Art", "Sport", "Law"]
    with pytest.raises(ValidationError, match="there are 2 different topics, expected 3"):
        topics_of(3).model_validate({"topics": ["Art", "art", "Law"]})

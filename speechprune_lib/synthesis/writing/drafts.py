"""What a writer's replies must be: shapes that it is asked for, with checks that know what this item needs.

A check that fails goes back to the writer in words, so each message says what was found and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model, model_validator

from .plan import Slot
from .scripts import OPTIONS, Turn

LENGTH_TOLERANCE = 0.35
"""A transcript may be this much shorter or longer than asked for."""

KEY_WORDS = (5, 40)
OPTION_WORDS = 15

_PLAIN = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": " - ", "—": " - ", "…": "...", "\u00a0": " "}
    | dict.fromkeys("\u2010\u2011", "-")  # hyphens
)


def _plain(text: str) -> str:
    """Typographic signs become those of a keyboard, white space single: speech engines read no others."""
    plain = " ".join(text.translate(_PLAIN).split())
    if not plain:
        raise ValueError("a text is empty, expected words")
    return plain


def _sayable(text: str) -> str:
    """Not every speech engine knows more than ASCII; flite does not."""
    for word in text.split():
        if not word.isascii():
            raise ValueError(
                f"{word!r} cannot be spoken, expected English letters without accents ('cafe', not 'caf\u00e9') and "
                f"words instead of symbols ('twenty degrees', not '20\u00b0')"
            )
    return text


# Only what every endpoint's structured output knows goes into the schema: no lengths, no patterns, nothing optional.
Plain = Annotated[str, AfterValidator(_plain)]
Spoken = Annotated[Plain, AfterValidator(_sayable)]
Draft = TypeVar("Draft", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Topics(_Part):
    topics: list[Plain]


class SpokenTurn(_Part):
    speaker: Plain = Field(description="spk_1, spk_2, ...")
    text: list[Spoken] = Field(description="what the speaker says, one sentence an entry")


class Dialogue(_Part):
    turns: list[SpokenTurn]


class KeySentence(_Part):
    sentence: Spoken


class FourWay(_Part):
    question: Plain
    answer: Plain = Field(description="the right answer, without a letter")
    distractors: list[Plain] = Field(description="three wrong answers, without letters")

    @model_validator(mode="after")
    def _options_differ(self) -> FourWay:
        options = [self.answer, *self.distractors]
        if len({option.casefold() for option in options}) < OPTIONS or len(options) != OPTIONS:
            raise ValueError(f"the options are {options}, expected one answer and {OPTIONS - 1} others, all different")
        for option in options:
            if len(option.split()) > OPTION_WORDS:
                raise ValueError(f"the option {option!r} is too long, expected at most {OPTION_WORDS} words")
            if re.match(r"\(?[A-Da-d][.):] ", option):
                raise ValueError(f"the option {option!r} begins with a letter, expected its text alone")
        return self

    @model_validator(mode="after")
    def _nothing_is_given_away(self) -> FourWay:
        if self.answer.casefold() in self.question.casefold():
            raise ValueError(f"the question {self.question!r} holds its answer {self.answer!r}, expected it not to")
        return self


def topics_of(count: int) -> type[Topics]:
    """At least `count` different topics."""

    def check(reply: Topics) -> Topics:
        found = len(different(reply.topics))
        if found < count:
            raise ValueError(f"there are {found} different topics, expected {count}")
        return reply

    return _checked(Topics, check)


def different(topics: Iterable[str]) -> list[str]:
    """Each topic once, whatever its capitals, as first written."""
    first: dict[str, str] = {}
    for topic in topics:
        first.setdefault(topic.casefold(), topic)
    return list(first.values())


def dialogue_of(slot: Slot) -> type[Dialogue]:
    """A transcript with the slot's speakers, all of them and no others, of about its length."""
    expected = [f"spk_{number}" for number in range(1, slot.speakers + 1)]
    shortest, longest = (round(slot.words * share) for share in (1 - LENGTH_TOLERANCE, 1 + LENGTH_TOLERANCE))

    def check(reply: Dialogue) -> Dialogue:
        speakers = {turn.speaker for turn in reply.turns}
        if unknown := sorted(speakers - set(expected)):
            raise ValueError(f"the speaker {unknown[0]!r} is unknown, expected {', '.join(expected)}")
        if silent := sorted(set(expected) - speakers):
            raise ValueError(f"the speaker {silent[0]!r} says nothing, expected words from {', '.join(expected)}")
        words = sum(len(sentence.split()) for turn in reply.turns for sentence in turn.text)
        if not shortest <= words <= longest:
            raise ValueError(f"the transcript has {words} words, expected {shortest} to {longest}")
        return reply

    return _checked(Dialogue, check)


def key_sentence_of(turns: tuple[Turn, ...]) -> type[KeySentence]:
    """A sentence of usual length that is not among those of `turns`."""
    said = {sentence.casefold() for turn in turns for sentence in turn.text}

    def check(reply: KeySentence) -> KeySentence:
        words = len(reply.sentence.split())
        if not KEY_WORDS[0] <= words <= KEY_WORDS[1]:
            raise ValueError(f"the sentence has {words} words, expected {KEY_WORDS[0]} to {KEY_WORDS[1]}")
        if reply.sentence.casefold() in said:
            raise ValueError(f"the sentence {reply.sentence!r} is already in the transcript, expected a new one")
        return reply

    return _checked(KeySentence, check)


def _checked(shape: type[Draft], check: Callable[[Any], Any]) -> type[Draft]:
    """The same shape under the same name, whose replies must also pass `check`."""
    validators: dict[str, Any] = {"check": model_validator(mode="after")(check)}
    return create_model(shape.__name__, __base__=shape, __validators__=validators)

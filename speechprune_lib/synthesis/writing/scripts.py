"""Written items: what stage 1 of the pipeline writes, by model or by hand, and stage 2 speaks, one JSON line each.

The lines follow SPIRAL's schema without its audio, with a `split`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...complaints import first_complaint
from ...files import numbered_lines, write_lines

Kind = Literal["lecture", "meeting", "conversation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OPTIONS = 4
MOST_SPEAKERS = 5
SPEAKER = rf"^spk_[1-{MOST_SPEAKERS}]$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""Ids and splits become names of files."""


class ScriptError(ValueError):
    """Written items cannot be used; the message says where (file:line), which value, and what was expected."""


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(f"the text {text!r} is empty, expected words")
    return text


Words = Annotated[str, Field(min_length=1), AfterValidator(_not_blank)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Part):
    """What one speaker says in one go, a sentence an entry."""

    speaker: str = Field(pattern=SPEAKER)
    text: tuple[Words, ...] = Field(min_length=1)


class Question(_Part):
    """Four different options printed "A. ..." to "D. ...", and the right one as printed."""

    question: Words
    choices: tuple[Words, ...] = Field(min_length=OPTIONS, max_length=OPTIONS)
    correct_answer: Words

    @model_validator(mode="after")
    def _one_is_right(self) -> Question:
        bare: set[str] = set()
        for letter, choice in zip(ascii_uppercase, self.choices, strict=False):
            if not choice.startswith(f"{letter}. ") or not choice[3:].strip():
                raise ValueError(f"the option {choice!r} has no label and text, expected '{letter}. ...'")
            bare.add(choice[3:].strip().casefold())
        if len(bare) < OPTIONS:
            raise ValueError(f"the options {list(self.choices)} repeat one, expected {OPTIONS} different ones")
        if self.correct_answer not in self.choices:
            raise ValueError(f"the right answer {self.correct_answer!r} is none of the options {list(self.choices)}")
        return self


class Metadata(_Part):
    main_topic: Words
    subtopic: Words
    transcript_type: Kind
    id: str = Field(pattern=NAME)


class Script(_Part):
    """One item: a transcript that says its key sentence exactly once, and the question which that sentence answers."""

    split: str = Field(pattern=NAME)
    transcript: tuple[Turn, ...] = Field(min_length=1)
    original_key_sentence: Words
    test_question: Question
    metadata: Metadata

    @model_validator(mode="after")
    def _fits_together(self) -> Script:
        said = self.sentences.count(self.original_key_sentence)
        if said != 1:
            key = self.original_key_sentence
            raise ValueError(f"the key sentence {key!r} is {said} of the sentences, expected exactly one")
        return self

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(sentence for turn in self.transcript for sentence in turn.text)


def read_scripts(path: Path) -> Iterator[Script]:
    """The items of one .jsonl file, line by line. Raises FileNotFoundError, and ScriptError naming file and line."""
    if not path.is_file():
        raise FileNotFoundError(f"no written items at {path}: check the path")
    yield from parse_scripts(numbered_lines(path), path)


def parse_scripts(lines: Iterable[tuple[int, bytes]], path: Path) -> Iterator[Script]:
    """The items of the numbered lines of the file at `path`. Raises ScriptError naming file and line."""
    line_of: dict[str, int] = {}
    for number, line in lines:
        script = parse_script(line, f"{path}:{number}")
        first = line_of.setdefault(script.metadata.id, number)
        if first != number:
            raise ScriptError(f"{path}:{number}: id {script.metadata.id!r} is already that of line {first}")
        yield script


def parse_script(line: str | bytes, where: str) -> Script:
    """One line of JSON as an item; `where` begins the message of the ScriptError."""
    try:
        return Script.model_validate(json.loads(line))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ScriptError(f"{where}: not a whole line of JSON ({error}): write the item again") from error
    except ValidationError as error:
        raise ScriptError(f"{where}: {first_complaint(error)}") from error


def write_scripts(path: Path, scripts: Iterable[Script]) -> Path:
    """Write the items to a .jsonl file, whole or not at all."""
    write_lines(path, map(as_line, scripts))
    return path


def as_line(script: Script) -> str:
    """The item as JSON in ASCII: some of Unicode's signs are ends of lines to some readers, such as str.splitlines."""
    return json.dumps(script.model_dump(mode="json"))

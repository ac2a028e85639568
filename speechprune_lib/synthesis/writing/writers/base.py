"""`Writer`, the one verb that stage 1 asks of a language model, and what all writers do with a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ValidationError

from ....complaints import first_complaint

ASKS = 3
"""Replies asked for before a text is given up."""

ATTEMPTS = 3
"""Times that an item is begun anew before it is left out."""

Reply = TypeVar("Reply", bound=BaseModel)
Result = TypeVar("Result")
Messages = list[dict[str, str]]


class WriterError(RuntimeError):
    """One text could not be had; others may."""


class WriterUnavailableError(RuntimeError):
    """No text can be had: the key, the model or a package is missing. The message says the way out."""


class BadReplyError(ValueError):
    """A reply that cannot be used; the message is meant for the model, which is asked again."""


@dataclass(frozen=True)
class Spent:
    """What has been sent and what has come back, as the model counts it, unusable replies included."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)

    def __str__(self) -> str:
        return f"{self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion tokens"


@runtime_checkable
class Writer(Protocol):
    """A language model that writes JSON. spent: so far; nothing, of a writer that does not count.

    `write` may be called by several threads at once, where `write_benchmark` has several workers.
    """

    spent: Spent = Spent()

    def write(self, prompt: str, schema: type[Reply]) -> Reply:
        """What the prompt asks for, valid under `schema`. Raises WriterError, or WriterUnavailableError."""
        ...

    def close(self) -> None:
        """Let go of connections, where there are any; nothing can be written afterwards."""


def tried(work: Callable[[], Result]) -> Result:
    """What `work` returns, or the WriterError of its last of ATTEMPTS."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except WriterError:
            continue
    return work()


def ask(reply_to: Callable[[Messages], str], prompt: str, schema: type[Reply], asks: int = ASKS) -> Reply:
    """The first usable reply of at most `asks`; the model is told what was wrong with the one before.

    The schema is part of the second question: some endpoints accept it as an option and do not look at it.
    """
    question = {"role": "user", "content": prompt}
    messages, trouble, text = [question], "", ""
    for _ in range(asks):
        text = ""  # a reply that is cut off or refused has none, and least of all that of the one before
        try:
            text = reply_to(messages)
            return parse(text, schema)
        except BadReplyError as error:
            trouble = str(error)
            complaint = f"This cannot be used: {trouble}. {shape(schema)}"
            messages = [
                question,
                {"role": "assistant", "content": text or "..."},
                {"role": "user", "content": complaint},
            ]
    raise WriterError(f"none of {asks} replies could be used; the last one: {trouble}; it begins {text[:80]!r}")


def shape(schema: type[BaseModel]) -> str:
    """The schema in words, for models that are not bound to it."""
    return f"Reply with one JSON object of this schema and nothing else:\n{json.dumps(schema.model_json_schema())}"


def parse(text: str, schema: type[Reply]) -> Reply:
    """The JSON object in a reply, which may think aloud before it and fence it. Raises BadReplyError."""
    try:
        return schema.model_validate(_object(text))
    except ValidationError as error:
        raise BadReplyError(first_complaint(error)) from error


def _object(text: str) -> Any:
    text = re.sub(r"^.*</think>", "", text, flags=re.DOTALL)
    start = text.find("{")
    if start < 0:
        raise BadReplyError("the reply holds no JSON object")
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[0]
    except json.JSONDecodeError as error:
        raise BadReplyError(f"the reply is not a whole JSON object ({error})") from error

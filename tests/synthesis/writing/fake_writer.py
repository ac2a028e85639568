"""A writer without a model: replies made from the prompt alone, the same for the same prompt."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable

from pydantic import BaseModel

from speechprune_lib.synthesis.writing.writers.base import BadReplyError, Writer, WriterError, parse

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class FakeWriter(Writer):
    """`prompts` are all it was asked; `before` may raise in front of a reply."""

    def __init__(self, before: Callable[[str], None] = lambda _prompt: None) -> None:
        self.before = before
        self.prompts: list[str] = []
        self.replies: list[str] = []

    def write(self, prompt: str, schema: type[BaseModel]) -> BaseModel:
        self.prompts.append(prompt)
        self.before(prompt)
        self.replies.append(json.dumps(reply_to(prompt, schema.__name__)))
        try:
            return parse(self.replies[-1], schema)
        except BadReplyError as error:
            raise WriterError(str(error)) from error


def reply_to(prompt: str, shape: str) -> dict:
    """What a writer with little fancy says to the prompt; `shape` is the name of the reply's schema."""
    mark = _words(hashlib.sha256(prompt.encode()).digest()[0])
    if shape == "Topics":
        count = int(re.search(r"List (\d+)", prompt)[1])
        about = re.search(r'topics is "(.*)"', prompt)
        return {"topics": [f"{about[1] if about else 'Field'} {_words(number)}" for number in range(count)]}
    if shape == "Dialogue":
        return {"turns": _turns(prompt)}
    if shape == "KeySentence":
        return {"sentence": f"The spare key to the boat house lies under stone {mark} by the old mill."}
    said = re.search(r"lies under stone ([\w-]+) by the old mill\.\n\n- question", prompt)[1]
    return {
        "question": "Under which stone by the old mill does the spare key lie?",
        "answer": f"Stone {said}",
        "distractors": ["Stone eleven", "Stone twelve", "Stone thirteen"],
    }


def _turns(prompt: str) -> list[dict]:
    """Sentences of eight to seventeen words, in turns of one to three sentences."""
    speakers = sorted(set(re.findall(r"spk_\d", prompt)))
    left, number, turns = int(re.search(r"about (\d+) words", prompt)[1]), 0, []
    while left > 0:
        sentences = []
        for _ in range(1 + number % 3):
            length = 8 + (7 * number + 3 * len(sentences)) % 10
            sentences.append(" ".join(["Well", *["talk"] * (length - 2), f"{_words(number)}."]))
            left -= length
        turns.append({"speaker": speakers[number % len(speakers)], "text": sentences})
        number += 1
    return turns


def _words(number: int) -> str:
    return "-".join(NUMBERS[int(digit)] for digit in str(number))

"""What `tune` teaches: a lesson is a stretch of speech, or its text, and a few things asked of it with their replies.

Three kinds: a passage with its own four-way questions; the same passage as text, which costs a tenth; and sentences with
invented facts, asked in ways that need no human labels (about a fact, about a word, what followed, say it again).
"""

# pyright: basic
from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from ..audio import TOKENS_PER_SECOND
from ..models.rows import MINI
from .corpus import Corpus

MARGIN_SECONDS = 0.2

Heard = tuple[int, dict, int]
"""A clip with its shard's number before it, and after it how many of its frames are speech."""


@dataclass(frozen=True)
class Asked:
    instruction: str
    reply: str
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True)
class Span:
    """Frames [start, stop) of a clip's windows, counted from the clip's beginning."""

    shard: int
    first_window: int
    start: int
    stop: int


@dataclass(frozen=True)
class Lesson:
    """Spans, heard one after the other, or, if there are none, their text, which is read; and what is asked."""

    spans: tuple[Span, ...]
    text: str
    asked: tuple[Asked, ...]


@dataclass(frozen=True)
class LessonPlan:
    """Shares of the kinds of lessons, and their sizes."""

    passage: float = 0.54
    text: float = 0.34
    facts: float = 0.12
    joined: float = 0.25  # of the passages: how many are heard together with another clip, before or after
    questions: int = 5
    wrong: int = 3  # wrong options that each right one is compared with
    span_seconds: tuple[float, float] = (5.0, 80.0)


class LessonMaker:
    """Draws lessons from the corpus' clips. Held-out clips are drawn by `held_out` alone."""

    def __init__(self, corpus: Corpus, plan: LessonPlan) -> None:
        self.plan, self._passages, self._plain, self._held = plan, [], [], []
        for shard in corpus.encoded():
            frames = corpus.frames(shard)
            for clip in corpus.clips(shard):
                kind = self._plain if "questions" not in clip else self._passages
                (self._held if corpus.is_held_out(clip) else kind).append((shard, clip, corpus.heard(clip, frames)))
        if not self._passages or not self._plain:
            raise ValueError(f"expected passages and plain sentences among the encoded shards of {corpus.root}")

    def draw(self, rng: random.Random) -> Lesson:
        plan = self.plan
        kinds = (self._passage, self._text, self._facts)
        while True:
            lesson = rng.choices(kinds, (plan.passage, plan.text, plan.facts))[0](rng)
            if lesson.asked:
                return lesson

    def held_out(self) -> list[Lesson]:
        """Every held-out passage with all its questions and all their wrong options."""
        return [
            Lesson((_whole(*one),), _text_of(one), tuple(_asked(q, q["options"][1:]) for q in one[1]["questions"]))
            for one in self._held
        ]

    def _passage(self, rng: random.Random) -> Lesson:
        passage = rng.choice(self._passages)
        clips = [passage]
        if rng.random() < self.plan.joined:
            clips.insert(rng.randrange(2), self._bystander(rng, passage[1]))
        text = " ".join(map(_text_of, clips))
        return Lesson(tuple(_whole(*one) for one in clips), text, self._questions(rng, passage[1]))

    def _bystander(self, rng: random.Random, clip: dict) -> Heard:
        """Another clip of at most two windows, so that some audio is long and key sentences stand anywhere."""
        others = rng.choice((self._passages, self._plain))
        while (one := rng.choice(others))[1] is clip or one[1]["windows"] > 2:
            pass
        return one

    def _text(self, rng: random.Random) -> Lesson:
        passage = rng.choice(self._passages)
        return Lesson((), _text_of(passage), self._questions(rng, passage[1]))

    def _questions(self, rng: random.Random, clip: dict) -> tuple[Asked, ...]:
        """Some of the passage's questions, with some of their wrong options."""
        chosen = rng.sample(clip["questions"], min(self.plan.questions, len(clip["questions"])))
        return tuple(_asked(q, rng.sample(q["options"][1:], self.plan.wrong)) for q in chosen)

    def _facts(self, rng: random.Random) -> Lesson:
        shard, clip, heard = one = rng.choice(self._plain)
        sentences = _said_in(one)
        if not sentences:
            return Lesson((), "", ())
        length, first = rng.uniform(*self.plan.span_seconds), rng.randrange(len(sentences))
        begin = sentences[first]["words"][0][1]
        part = [s for s in sentences[first:] if s["words"][-1][2] - begin <= length] or sentences[first : first + 1]
        tasks: list[Task] = [_fact, _fact, _fact, rng.choice((_recall, _continue, _define))]
        asked = (_repeat(rng, part),) if len(part) <= 3 else tuple(task(rng, part) for task in tasks)
        start = int(max(0.0, begin - MARGIN_SECONDS) * TOKENS_PER_SECOND)
        stop = min(int((part[-1]["words"][-1][2] + MARGIN_SECONDS) * TOKENS_PER_SECOND), heard)
        span = Span(shard, clip["first_window"], start, stop)
        return Lesson((span,), _joined(part), tuple({a: None for a in asked if a}))


def _whole(shard: int, clip: dict, heard: int) -> Span:
    return Span(shard, clip["first_window"], 0, heard)


def _said_in(one: Heard) -> list[dict]:
    """The sentences that end before the frames that are heard do."""
    _, clip, heard = one
    return [s for s in clip["sentences"] if s["words"][-1][2] * TOKENS_PER_SECOND < heard]


def _text_of(one: Heard) -> str:
    return _joined(_said_in(one))


def _joined(sentences: list[dict]) -> str:
    return " ".join(s["sentence"] for s in sentences)


def _asked(question: dict, wrong: list[str]) -> Asked:
    return Asked(_open(question["question"]), question["options"][0], tuple(wrong))


def _open(question: str) -> str:
    """In the words that the evaluation uses."""
    return MINI.instructions(question, (), "likelihood")


Task = Callable[[random.Random, list[dict]], Asked | None]


def _fact(rng: random.Random, span: list[dict]) -> Asked | None:
    """A question about one of the invented facts, if no other sentence answers the same question."""
    asked = [s for s in span if s["question"]]
    unique = [s for s in asked if sum(t["question"] == s["question"] for t in asked) == 1]
    if not unique:
        return None
    fact = rng.choice(unique)
    return Asked(_open(fact["question"]), _capital(fact["answer"]))


def _recall(rng: random.Random, span: list[dict]) -> Asked | None:
    """What was said about a word that only one sentence of the span holds."""
    target = rng.choice(span)["sentence"]
    elsewhere = _joined([s for s in span if s["sentence"] != target]).lower()
    words = [w for w in re.findall(r"[a-z]{5,}", target.lower()) if w not in elsewhere]
    return Asked(f'What was said about "{rng.choice(words)}"?', target) if words else None


def _continue(rng: random.Random, span: list[dict]) -> Asked | None:
    words = rng.choice(span)["sentence"].split()
    if len(words) < 6:
        return None
    cut = rng.randint(2, min(5, len(words) - 3))
    return Asked(f'What was said after "{" ".join(words[:cut])}"?', " ".join(words[cut:]))


def _define(rng: random.Random, span: list[dict]) -> Asked | None:
    found = [m for s in span if (m := re.fullmatch(r"([A-Z][a-z ]+) means (.+)\.", s["sentence"]))]
    if not found:
        return None
    word, meaning = rng.choice(found).groups()
    return Asked(_open(f"What does {word.lower()} mean?"), _capital(meaning))


def _repeat(rng: random.Random, span: list[dict]) -> Asked:
    return Asked("Repeat what was said.", _joined(span))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

"""What writing a benchmark will cost, told before the first request."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from .drafts import Dialogue, FourWay, KeySentence, SpokenTurn
from .drafts import Topics as TopicsReply
from .placing import gap_at, joined, with_sentence
from .plan import Slot, TranscriptPlan
from .prompting import (
    SENTENCE_WORDS,
    dialogue_prompt,
    key_sentence_prompt,
    main_topics_prompt,
    question_prompt,
    subtopics_prompt,
)
from .scripts import KINDS

LETTERS_PER_TOKEN = 4.0
"""Of English text and JSON, as today's tokenizers cut it; they differ by a tenth or two."""

SENTENCES_PER_TURN = 2
TOPIC = "maps of harbours"
WORD = "talks"
"""Five letters, the usual length in speech."""

Call = tuple[str, BaseModel]
"""A prompt and a reply of the expected length."""


@dataclass(frozen=True)
class Prices:
    """Of a million tokens, in `currency`; they change, so nobody's are built in."""

    prompt_per_million: float
    completion_per_million: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        for price in (self.prompt_per_million, self.completion_per_million):
            if not 0 <= price < math.inf:
                raise ValueError(f"a million tokens cost {price}, expected 0 or more")


@dataclass(frozen=True)
class Estimate:
    """Requests and tokens of a plan, and their price, if every reply can be used at once."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    currency: str

    def __str__(self) -> str:
        return (
            f"about {self.calls:,} requests, {self.prompt_tokens:,} prompt and {self.completion_tokens:,} completion "
            f"tokens: {self.cost:.2f} {self.currency} if no reply has to be asked for again"
        )


def estimate_cost(plan: TranscriptPlan, prices: Prices, done: Collection[str] = ()) -> Estimate:
    """Tokens of the plan's own prompts (reply schemas included) and of replies as long as the prompts ask for.

    done: ids of items that are already written, as `transcripts.written_ids` has them. They cost nothing; the topics
    count in full while any item is missing.
    """
    prompt_tokens = completion_tokens = calls = 0
    for prompt, reply in _calls(plan, done):
        calls += 1
        prompt_tokens += _tokens(prompt) + _tokens(json.dumps(reply.model_json_schema()))
        completion_tokens += _tokens(reply.model_dump_json())
    cost = (prompt_tokens * prices.prompt_per_million + completion_tokens * prices.completion_per_million) / 1e6
    return Estimate(calls, prompt_tokens, completion_tokens, cost, prices.currency)


def _calls(plan: TranscriptPlan, done: Collection[str]) -> Iterator[Call]:
    missing = [slot for slot in plan.slots() if slot.id not in done]
    for kind in KINDS:
        mains, subs = plan.topics_of(kind)
        if mains and missing:
            yield main_topics_prompt(kind, mains), TopicsReply(topics=[TOPIC] * mains)
            yield from [(subtopics_prompt(kind, TOPIC, subs), TopicsReply(topics=[TOPIC] * subs))] * mains
    for slot in missing:
        yield from _calls_of(slot)


def _calls_of(slot: Slot) -> Iterator[Call]:
    dialogue = _dialogue(slot)
    yield dialogue_prompt(slot, TOPIC, TOPIC), dialogue
    turns = joined(dialogue)
    gap, key = gap_at(turns, slot.place), _sentence(SENTENCE_WORDS)
    yield key_sentence_prompt(slot, TOPIC, turns, gap), KeySentence(sentence=key)
    question = FourWay(question=key, answer=f"{TOPIC} 0", distractors=[f"{TOPIC} {number}" for number in (1, 2, 3)])
    yield question_prompt(slot, TOPIC, with_sentence(turns, gap, key), key), question


def _dialogue(slot: Slot) -> Dialogue:
    """Of the slot's words, the speakers by turns."""
    sentences = [_sentence(SENTENCE_WORDS)] * round(slot.words / SENTENCE_WORDS)
    per_turn = len(sentences) if slot.speakers == 1 else SENTENCES_PER_TURN
    starts = range(0, len(sentences), per_turn)
    return Dialogue(
        turns=[
            SpokenTurn(speaker=f"spk_{1 + number % slot.speakers}", text=sentences[start : start + per_turn])
            for number, start in enumerate(starts)
        ]
    )


def _sentence(words: int) -> str:
    return " ".join([WORD] * words) + "."


def _tokens(text: str) -> int:
    return math.ceil(len(text) / LETTERS_PER_TOKEN)

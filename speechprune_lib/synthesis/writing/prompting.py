"""The prompts of stage 1: the files in `prompts/`, filled in."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

from .placing import Gap, as_text, with_sentence
from .plan import Slot
from .scripts import Kind, Turn

SENTENCE_WORDS = 13
"""Usual length of a spoken sentence, to say how many make up a transcript."""


def main_topics_prompt(kind: Kind, count: int) -> str:
    return _filled("main_topics", kind=kind, count=count)


def subtopics_prompt(kind: Kind, main_topic: str, count: int) -> str:
    return _filled("subtopics", kind=kind, main_topic=main_topic, count=count)


def dialogue_prompt(slot: Slot, main_topic: str, subtopic: str) -> str:
    speakers = ", ".join(f"spk_{number}" for number in range(1, slot.speakers + 1))
    return _filled(
        "dialogue",
        setting=_filled(slot.kind, speakers=speakers),
        main_topic=main_topic,
        subtopic=subtopic,
        words=slot.words,
        sentences=round(slot.words / SENTENCE_WORDS),
    )


def key_sentence_prompt(slot: Slot, subtopic: str, turns: tuple[Turn, ...], gap: Gap) -> str:
    """The transcript with [KEY] where the sentence will stand."""
    shown = as_text(with_sentence(turns, gap, "[KEY]"))
    speaker = turns[gap[0]].speaker
    return _filled("key_sentence", kind=slot.kind, subtopic=subtopic, dialogue=shown, speaker=speaker)


def question_prompt(slot: Slot, subtopic: str, turns: tuple[Turn, ...], key_sentence: str) -> str:
    """`turns` with the key sentence."""
    shown = as_text(turns)
    return _filled("question", kind=slot.kind, subtopic=subtopic, dialogue=shown, key_sentence=key_sentence)


def _filled(name: str, **values: str | int) -> str:
    return _template(name).substitute(values)


@cache
def _template(name: str) -> Template:
    return Template(files(__package__ or "").joinpath("prompts", f"{name}.txt").read_text("utf8").strip())

"""One item: a transcript, the key sentence that goes into it, and the question that this sentence answers."""

from __future__ import annotations

from random import Random
from string import ascii_uppercase

from .drafts import FourWay, dialogue_of, key_sentence_of
from .placing import gap_at, joined, with_sentence
from .plan import Slot
from .prompting import dialogue_prompt, key_sentence_prompt, question_prompt
from .scripts import Metadata, Question, Script
from .writers import Writer


def write_item(writer: Writer, slot: Slot, main_topic: str, subtopic: str) -> Script:
    """Three texts by the writer, put together by the plan. Raises WriterError.

    The transcript comes first and without its key sentence, which is then written for the gap at the planned place:
    so the place is the plan's and not the model's, and no other sentence can refer to the fact.
    """
    turns = joined(writer.write(dialogue_prompt(slot, main_topic, subtopic), dialogue_of(slot)))
    gap = gap_at(turns, slot.place)
    key = writer.write(key_sentence_prompt(slot, subtopic, turns, gap), key_sentence_of(turns)).sentence
    turns = with_sentence(turns, gap, key)
    asked = writer.write(question_prompt(slot, subtopic, turns, key), FourWay)
    return Script(
        split=slot.split,
        transcript=turns,
        original_key_sentence=key,
        test_question=_lettered(slot, asked),
        metadata=Metadata(main_topic=main_topic, subtopic=subtopic, transcript_type=slot.kind, id=slot.id),
    )


def _lettered(slot: Slot, asked: FourWay) -> Question:
    """The right answer under the slot's letter, the others in random order."""
    options = Random(slot.id).sample(asked.distractors, len(asked.distractors))
    options.insert(slot.letter, asked.answer)
    choices = tuple(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False))
    return Question(question=asked.question, choices=choices, correct_answer=choices[slot.letter])

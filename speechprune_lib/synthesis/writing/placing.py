"""Where the key sentence goes in a transcript: the gap between two sentences that lies nearest to the planned place."""

from __future__ import annotations

from itertools import accumulate, groupby

from .drafts import Dialogue
from .scripts import Turn

KEY_WORDS = 17
"""Usual length of a key sentence, which counts as part of the clip before it is written."""

Gap = tuple[int, int]
"""A place in a transcript: in front of sentence `gap[1]` of turn `gap[0]`, or behind that turn's last."""


def joined(dialogue: Dialogue) -> tuple[Turn, ...]:
    """The turns, where neighbours of one speaker are one turn and turns without words none."""
    spoken = (turn for turn in dialogue.turns if turn.text)
    by_speaker = groupby(spoken, key=lambda turn: turn.speaker)
    return tuple(
        Turn(speaker=speaker, text=tuple(sentence for turn in turns for sentence in turn.text))
        for speaker, turns in by_speaker
    )


def gap_at(turns: tuple[Turn, ...], place: float) -> Gap:
    """The gap with as near as possible to `place` of the words in front of it, the key sentence's counted in all."""
    gaps = [(turn, index) for turn, said in enumerate(turns) for index in range(len(said.text))]
    gaps.append((len(turns) - 1, len(turns[-1].text)))
    before = [0, *accumulate(len(sentence.split()) for turn in turns for sentence in turn.text)]
    wanted = place * (before[-1] + KEY_WORDS)
    return min(zip(gaps, before, strict=True), key=lambda pair: abs(pair[1] - wanted))[0]


def with_sentence(turns: tuple[Turn, ...], gap: Gap, sentence: str) -> tuple[Turn, ...]:
    """The transcript with a sentence put into the gap, said by the speaker whose turn it is."""
    number, index = gap
    turn = turns[number]
    longer = Turn(speaker=turn.speaker, text=(*turn.text[:index], sentence, *turn.text[index:]))
    return (*turns[:number], longer, *turns[number + 1 :])


def as_text(turns: tuple[Turn, ...]) -> str:
    """A line a turn, as a prompt shows it."""
    return "\n".join(f"{turn.speaker}: {' '.join(turn.text)}" for turn in turns)

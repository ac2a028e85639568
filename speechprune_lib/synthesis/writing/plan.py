"""The plan of a benchmark's texts: kinds, topics, speakers, the key sentences' places and the right letters.

What a listener could guess from (letter, place) is decided here, evenly and before any text exists; a model writes to
it. The same plan gives the same slots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import TypeVar

from .scripts import KINDS, MOST_SPEAKERS, NAME, OPTIONS, Kind

SPEAKERS: dict[Kind, tuple[int, ...]] = {
    "lecture": (1,),
    "meeting": tuple(range(3, MOST_SPEAKERS + 1)),
    "conversation": (2, 3, 4),
}
WORDS = (60, 2000)
"""Fewest and most words that a transcript can be planned with."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slot:
    """One item to be written.

    `place`: share of the words that are said before the key sentence. `letter`: index of the right option. `main` and
    `sub` count the kind's main topics and that one's subtopics from 0.
    """

    id: str
    split: str
    kind: Kind
    main: int
    sub: int
    speakers: int
    place: float
    letter: int
    words: int


@dataclass(frozen=True)
class TranscriptPlan:
    """What to write.

    splits: (name, items) each; items are shared evenly among the kinds. words: of a transcript; 240 take about 90 s.
    main_topics: of each kind, at most one an item. Raises ValueError for what cannot be planned.
    """

    splits: tuple[tuple[str, int], ...] = (("test", 12),)
    words: int = 240
    main_topics: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        names = [name for name, _ in self.splits]
        if not names or len(set(names)) < len(names) or not all(re.match(NAME, name) for name in names):
            raise ValueError(f"the splits are called {names}, expected different names of letters and digits")
        for name, items in self.splits:
            if items < 1:
                raise ValueError(f"the split {name!r} has {items} items, expected 1 or more")
        if not WORDS[0] <= self.words <= WORDS[1]:
            raise ValueError(f"the transcripts have {self.words} words, expected {WORDS[0]} to {WORDS[1]}")
        if self.main_topics < 1:
            raise ValueError(f"there are {self.main_topics} main topics, expected 1 or more")

    def slots(self) -> tuple[Slot, ...]:
        """All items, split by split and kind by kind.

        In a split and in each of its kinds, no letter is right more than once oftener than another. Each of n equal
        parts of the clip holds the key sentence of one of a kind's n items (of a split's, if its kinds are equally
        many). Letters, places and speakers are dealt independently.
        """
        return tuple(slot for split, items in self.splits for slot in self._slots_of(split, items))

    def topics_of(self, kind: Kind) -> tuple[int, int]:
        """How many main topics a kind needs, and how many subtopics each of them: one for every item."""
        items = sum(_share(total, kind) for _, total in self.splits)
        mains = min(self.main_topics, items)
        return mains, -(-items // mains) if mains else 0

    def _slots_of(self, split: str, items: int) -> Iterator[Slot]:
        dealt, rng = 0, Random(f"{self.seed} {split}")
        for kind, turn in zip(KINDS, _shuffled(rng, list(range(len(KINDS)))), strict=True):
            count = _share(items, kind)
            yield from self._slots_of_kind(split, kind, count, dealt, within=(turn + 0.5) / len(KINDS))
            dealt += count

    def _slots_of_kind(self, split: str, kind: Kind, count: int, first_letter: int, within: float) -> Iterator[Slot]:
        """`within`: where in its part of the clip each key sentence lies, so that few items of each kind differ too."""
        rng = Random(f"{self.seed} {split} {kind}")
        letters = _shuffled(rng, [(first_letter + number) % OPTIONS for number in range(count)])
        places = _shuffled(rng, [(number + within) / count for number in range(count)])
        speakers = _shuffled(rng, list(islice(cycle(SPEAKERS[kind]), count)))
        mains, _ = self.topics_of(kind)
        earlier = self._items_before(split, kind)
        digits = max(2, len(str(count - 1)))
        for number in range(count):
            sub, main = divmod(earlier + number, mains)
            identity = f"{kind}_{split}_{number:0{digits}}"
            yield Slot(identity, split, kind, main, sub, speakers[number], places[number], letters[number], self.words)

    def _items_before(self, split: str, kind: Kind) -> int:
        names = [name for name, _ in self.splits]
        return sum(_share(items, kind) for _, items in self.splits[: names.index(split)])


def _share(items: int, kind: Kind) -> int:
    """Of `items`, how many are of this kind: a third, and what is left over goes to the first kinds."""
    each, rest = divmod(items, len(KINDS))
    return each + (KINDS.index(kind) < rest)


def _shuffled(rng: Random, items: list[Item]) -> list[Item]:
    return rng.sample(items, len(items))

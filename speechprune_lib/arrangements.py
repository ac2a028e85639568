"""The orders in which a question's options are shown: as printed, rotated through all places, or shuffled.

Keys are skewed (of SPIRAL's right answers 60 % are "B") and models have favourite letters, so that a score in the printed
order measures both. Rotating asks every question once for each option (MMBench's circular evaluation, arXiv 2307.06281);
shuffling asks once, in an order drawn from the example's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeVar, get_args

from .answers import ORIGINAL

Options = Literal["original", "rotate", "shuffle"]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Arrangement:
    """order[place] is the index, as the benchmark prints the options, of the one shown at that place."""

    name: str
    order: tuple[int, ...]

    def shown(self, choices: Sequence[Item]) -> list[Item]:
        return [choices[index] for index in self.order]

    def printed(self, of_shown: Sequence[Item]) -> tuple[Item, ...]:
        """What is known of the options in the shown order, put back into the printed one."""
        return tuple(of_shown[self.order.index(index)] for index in range(len(self.order)))


def arrangements(options: Options, example: str, count: int) -> list[Arrangement]:
    """The orders in which the `count` options of an example are shown; one for "original" and "shuffle".

    "rotate": all `count` rotations, the printed order first, so that every option stands once at every place. "shuffle":
    of the seed "options <example>" of Python's generator, whose stream is the same in all versions and on all devices.
    """
    if options not in get_args(Options):
        raise ValueError(f"options is {options!r}, expected one of {', '.join(get_args(Options))}")
    printed = tuple(range(count))
    if options == "shuffle" and count > 1:
        random = Random(f"options {example}")
        return [Arrangement("shuffled", tuple(sorted(printed, key=lambda _: random.random())))]
    turns = range(1, count if options == "rotate" else 1)
    rotated = [Arrangement(f"rotated-{turn}", printed[turn:] + printed[:turn]) for turn in turns]
    return [Arrangement(ORIGINAL, printed), *rotated]

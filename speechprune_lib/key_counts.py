"""What a benchmark's answer key gives away, as counts: they can be published where the questions cannot.

SPIRAL comes in two files, all questions and the hard ones, which are those that the paper's model got wrong with the
first 30 s. So the released files say, question by question, when that model was right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

import pandas as pd
from pydantic import BaseModel, ConfigDict

from .audio import WINDOW_SECONDS
from .benchmarks import Example, benchmark_hash, spiral
from .benchmarks.spiral_check import ANNOTATIONS, HARD_ANNOTATIONS
from .files import numbered_lines, write_lines
from .provenance import RunCard, run_card


class KeyCounts(BaseModel):
    """Counts over questions of four options.

    letters: how often each is right. longest: questions whose right option is the longest, a tie of k counting 1/k.
    late and early: questions whose key sentence begins after, or ends before, the first 30 s; `_right`: those of them
    that the model answered which heard these 30 s alone (None where the hard questions are not known).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str
    questions: int
    letters: dict[str, int]
    longest: float
    late: int
    late_right: int | None
    early: int
    early_right: int | None
    card: RunCard

    @property
    def floor(self) -> float | None:
        """Share right of the questions whose answer was not heard: what "no information" scores."""
        return None if self.late_right is None else self.late_right / self.late


def count_spiral(root: Path) -> list[KeyCounts]:
    """The counts of SPIRAL and of SPIRAL-H, from the folder of the released annotations; words are taken as time."""
    everything, hard = (
        list(spiral.read(root / file, split="test", audio_root=None, words_per_second=spiral.WORDS_PER_SECOND))
        for file in (ANNOTATIONS, HARD_ANNOTATIONS)
    )
    wrong = {example.id for example in hard}
    return [count_key("SPIRAL", everything, wrong), count_key("SPIRAL-H", hard)]


def count_key(benchmark: str, examples: Sequence[Example], hard: Iterable[str] | None = None) -> KeyCounts:
    """hard: ids of the questions that the first 30 s got wrong. Raises ValueError for an example without key times."""
    unknown = [example.id for example in examples if not example.key_spans or example.answer is None]
    if unknown or not examples:
        raise ValueError(f"no choices or no key sentences in {unknown[:3] or 'no examples'}: they cannot be counted")
    wrong = None if hard is None else {*hard}
    late = [e.id for e in examples if e.key_is_late]
    early = [e.id for e in examples if e.key_spans[-1][1] <= WINDOW_SECONDS]
    return KeyCounts(
        benchmark=benchmark,
        questions=len(examples),
        letters={
            letter: n
            for letter, n in sorted(
                Counter(ascii_uppercase[e.answer] for e in examples if e.answer is not None).items()
            )
        },
        longest=round(sum(map(_longest, examples)), 4),
        late=len(late),
        late_right=None if wrong is None else len(set(late) - wrong),
        early=len(early),
        early_right=None if wrong is None else len(set(early) - wrong),
        card=run_card(
            model="none",
            model_revision="none",
            benchmark=benchmark,
            benchmark_hash=benchmark_hash(replace(e, audio_path=None) for e in examples),
            prompt="none",
        ),
    )


def blind_scores(counts: Iterable[KeyCounts]) -> pd.DataFrame:
    """A line a benchmark: what strategies score that never listen, and where "no information" stands (shares).

    "always" is the best single letter as released; with every question asked in all rotations of its options, each
    letter is right once in four, whatever the key ("rotated").
    """
    lines = [
        {
            "benchmark": one.benchmark,
            "questions": one.questions,
            **{letter: one.letters.get(letter, 0) for letter in ascii_uppercase[:4]},
            "always": max(one.letters.values()) / one.questions,
            "rotated": 1 / 4,
            "longest": one.longest / one.questions,
            "floor": one.floor,
            "early right": None if one.early_right is None else one.early_right / one.early,
        }
        for one in counts
    ]
    return pd.DataFrame(lines).set_index("benchmark")


def write_counts(counts: Sequence[KeyCounts], path: Path) -> None:
    write_lines(path, (one.model_dump_json() for one in counts))


def read_counts(path: Path) -> list[KeyCounts]:
    return [KeyCounts.model_validate_json(line) for _, line in numbered_lines(path)]


def _longest(example: Example) -> float:
    """What picking the longest option scores on average. `fairness`, whose test wants whole picks, leaves ties out."""
    lengths = example.choice_lengths
    return (lengths[example.answer or 0] == max(lengths)) / lengths.count(max(lengths))

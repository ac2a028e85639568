"""What SPIRAL's recordings are, as counts: they can be published where the texts cannot."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..benchmarks import benchmark_hash, spiral
from ..files import numbered_lines, write_whole
from ..provenance import RunCard, run_card


class Makeup(BaseModel):
    """How many recordings are of each kind and of so many speakers, topics by name, and the mean words of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: dict[str, int]
    speakers: dict[int, int]
    main_topics: int
    subtopics: int
    words: float
    card: RunCard


def count_makeup(annotations: Path) -> Makeup:
    """Of a file in SPIRAL's format, with the topics and speakers that its reader does not need."""
    lines = [_Described.model_validate_json(line) for _, line in numbered_lines(annotations)]
    words = [len(" ".join(line.audio_data.combined.sentences).split()) for line in lines]
    read = spiral.read(annotations, split="test", audio_root=None, words_per_second=spiral.WORDS_PER_SECOND)
    return Makeup(
        kinds=dict(sorted(Counter(line.metadata.transcript_type for line in lines).items())),
        speakers=dict(sorted(Counter(len({turn.speaker for turn in line.transcript}) for line in lines).items())),
        main_topics=len({line.metadata.main_topic for line in lines}),
        subtopics=len({line.metadata.subtopic for line in lines}),
        words=round(sum(words) / len(words), 4),
        card=run_card(
            model="none", model_revision="none", benchmark="SPIRAL", benchmark_hash=benchmark_hash(read), prompt="none"
        ),
    )


def write_makeup(made: Makeup, path: Path) -> None:
    write_whole(path, made.model_dump_json(indent=2) + "\n")


def read_makeup(path: Path) -> Makeup:
    return Makeup.model_validate_json(path.read_bytes())


class _Topics(spiral.Metadata):
    main_topic: str
    subtopic: str


class _Turn(BaseModel):
    speaker: str


class _Described(spiral.Record):
    metadata: _Topics  # pyright: ignore[reportIncompatibleVariableOverride]  (a record of more fields)
    transcript: list[_Turn]

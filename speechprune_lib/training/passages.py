"""Short conversations, meetings and lectures with four-way questions, from `data/training/passages/*.txt`.

They were written for the training alone (the README beside them says how); no text of a benchmark is among them. Files
are numbered, each is spoken as one shard, so that a new file leaves the shards before it as they are. A block of lines
is a passage:

    # meeting | the roof of the boathouse
    A: Who ordered slates? We agreed on tin.
    B: The builder did, on Monday.
    ? Who ordered the slates? | The builder | The mayor | A neighbour | The captain
"""

# pyright: basic
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PASSAGES = Path(__file__).resolve().parents[2] / "data" / "training" / "passages"
OPTIONS = 4


@dataclass(frozen=True)
class Question:
    """A question about one passage; the first of its options is the right one."""

    question: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Passage:
    kind: str
    topic: str
    turns: tuple[tuple[str, str], ...]  # (speaker, sentence), in order
    questions: tuple[Question, ...]


def passage_files(folder: Path = PASSAGES) -> list[Path]:
    """The files in the order of their numbers. Raises FileNotFoundError if there is none."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise FileNotFoundError(f"no passages (*.txt) in {folder}")
    return files


def read_passages(file: Path) -> list[Passage]:
    return [parse(block, file.name) for block in re.split(r"\n(?=# )", file.read_text("utf8").strip())]


def parse(block: str, source: str) -> Passage:
    """One block of lines. Raises ValueError naming `source` and the line that does not fit."""
    head, *lines = block.strip().splitlines()
    kind, bar, topic = head.removeprefix("# ").partition(" | ")
    if not head.startswith("# ") or not bar:
        raise ValueError(f"{source}: expected '# kind | topic', got {head!r}")
    turns, questions = [], []
    for line in filter(str.strip, lines):
        if match := re.fullmatch(r"([A-Z]): (.+)", line.strip()):
            turns += [(match[1], sentence) for sentence in sentences(match[2])]
        elif line.startswith("? "):
            question, *options = (part.strip() for part in line[2:].split(" | "))
            if len(set(options)) != OPTIONS:
                raise ValueError(f"{source}: expected {OPTIONS} different options, got {line!r}")
            questions.append(Question(question, tuple(options)))
        else:
            raise ValueError(f"{source}: expected 'A: text' or '? question | options', got {line!r}")
    if not turns or not questions:
        raise ValueError(f"{source}: expected turns and questions under {head!r}")
    return Passage(kind, topic, tuple(turns), tuple(questions))


def sentences(text: str) -> list[str]:
    """A turn's sentences: what ends in . ! or ? before a capital letter."""
    return re.split(r"(?<=[.!?]) +(?=[A-Z])", " ".join(text.split()))

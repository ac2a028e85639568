"""The topic hierarchy of a benchmark, kind -> main topics -> subtopics: one subtopic for every item.

It grows in a file, reply by reply, so that a rerun asks for what is missing. Whoever wants other topics edits the file
before any item is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from ...complaints import first_complaint
from ...files import write_whole
from .drafts import different, topics_of
from .plan import Slot, TranscriptPlan
from .prompting import main_topics_prompt, subtopics_prompt
from .scripts import KINDS, Kind, ScriptError
from .writers import Writer, WriterError
from .writers.base import tried

Tree = dict[Kind, dict[str, list[str]]]


@dataclass(frozen=True)
class Topics:
    """tree: subtopics by kind and main topic. missing: why a kind's topic has none; (kind, None): why a kind has."""

    tree: Tree
    missing: dict[tuple[Kind, str | None], str]

    def of(self, slot: Slot) -> tuple[str, str]:
        """Main topic and subtopic of an item. Raises WriterError where the writer had none, ScriptError for too few."""
        if (slot.kind, None) in self.missing:
            raise WriterError(f"{slot.kind} has no main topics: {self.missing[slot.kind, None]}")
        try:
            main_topic, subtopics = list(self.tree[slot.kind].items())[slot.main]
            if (slot.kind, main_topic) in self.missing:
                why = self.missing[slot.kind, main_topic]
                raise WriterError(f"{slot.kind}'s {main_topic!r} has no subtopics: {why}")
            return main_topic, subtopics[slot.sub]
        except LookupError as error:
            raise ScriptError(
                f"the topics have no place {slot.kind}/{slot.main}/{slot.sub}, which {slot.id} is to be about: add "
                f"topics to the file, or delete it to have it written again"
            ) from error


def fill_topics(writer: Writer, path: Path, plan: TranscriptPlan, progress: bool = True) -> Topics:
    """The topics of a plan, those of the file at `path` and what the writer adds to it.

    Raises ScriptError for a file that cannot be read.
    """
    topics = Topics(_read(path), {})
    wanted: list[Kind] = [kind for kind in KINDS if plan.topics_of(kind)[0]]
    for kind in tqdm(wanted, desc="kinds with topics", disable=None if progress else True):
        mains, subs = plan.topics_of(kind)
        _fill_main_topics(writer, path, topics, kind, mains)
        for main_topic in topics.tree.get(kind, {}):
            _fill_subtopics(writer, path, topics, kind, main_topic, subs)
    return topics


def _fill_main_topics(writer: Writer, path: Path, topics: Topics, kind: Kind, count: int) -> None:
    if topics.tree.get(kind):
        return
    try:
        reply = tried(lambda: writer.write(main_topics_prompt(kind, count), topics_of(count)))
    except WriterError as error:
        topics.missing[kind, None] = str(error)
        return
    topics.tree[kind] = {topic: [] for topic in different(reply.topics)[:count]}
    _write(path, topics.tree)


def _fill_subtopics(writer: Writer, path: Path, topics: Topics, kind: Kind, main_topic: str, count: int) -> None:
    if topics.tree[kind][main_topic]:
        return
    try:
        reply = tried(lambda: writer.write(subtopics_prompt(kind, main_topic, count), topics_of(count)))
    except WriterError as error:
        topics.missing[kind, main_topic] = str(error)
        return
    topics.tree[kind][main_topic] = different(reply.topics)[:count]
    _write(path, topics.tree)


def _read(path: Path) -> Tree:
    if not path.exists():
        return {}
    try:
        return TypeAdapter(Tree).validate_json(path.read_text("utf8"))
    except ValidationError as error:
        raise ScriptError(f"{path}: {first_complaint(error)}; expected kind -> main topic -> subtopics") from error


def _write(path: Path, tree: Tree) -> None:
    write_whole(path, json.dumps(tree, indent=1, ensure_ascii=False) + "\n")

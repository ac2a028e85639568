"""Stage 1 of the pipeline: the texts of a benchmark, written item by item into a folder that stage 2 speaks.

OUT/plan.json         what is written
OUT/topics.json       the topic hierarchy
OUT/texts/SPLIT.jsonl finished items, one appended when it is done
OUT/failures.jsonl    items that the last run had to leave out, and why
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from ...files import append_line, numbered_lines, write_whole
from ..parallel import over_threads
from .items import write_item
from .plan import Slot, TranscriptPlan
from .scripts import Script, ScriptError, as_line, parse_script, parse_scripts, read_scripts, write_scripts
from .topics import Topics, fill_topics
from .writers import Writer, WriterError
from .writers.base import ATTEMPTS, tried


@dataclass(frozen=True)
class Written:
    """texts: the folder for stage 2. items: how many it holds. failures: ids of planned items that it lacks."""

    texts: Path
    items: int
    failures: tuple[str, ...] = ()


Outcome = tuple[Slot, Script | WriterError]
"""An item that was planned, and what became of it."""


def write_benchmark(
    writer: Writer, out: Path, plan: TranscriptPlan, progress: bool = True, workers: int = 1
) -> Written:
    """Write the plan's items that `out` does not hold yet.

    An item that fails three times is listed in `failures.jsonl`, the others go on; the next run tries it again.
    workers: items at a time, each with a request of its own; with more than one, a file has its items in the order in
    which they were finished. Raises ScriptError if `out` holds another plan's items, and WriterUnavailableError when no
    item can be written; what is finished stays in either case, and on Ctrl-C. Raises ValueError for less than a worker.
    """
    if workers < 1:
        raise ValueError(f"there are {workers} workers, expected 1 or more")
    _begin(out, plan)
    slots, done = plan.slots(), written_ids(out, plan)
    missing = [slot for slot in slots if slot.id not in done]
    topics = fill_topics(writer, out / "topics.json", plan, progress) if missing else Topics({}, {})
    failed: set[str] = set()
    # disable=None: no bar where nobody watches, as in a log file
    with tqdm(total=len(slots), initial=len(done), desc="items written", disable=None if progress else True) as bar:

        def keep(outcome: Outcome) -> None:
            slot, item = outcome
            if not _kept(out, slot, item):
                failed.add(slot.id)
            bar.update()

        over_threads(lambda slot: _written(writer, slot, topics), missing, workers, keep)
    return Written(out / "texts", len(slots) - len(failed), tuple(slot.id for slot in slots if slot.id in failed))


def written_ids(out: Path, plan: TranscriptPlan) -> set[str]:
    """Ids of the plan's items that `out` holds, for an estimate of the rest; nothing in `out` changes.

    Raises ScriptError if `out` holds another plan's items, or some that cannot be read.
    """
    _check(out, plan)
    held = {script.metadata.id for split, _ in plan.splits for script in _finished(_texts(out, split))}
    return held & {slot.id for slot in plan.slots()}


def store_scripts(scripts: Iterable[Script], out: Path) -> Written:
    """Items written by hand, as `writers.files.hand_written` reads them, where stage 2 looks for them.

    They replace items of the same ids. Raises ScriptError if `out` holds texts of other making or any other item.
    """
    by_split: dict[str, list[Script]] = {}
    for script in scripts:
        by_split.setdefault(script.split, []).append(script)
    others = sorted({path.stem for path in (out / "texts").glob("*.jsonl")} - by_split.keys())
    if (out / "plan.json").exists() or others:
        raise ScriptError(f"{out} holds texts of other making ({', '.join(others) or 'a plan'}): choose another folder")
    ids = {script.metadata.id for items in by_split.values() for script in items}
    for split in by_split:
        _check_none_lost(_texts(out, split), ids)
    for split, items in by_split.items():
        write_scripts(_texts(out, split), items)
    return Written(out / "texts", sum(map(len, by_split.values())))


def _check_none_lost(path: Path, ids: set[str]) -> None:
    for script in read_scripts(path) if path.exists() else ():
        if script.metadata.id not in ids:
            raise ScriptError(
                f"{path} holds {script.metadata.id!r}, which is not among the new items and would be lost: add it to "
                f"them, or choose another folder"
            )


def _check(out: Path, plan: TranscriptPlan) -> None:
    path = out / "plan.json"
    if not path.exists() and any((out / "texts").glob("*.jsonl")):
        raise ScriptError(f"{out} holds texts without a plan, written otherwise: choose another folder")
    if path.exists() and path.read_text("utf8") != _as_json(plan):
        raise ScriptError(f"{path} is another plan than {plan}: go on with that one, or choose another folder")


def _begin(out: Path, plan: TranscriptPlan) -> None:
    _check(out, plan)
    write_whole(out / "plan.json", _as_json(plan))
    for split, _ in plan.splits:
        _mend(_texts(out, split))
    (out / "failures.jsonl").unlink(missing_ok=True)


def _as_json(plan: TranscriptPlan) -> str:
    return json.dumps(asdict(plan), indent=1) + "\n"


def _written(writer: Writer, slot: Slot, topics: Topics) -> Outcome:
    try:
        main_topic, subtopic = topics.of(slot)
        return slot, tried(lambda: write_item(writer, slot, main_topic, subtopic))
    except WriterError as error:
        return slot, error


def _kept(out: Path, slot: Slot, item: Script | WriterError) -> bool:
    """Append it to its file; whether it is an item."""
    if isinstance(item, Script):
        append_line(_texts(out, slot.split), as_line(item))
        return True
    failure = {"id": slot.id, "split": slot.split, "attempts": ATTEMPTS, "error": str(item)}
    append_line(out / "failures.jsonl", json.dumps(failure))
    return False


def _texts(out: Path, split: str) -> Path:
    return out / "texts" / f"{split}.jsonl"


def _finished(path: Path) -> Iterator[Script]:
    return parse_scripts(_whole(_lines(path), path), path)


def _mend(path: Path) -> None:
    """Take out a last line that a kill cut off: the item is written again, and stage 2 would read both."""
    lines = _lines(path)
    whole = _whole(lines, path)
    if len(whole) < len(lines):
        write_whole(path, b"".join(line for _, line in whole))


def _whole(lines: list[tuple[int, bytes]], path: Path) -> list[tuple[int, bytes]]:
    """The file's lines, without a last one that a kill cut off; some editors leave a whole one without its end."""
    if lines and not lines[-1][1].endswith(b"\n"):
        try:
            parse_script(lines[-1][1], str(path))
        except ScriptError:
            return lines[:-1]
    return lines


def _lines(path: Path) -> list[tuple[int, bytes]]:
    return list(numbered_lines(path)) if path.exists() else []

"""Stage 1 of the pipeline: the texts of a benchmark, written item by item into a folder that stage 2 speaks.

OUT/plan.json         what is written
OUT/topics.json       the topic hierarchy
OUT/texts/SPLIT.jsonl finished items, one appended when it is done
OUT/failures.jsonl    items that the last run had to leave out, and why
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from .items import write_item
from .plan import Slot, TranscriptPlan
from .scripts import Script, ScriptError, as_line, parse_script, read_scripts, write_scripts, write_whole
from .topics import Topics, fill_topics
from .writers import Writer, WriterError
from .writers.base import ATTEMPTS, tried


@dataclass(frozen=True)
class Written:
    """texts: the folder for stage 2. items: how many it holds. failures: ids of planned items that it lacks."""

    texts: Path
    items: int
    failures: tuple[str, ...] = ()


def write_benchmark(writer: Writer, out: Path, plan: TranscriptPlan, progress: bool = True) -> Written:
    """Write the plan's items that `out` does not hold yet.

    An item that fails three times is listed in `failures.jsonl`, the others go on; the next run tries it again. Raises
    ScriptError if `out` holds another plan's items, and WriterUnavailableError when no item can be written; what is
    finished stays in either case.
    """
    _begin(out, plan)
    slots = plan.slots()
    done = {identity for split, _ in plan.splits for identity in _finished(_texts(out, split))}
    missing = [slot for slot in slots if slot.id not in done]
    topics = fill_topics(writer, out / "topics.json", plan, progress) if missing else Topics({}, {})
    failures: list[str] = []
    # disable=None: no bar where nobody watches, as in a log file
    with tqdm(total=len(slots), initial=len(done), desc="items written", disable=None if progress else True) as bar:
        for slot in missing:
            if not _written(writer, out, slot, topics):
                failures.append(slot.id)
            bar.update()
    return Written(out / "texts", len(slots) - len(failures), tuple(failures))


def store_scripts(scripts: Iterable[Script], out: Path) -> Written:
    """Items written by hand, as `writers.files.hand_written` reads them, where stage 2 looks for them.

    Raises ScriptError if `out` holds texts of other making.
    """
    by_split: dict[str, list[Script]] = {}
    for script in scripts:
        by_split.setdefault(script.split, []).append(script)
    others = sorted({path.stem for path in (out / "texts").glob("*.jsonl")} - by_split.keys())
    if (out / "plan.json").exists() or others:
        raise ScriptError(f"{out} holds texts of other making ({', '.join(others) or 'a plan'}): choose another folder")
    for split, items in by_split.items():
        write_scripts(_texts(out, split), items)
    return Written(out / "texts", sum(map(len, by_split.values())))


def _begin(out: Path, plan: TranscriptPlan) -> None:
    path, text = out / "plan.json", json.dumps(asdict(plan), indent=1) + "\n"
    if not path.exists() and any((out / "texts").glob("*.jsonl")):
        raise ScriptError(f"{out} holds texts without a plan, written otherwise: choose another folder")
    if path.exists() and path.read_text("utf8") != text:
        raise ScriptError(f"{path} is another plan than {plan}: go on with that one, or choose another folder")
    write_whole(path, text)
    (out / "failures.jsonl").unlink(missing_ok=True)


def _written(writer: Writer, out: Path, slot: Slot, topics: Topics) -> bool:
    try:
        main_topic, subtopic = topics.of(slot)
        script = tried(lambda: write_item(writer, slot, main_topic, subtopic))
    except WriterError as error:
        failure = {"id": slot.id, "split": slot.split, "attempts": ATTEMPTS, "error": str(error)}
        _append(out / "failures.jsonl", json.dumps(failure, ensure_ascii=False) + "\n")
        return False
    _append(_texts(out, slot.split), as_line(script))
    return True


def _texts(out: Path, split: str) -> Path:
    return out / "texts" / f"{split}.jsonl"


def _finished(path: Path) -> list[str]:
    """Ids of the items in a file. A last line that a kill cut off is dropped, for its item is written again."""
    if not path.exists():
        return []
    whole, newline, last = path.read_bytes().rpartition(b"\n")
    if last:
        try:
            rest = as_line(parse_script(last.decode("utf8", errors="replace"), str(path))).encode()
        except ScriptError:
            rest = b""
        write_whole(path, (whole + newline + rest).decode("utf8"))
    return [script.metadata.id for script in read_scripts(path)]


def _append(path: Path, line: str) -> None:
    """One line, on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())

"""Stage 2: scripts -> a spoken SPIRAL-style benchmark, resumable per recording, over processes.

Lines follow SPIRAL's schema. `audio_data.combined` has fields that SPIRAL lacks: `times` (start, end in seconds of
every sentence, from the engine), `duration`, and `made_from` and `sha256`, the hashes of what the recording was made
from and of its bytes. By these a rerun finds what is done already.
"""

# pyright: basic
from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from ...audio import MP3_DELAY_SECONDS, duration_seconds, mp3
from ...files import append_line, file_hash, numbered_lines, write_lines, write_whole
from ..parallel import each
from .recording import speak
from .records import further_questions, lines_of, read_scripts
from .voices import CAST, Speaker


@dataclass
class Built:
    """What became of a build: recordings spoken now, and found done already; the splits that now stand; what failed
    (id, or file and line -> why)."""

    spoken: int = 0
    found: int = 0
    splits: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Order:
    """One recording to be made, as a worker process gets it."""

    script: dict
    cast: tuple[Speaker, ...]
    path: Path
    kbits: Literal[24, 40]

    @property
    def made_from(self) -> str:
        what = {"id": self.script["metadata"]["id"], "transcript": self.script["transcript"], "kbits": self.kbits}
        what["cast"] = [asdict(speaker) for speaker in self.cast]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def build(
    texts: Path,
    out: Path,
    cast: Sequence[Speaker] = CAST,
    workers: int | None = None,
    kbits: Literal[24, 40] = 24,
    progress: bool = True,
) -> Built:
    """Write `out/{split}.jsonl` and `out/audio/{id}.mp3` for every script of `texts/*.jsonl`.

    A script, question or recording that is no good is named in the result and left out; the others are made, and a
    rerun makes what is missing. A split that an earlier build made and that is no more is deleted. workers: processes,
    None for none but this, where an engine that ends its process ends this one. Raises FileNotFoundError without
    scripts.
    """
    built = Built()
    scripts = read_scripts(texts, built.failed)
    if not scripts and not built.failed:
        raise FileNotFoundError(f"no *.jsonl transcripts in {texts}")
    further = further_questions(texts, scripts, built.failed)
    orders = {i: _Order(s, tuple(cast), out / "audio" / f"{i}.mp3", kbits) for i, s in scripts.items()}
    recordings = _found(out, orders)
    built.found = len(recordings)
    jobs = {identity: (order,) for identity, order in orders.items() if identity not in recordings}
    journal = out / "audio" / "spoken.jsonl"
    outcomes = each(_make, jobs, workers)
    for identity, recording, error in tqdm(outcomes, "clips spoken", len(jobs), disable=None if progress else True):
        if error:
            built.failed[identity] = error
            continue
        recordings[identity] = recording
        append_line(journal, json.dumps({"audio_data": recording}))
        built.spoken += 1
    splits = lines_of(scripts, further, recordings)
    for split, lines in splits.items():
        write_lines(out / f"{split}.jsonl", map(json.dumps, lines))
    _delete_others(out, splits)
    built.splits = tuple(sorted(splits))
    journal.unlink(missing_ok=True)  # all that it holds stands in the splits now
    return built


def _make(order: _Order) -> dict:
    """Speak one recording and write it: whole or not at all."""
    samples, recording = speak(order.script, order.cast, MP3_DELAY_SECONDS[order.kbits])
    write_whole(order.path, mp3(samples, kbits=order.kbits))
    recording["combined"] |= {
        "duration": round(duration_seconds(order.path), 3),
        "made_from": order.made_from,
        "sha256": file_hash(order.path),
    }
    return recording


def _found(out: Path, orders: dict[str, _Order]) -> dict[str, dict]:
    """Recordings that are there, whole, and made from just these scripts by this cast."""
    found = {}
    for path in (*out.glob("*.jsonl"), *out.glob("audio/spoken.jsonl")):
        for combined in _combined(path):
            identity = Path(combined["audio_files"][0]).stem
            order = orders.get(identity)
            if order and _is_done(order, combined):
                found[identity] = {"combined": combined}
    return found


def _is_done(order: _Order, combined: dict) -> bool:
    if combined.get("made_from") != order.made_from or not order.path.is_file():
        return False
    return file_hash(order.path) == combined.get("sha256")


def _combined(path: Path) -> Iterator[dict]:
    """What a file tells of recordings; other lines, and one that a kill cut short, are passed over."""
    for _, line in numbered_lines(path):
        try:
            yield json.loads(line)["audio_data"]["combined"]
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
            continue


def _delete_others(out: Path, splits: Iterable[str]) -> None:
    """Splits of an earlier build; files that no build made stay."""
    for path in out.glob("*.jsonl"):
        if path.stem not in splits and any("made_from" in combined for combined in _combined(path)):
            path.unlink()

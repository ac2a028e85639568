"""Stage 2: scripts -> a spoken SPIRAL-style benchmark, resumable per recording, over processes.

Lines follow SPIRAL's schema. `audio_data.combined` has fields that SPIRAL lacks: `times` (start, end in seconds of every
sentence, from the engine), `duration`, and `made_from` and `sha256`, the hashes of what the recording was made from and
of its bytes. By these a rerun finds what is done already.
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
from ..parallel import each
from .recording import speak
from .records import asked, json_lines, key_index, splits
from .voices import CAST, Speaker


@dataclass
class Built:
    """What became of a build: recordings spoken now, found done already, and failed (id -> why)."""

    spoken: int = 0
    found: int = 0
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

    A recording that cannot be made is named in the result and left out, with its questions; the others are made, and
    a rerun makes what is missing. workers: processes, None for none but this. Raises FileNotFoundError for no scripts,
    ValueError for a broken line and for two scripts of one id.
    """
    scripts = _scripts(texts)
    (out / "audio").mkdir(parents=True, exist_ok=True)
    orders = {i: _Order(s, tuple(cast), out / "audio" / f"{i}.mp3", kbits) for i, s in scripts.items()}
    recordings = _found(out, orders)
    built = Built(found=len(recordings))
    jobs = {identity: (order,) for identity, order in orders.items() if identity not in recordings}
    journal = out / "audio" / "spoken.jsonl"
    outcomes = each(_make, jobs, workers)
    for identity, recording, error in tqdm(outcomes, "clips spoken", len(jobs), disable=None if progress else True):
        if error:
            built.failed[identity] = error
            continue
        recordings[identity] = recording
        with journal.open("a") as lines:
            lines.write(json.dumps({"audio_data": recording}) + "\n")
        built.spoken += 1
    in_order = {identity: recordings[identity] for identity in scripts if identity in recordings}
    for split, lines in splits(texts, scripts, in_order).items():
        _write(out / f"{split}.jsonl", lines)
    journal.unlink(missing_ok=True)  # all that it holds stands in the splits now
    return built


def _scripts(texts: Path) -> dict[str, dict]:
    scripts: dict[str, dict] = {}
    for path in sorted(texts.glob("*.jsonl")):
        for script in json_lines(path):
            identity = script["metadata"]["id"]
            if identity in scripts:
                raise ValueError(f"{path}: the id {identity!r} is already another script's: make ids unique")
            scripts[identity] = script
    if not scripts:
        raise FileNotFoundError(f"no *.jsonl transcripts in {texts}")
    return scripts


def _make(order: _Order) -> dict:
    """Speak one recording and write it: whole or not at all."""
    for _, _, key in asked(order.script):
        key_index(order.script, key)  # refused before a minute of speech
    samples, recording = speak(order.script, order.cast, MP3_DELAY_SECONDS[order.kbits])
    data = mp3(samples, kbits=order.kbits)
    order.path.with_suffix(".part").write_bytes(data)
    order.path.with_suffix(".part").replace(order.path)
    recording["combined"] |= {
        "duration": round(duration_seconds(order.path), 3),
        "made_from": order.made_from,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return recording


def _found(out: Path, orders: dict[str, _Order]) -> dict[str, dict]:
    """Recordings that are there, whole, and made from just these scripts by this cast."""
    found = {}
    for path in (*out.glob("*.jsonl"), *out.glob("audio/spoken.jsonl")):
        for line in _whole_lines(path):
            combined = line["audio_data"]["combined"]
            identity = Path(combined["audio_files"][0]).stem
            order = orders.get(identity)
            if order and combined.get("made_from") == order.made_from and _hash(order.path) == combined.get("sha256"):
                found[identity] = {"combined": combined}
    return found


def _whole_lines(path: Path) -> Iterator[dict]:
    """Lines of a file that a kill may have cut short."""
    for line in path.read_text("utf8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _hash(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _write(path: Path, lines: Iterable[dict]) -> None:
    path.with_suffix(".part").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.with_suffix(".part").replace(path)

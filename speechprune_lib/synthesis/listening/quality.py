"""Stage 3: WER and predicted MOS of every recording of a split, resumable per recording, over processes.

Rows go to a file of their own as they are measured, under a key that says what they depend on: several recognizers'
rows may lie in one file, and a recording that was spoken again is measured again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from ...files import append_line, file_hash, numbered_lines, write_whole
from ...provenance import RunCard, installed_version, run_card
from ..parallel import each
from .heard import ClipQuality, hear
from .opinion import Opinion
from .recognizers import Recognizer
from .spoken import SpokenClip

RULES = "turns in pieces of 30 s, 1"
"""Counted up when measuring changes, so that older rows are not taken for new ones."""

MEASURED_BY = ("ctranslate2", "jiwer", "onnxruntime", "speechmos", "utmos-pytorch", "whisper-normalizer")

_ROW = TypeAdapter(ClipQuality)


@dataclass(frozen=True)
class Measured:
    """Rows in the order of the clips, recordings by name once; and what failed (recording -> why)."""

    rows: tuple[ClipQuality, ...]
    failed: dict[str, str]


def measure(
    clips: Iterable[SpokenClip],
    recognizer: Recognizer,
    opinion: Opinion | None,
    rows: Path,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> Measured:
    """Measure the recordings that the file `rows` (.jsonl) does not hold yet; clips that share one count once.

    A recording that fails is told in the result and in `<rows>.failed.json`, the others go on, and the next run tries
    it again. workers: processes, None for none but this. Raises at once what their `revision` raises where weights are
    missing.
    """
    by, recordings = _measurers(recognizer, opinion), _recordings(clips)
    keys, failed = _keys(recordings, by)
    done = {key: row for row in read_quality(rows) if (key := row.key) in keys.values()}
    jobs = {name: (recordings[name], key, recognizer, opinion) for name, key in keys.items() if key not in done}
    outcomes = each(hear, jobs, workers)
    for name, row, error in tqdm(outcomes, "recordings measured", len(jobs), disable=None if progress else True):
        if error:
            failed[name] = error
            continue
        append_line(rows, _ROW.dump_json(row).decode())
        done[row.key] = row
    _tell(rows.with_suffix(".failed.json"), failed)
    return Measured(tuple(done[key] for key in keys.values() if key in done), failed)


def read_quality(rows: Path) -> Iterator[ClipQuality]:
    """The rows of a file, none if it does not exist; a line that a kill cut short is passed over."""
    for _, line in numbered_lines(rows) if rows.exists() else ():
        try:
            yield _ROW.validate_json(line)
        except ValidationError:
            continue


def quality_card(
    benchmark: str, clips: Iterable[SpokenClip], recognizer: Recognizer, opinion: Opinion | None, device: str = "cpu"
) -> RunCard:
    """What the numbers depend on; its benchmark hash is over turns and recordings. Raises for a missing recording."""
    hashes = sorted(_content(clip) for clip in _recordings(clips).values())
    card = run_card(
        model=recognizer.name if opinion is None else f"{recognizer.name}, {opinion.scale}",
        model_revision=" ".join(measurer.revision for measurer in (recognizer, opinion) if measurer),
        benchmark=benchmark,
        benchmark_hash=hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        prompt=RULES,
        device=device,
    )
    versions = {name: number for name in MEASURED_BY if (number := installed_version(name)) != "unknown"}
    return card.model_copy(update={"versions": card.versions | versions})


def _measurers(recognizer: Recognizer, opinion: Opinion | None) -> list[str]:
    by = [recognizer.name, recognizer.revision]
    return by if opinion is None else [*by, opinion.scale, opinion.revision]


def _recordings(clips: Iterable[SpokenClip]) -> dict[str, SpokenClip]:
    """By file name; of the clips that share a recording the first stands for all."""
    recordings: dict[str, SpokenClip] = {}
    for clip in clips:
        recordings.setdefault(clip.audio.stem, clip)
    return recordings


def _keys(recordings: dict[str, SpokenClip], by: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """(recording -> key, recording -> why it has none)."""
    keys, failed = {}, {}
    for name, clip in recordings.items():
        try:
            keys[name] = hashlib.sha256(json.dumps([RULES, _content(clip), *by]).encode()).hexdigest()
        except OSError as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return keys, failed


def _content(clip: SpokenClip) -> str:
    said = [clip.audio.stem, clip.kind, [asdict(turn) for turn in clip.turns]]
    return hashlib.sha256(json.dumps([file_hash(clip.audio), said]).encode()).hexdigest()


def _tell(path: Path, failed: dict[str, str]) -> None:
    path.unlink(missing_ok=True)
    if failed:
        write_whole(path, json.dumps(failed, indent=1, ensure_ascii=False) + "\n")

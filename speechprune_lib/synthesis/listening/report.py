"""What a built benchmark is like, on one page: its recordings, its questions, and how well it was spoken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from ...audio import begins_late
from ...files import write_whole
from ...provenance import RunCard
from .heard import ClipQuality, HeardTurn, opinion_score, word_error_rate
from .spoken import SpokenClip


@dataclass(frozen=True)
class Spread:
    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class KeyPlaces:
    """Where key sentences begin: in seconds, as a share of the clip, and the share of them after 30 s."""

    seconds: Spread
    share: Spread
    late: float


@dataclass(frozen=True)
class VoiceQuality:
    """One voice: the recordings that it speaks in, for how long in all, and how well."""

    recordings: int
    seconds: float
    wer: float | None = None
    mos: float | None = None


@dataclass(frozen=True)
class Quality:
    """Measured recordings.

    wer: all errors over all words. mos: mean over recordings, on the scale `mos_scale` alone.
    """

    recordings: int
    asr: str
    wer: float | None
    wer_per_kind: dict[str, float | None]
    mos_scale: str | None
    mos: float | None


@dataclass(frozen=True)
class BenchmarkReport:
    """One split. Items are questions, several of which may share a recording; counts are of items, voices apart.

    speakers: how many items have so many. letters: of the right options. keys and quality: None where nothing is known.
    """

    benchmark: str
    split: str
    items: int
    recordings: int
    duration_s: Spread
    speakers: dict[int, int]
    kinds: dict[str, int]
    topics: dict[str, int]
    letters: dict[str, int]
    keys: KeyPlaces | None
    voices: dict[str, VoiceQuality]
    quality: Quality | None = None


_REPORT = TypeAdapter(BenchmarkReport)

Counted = TypeVar("Counted", str, int)


def make_report(
    benchmark: str, split: str, clips: Iterable[SpokenClip], rows: Iterable[ClipQuality] = ()
) -> BenchmarkReport:
    """The report of a split's clips, with what `measure` found of their recordings.

    Raises ValueError for no clips, for rows of recordings that no clip has, and for rows of different measurers.
    """
    clips, rows = list(clips), list(rows)
    if not clips:
        raise ValueError(f"{benchmark} {split} has no clips to report, expected some, as of read_spoken")
    recordings = {clip.audio.stem: clip for clip in clips}
    if foreign := sorted({row.recording for row in rows} - recordings.keys()):
        raise ValueError(
            f"{foreign[0]} was measured and is no recording of {benchmark} {split}: pass that split's rows"
        )
    return BenchmarkReport(
        benchmark=benchmark,
        split=split,
        items=len(clips),
        recordings=len(recordings),
        duration_s=_spread([clip.duration_s for clip in clips]),
        speakers=_counts(len({turn.speaker for turn in clip.turns}) for clip in clips),
        kinds=_counts(clip.kind for clip in clips),
        topics=_counts(clip.topic for clip in clips),
        letters=_counts(clip.letter for clip in clips if clip.letter),
        keys=_keys(clips),
        voices=_voices(recordings.values(), rows),
        quality=_quality(rows) if rows else None,
    )


def write_report(report: BenchmarkReport, card: RunCard, path: Path) -> Path:
    """Write the report as JSON, and the card of what measured it beside it as `<name>.card.json`."""
    write_whole(path.with_name(f"{path.stem}.card.json"), card.model_dump_json(indent=2) + "\n")
    write_whole(path, _REPORT.dump_json(report, indent=2).decode() + "\n")
    return path


def read_report(path: Path) -> BenchmarkReport:
    """A report that `write_report` wrote. Raises FileNotFoundError, and pydantic's ValidationError for other files."""
    return _REPORT.validate_json(path.read_bytes())


def _spread(values: Sequence[float]) -> Spread:
    return Spread(sum(values) / len(values), min(values), max(values))


def _counts(values: Iterable[Counted]) -> dict[Counted, int]:
    return dict(sorted(Counter(values).items()))


def _keys(clips: Sequence[SpokenClip]) -> KeyPlaces | None:
    begins = [(clip.key_start_s, clip.duration_s) for clip in clips if clip.key_start_s is not None]
    if not begins:
        return None
    late = sum(begins_late(start) for start, _ in begins) / len(begins)
    return KeyPlaces(_spread([s for s, _ in begins]), _spread([s / length for s, length in begins]), late)


def _voices(recordings: Iterable[SpokenClip], rows: Iterable[ClipQuality]) -> dict[str, VoiceQuality]:
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for clip in recordings:
        for turn in clip.turns:
            seconds[turn.voice][clip.audio.stem] += turn.end_s - turn.start_s
    heard: dict[str, list[HeardTurn]] = defaultdict(list)
    for row in rows:
        for turn in row.turns:
            heard[turn.voice].append(turn)
    return {
        voice: VoiceQuality(
            len(by), round(sum(by.values()), 3), word_error_rate(heard[voice]), opinion_score(heard[voice])
        )
        for voice, by in sorted(seconds.items())
    }


def _quality(rows: Sequence[ClipQuality]) -> Quality:
    measurers = sorted({(row.asr, row.mos_scale or "no MOS") for row in rows})
    if len(measurers) > 1:
        raise ValueError(f"the rows are of different measurers {measurers}, expected one: pass what `measure` returns")
    by_kind: dict[str, list[HeardTurn]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].extend(row.turns)
    scores = [score for row in rows if (score := opinion_score(row.turns)) is not None]
    return Quality(
        recordings=len(rows),
        asr=rows[0].asr,
        wer=word_error_rate(turn for row in rows for turn in row.turns),
        wer_per_kind={kind: word_error_rate(turns) for kind, turns in sorted(by_kind.items())},
        mos_scale=rows[0].mos_scale,
        mos=sum(scores) / len(scores) if scores else None,
    )

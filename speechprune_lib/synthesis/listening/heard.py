"""One recording measured: what a recognizer hears of each turn, and how good a listener would find it.

Words are compared after Whisper's English normaliser, as in the paper: case, punctuation, fillers, spelling and the
writing of numbers do not count.
"""

# pyright: basic
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ...audio import SAMPLE_RATE_HZ, Waveform, load
from ...packages import needed
from .opinion import Opinion
from .pieces import cut_turns
from .recognizers import Recognizer
from .spoken import SpokenClip, Turn


@dataclass(frozen=True)
class HeardTurn:
    """words: of the normalised text, in which `errors` are wrong, missing or added. mos: None if not asked for."""

    speaker: str
    voice: str
    text: str
    heard: str
    words: int
    errors: int
    seconds: float
    mos: float | None


@dataclass(frozen=True)
class ClipQuality:
    """One recording, by its file's name without the ending.

    key: hash of all that the measurement depends on. asr and mos_scale: who measured.
    """

    recording: str
    kind: str
    key: str
    asr: str
    mos_scale: str | None
    turns: tuple[HeardTurn, ...]


def hear(clip: SpokenClip, key: str, recognizer: Recognizer, opinion: Opinion | None) -> ClipQuality:
    """Measure every turn of a recording. Raises FileNotFoundError, AudioError, and ValueError as `cut_turns` does."""
    cut = cut_turns(load(clip.audio), clip.turns)
    turns = tuple(_heard(turn, parts, recognizer, opinion) for turn, parts in zip(clip.turns, cut, strict=True))
    scale = None if opinion is None else opinion.scale
    return ClipQuality(clip.audio.stem, clip.kind, key, recognizer.name, scale, turns)


def word_errors(text: str, heard: str) -> tuple[int, int]:
    """(words of the text, words to change, add or take away to make it what was heard), both normalised."""
    reference, hypothesis = _normaliser()(text).strip(), _normaliser()(heard).strip()
    found = needed("jiwer", "counting word errors", "synthesis").process_words(reference, hypothesis)
    return len(reference.split()), found.substitutions + found.deletions + found.insertions


def word_error_rate(turns: Iterable[HeardTurn]) -> float | None:
    """All errors over all words; None without words."""
    turns = list(turns)
    words = sum(turn.words for turn in turns)
    return sum(turn.errors for turn in turns) / words if words else None


def opinion_score(turns: Iterable[HeardTurn]) -> float | None:
    """Mean over the seconds spoken; None where a turn has no score."""
    scored = [(turn.mos, turn.seconds) for turn in turns]
    return _mean(scored) if scored and all(mos is not None for mos, _ in scored) else None


def _heard(turn: Turn, parts: Sequence[Waveform], recognizer: Recognizer, opinion: Opinion | None) -> HeardTurn:
    heard = " ".join(recognizer.transcribe(part) for part in parts).strip()
    words, errors = word_errors(turn.text, heard)
    seconds = [len(part) / SAMPLE_RATE_HZ for part in parts]
    scored = [] if opinion is None else [opinion.score(part) for part in parts]
    mos = round(_mean(list(zip(scored, seconds, strict=True))), 4) if scored else None
    return HeardTurn(turn.speaker, turn.voice, turn.text, heard, words, errors, round(sum(seconds), 3), mos)


def _mean(weighted: Sequence[tuple[Any, float]]) -> float:
    return sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted)


@cache
def _normaliser() -> Any:
    return needed("whisper_normalizer.english", "comparing words", "synthesis").EnglishTextNormalizer()

"""`Example`: one question about one recording, as every benchmark's reader hands it over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..audio import Waveform, begins_late, load
from ..files import file_hash


class BenchmarkError(ValueError):
    """A benchmark's files cannot be used; the message says where (file:line), what was expected and the way out."""


@dataclass(frozen=True)
class Example:
    """One question: of several choices, or an open one.

    `choices` are bare texts ("A. " removed) and `answer` indexes them. An open question has no choices, no `answer`,
    and in `references` the forms in which its answer may be put, the plainest first. `key_spans` are the (start, end)
    in seconds of the sentences that hold the answer, empty if unknown or if none does; `spans_estimated` marks times
    that were not stored but spread over the clip by counting words. `audio_path` is None where the recording was not
    asked for.
    """

    id: str
    audio_path: Path | None
    question: str
    choices: tuple[str, ...]
    answer: int | None
    transcript: str
    key_spans: tuple[tuple[float, float], ...]
    kind: str
    duration_s: float | None
    split: str
    spans_estimated: bool = False
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.choices and self.answer is None and all(self.references) and self.references:
            return
        if len(self.choices) < 2 or len(set(self.choices)) < len(self.choices) or not all(self.choices):
            raise ValueError(
                f"{self.id} has the choices {list(self.choices)}, expected two or more different texts, or none and "
                f"references"
            )
        if self.answer is None or not 0 <= self.answer < len(self.choices):
            raise ValueError(f"{self.id} has answer {self.answer}, expected 0..{len(self.choices) - 1}")

    @property
    def key_start_s(self) -> float | None:
        """When the first of the key sentences begins; None without key sentences."""
        return self.key_spans[0][0] if self.key_spans else None

    @property
    def key_is_late(self) -> bool:
        """Whether no model that hears one window alone can have heard any of the key sentences."""
        return self.key_start_s is not None and begins_late(self.key_start_s)

    @property
    def choice_lengths(self) -> list[int]:
        """Characters of every choice: the longest is what many who do not know the answer pick."""
        return [len(choice) for choice in self.choices]

    @property
    def answer_forms(self) -> tuple[str, ...]:
        """What a free reply may say: the references of an open question, else the right choice's text."""
        return self.references if self.answer is None else (self.choices[self.answer],)

    def recording(self) -> Path:
        """Where the recording lies. Raises ValueError where the benchmark was read without recordings."""
        if self.audio_path is None:
            raise ValueError(f"{self.id} comes without its recording: load the benchmark with need_audio=True")
        return self.audio_path

    def waveform(self) -> Waveform:
        """The recording, mono at 16 kHz. Raises what `recording` and `audio.load` raise."""
        return load(self.recording())


def benchmark_hash(examples: Iterable[Example]) -> str:
    """sha256 over all that an answer can depend on: every example's fields and its audio file's bytes.

    Neither the order of the examples nor the folder they lie in counts. A part of a benchmark has another hash: to
    evaluate a part first and the rest later into one store, hash the whole.
    """
    digest = hashlib.sha256()
    for example in sorted(examples, key=lambda example: example.id):
        fields = asdict(example)
        path = fields.pop("audio_path")
        fields["audio"] = path and file_hash(path)
        if not example.references:
            del fields["references"]  # hashes of multiple-choice benchmarks are older than open questions
        digest.update(json.dumps(fields, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()

"""From scripts to a benchmark that has been listened to and checked: the stages of `synthesis`, one after the other.

OUT/texts/           scripts (stage 1; see `synthesis.writing.transcripts` for having them written)
OUT/SPLIT.jsonl      questions with their recordings in OUT/audio/ (stage 2)
OUT/quality/SPLIT.json  the report, its card, and the rows behind it (stage 3)
OUT/quality/SPLIT.checks.csv  what the questions give away (stage 4)

Every stage does only what is missing, so the whole can be run again after a kill or a change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .benchmarks import Example, load_benchmark
from .evaluation import evaluate, open_store
from .files import write_lines
from .giveaways import fairness
from .models.base import SpeechModel
from .synthesis.listening.heard import ClipQuality
from .synthesis.listening.opinion import Opinion
from .synthesis.listening.quality import measure, quality_card
from .synthesis.listening.recognizers import Recognizer
from .synthesis.listening.report import BenchmarkReport, make_report, write_report
from .synthesis.listening.spoken import read_spoken
from .synthesis.speaking.build import Built, build
from .synthesis.speaking.records import spiral_scripts
from .synthesis.speaking.voices import CAST, Speaker
from .synthesis.writing.transcripts import store_scripts
from .synthesis.writing.writers.files import hand_written


@dataclass(frozen=True)
class Synthesized:
    """What a run of the pipeline made: by split the reports and the checks, and all that failed (what -> why)."""

    built: Built
    reports: dict[str, BenchmarkReport] = field(default_factory=dict)
    checks: dict[str, pd.DataFrame] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def unfair(self) -> list[str]:
        """The checks that failed, as "split: check"."""
        tables = self.checks.items()
        return [f"{split}: {name}" for split, table in tables for name in table[table["fair"].eq(False)]["check"]]


def synthesize(
    out: Path,
    scripts: Path | None = None,
    *,
    cast: Sequence[Speaker] = CAST,
    workers: int | None = 1,
    recognizer: Recognizer | None = None,
    opinion: Opinion | None = None,
    model: SpeechModel | None = None,
    progress: bool = True,
) -> Synthesized:
    """Speak, measure and check the scripts in `out/texts`, or first put `scripts` there (a .jsonl file or a folder).

    recognizer None: quality is not measured. model None: the checks are of the questions alone, no model answers them
    blind. workers: processes, None for none but this. What fails is in the result, and the rest is done.
    """
    if scripts is not None:
        store_scripts(hand_written(scripts), out)
    done = Synthesized(build(out / "texts", out, cast, workers, progress=progress))
    done.failed.update(done.built.failed)
    clips = {split: list(read_spoken(out, split)) for split in done.built.splits}
    rows: tuple[ClipQuality, ...] = ()
    if recognizer is not None:
        together = [clip for split in clips.values() for clip in split]  # splits may share recordings
        measured = measure(
            together, recognizer, opinion, out / "quality" / "rows.jsonl", workers=workers, progress=progress
        )
        done.failed.update(measured.failed)
        rows = measured.rows
    for split, of_split in clips.items():
        heard = {clip.audio.stem for clip in of_split}
        done.reports[split] = make_report(out.name, split, of_split, [row for row in rows if row.recording in heard])
        if recognizer is not None:
            card = quality_card(out.name, of_split, recognizer, opinion)
            write_report(done.reports[split], card, out / "quality" / f"{split}.json")
        if examples := [example for example in load_benchmark("spiral-mini", split, out) if example.choices]:
            done.checks[split] = _checked(out, split, examples, model, progress)
    return done


def respeak(
    annotations: Path, out: Path, *, cast: Sequence[Speaker] = CAST, workers: int | None = 1, progress: bool = True
) -> Built:
    """SPIRAL, re-spoken: the released annotations (`data.jsonl`) spoken by a cast of one's own into `out/test.jsonl`.

    Not SPIRAL's recordings: read it under the name "spiral-respoken", which goes wherever a result goes. The texts
    carry no stated licence: keep `out` to yourself. Raises as `build` does.
    """
    write_lines(out / "texts" / "test.jsonl", map(json.dumps, spiral_scripts(annotations)))
    return build(out / "texts", out, cast, workers, progress=progress)


def _checked(out: Path, split: str, examples: list[Example], model: SpeechModel | None, progress: bool) -> pd.DataFrame:
    answers = None
    (out / "quality").mkdir(exist_ok=True)
    if model is not None:
        with open_store(out / "quality" / f"{split}.blind.sqlite", model, out.name, examples, stale="discard") as store:
            # "original": it is the printed order that may give something away
            answers = evaluate(model, examples, ["no-audio", "original"], (), (), None, store, progress, "original")
    checks = fairness(examples, answers)
    checks.to_csv(out / "quality" / f"{split}.checks.csv", index=False)
    return checks

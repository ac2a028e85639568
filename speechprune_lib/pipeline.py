"""From scripts to a benchmark that has been listened to and checked: the stages of `synthesis`, one after the other.

OUT/texts/           scripts (stage 1; see `synthesis.transcripts` for having them written)
OUT/SPLIT.jsonl      questions with their recordings in OUT/audio/ (stage 2)
OUT/quality/SPLIT.json  the report, its card, and the rows behind it (stage 3)
OUT/quality/SPLIT.checks.csv  what the questions give away (stage 4)

Every stage does only what is missing, so the whole can be run again after a kill or a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .benchmarks import Example, load_benchmark
from .evaluate import evaluate, open_store
from .fairness import fairness
from .models.base import SpeechModel
from .synthesis.listening.opinion import Opinion
from .synthesis.listening.quality import measure, quality_card
from .synthesis.listening.recognizers import Recognizer
from .synthesis.listening.report import BenchmarkReport, make_report, write_report
from .synthesis.listening.spoken import SpokenClip, read_spoken
from .synthesis.speaking.build import Built, build
from .synthesis.speaking.voices import CAST, Speaker
from .synthesis.writing.transcripts import store_scripts
from .synthesis.writing.writers.files import hand_written


@dataclass(frozen=True)
class Synthesized:
    """What a run of the pipeline made: by split the reports and the checks, and everything that failed (what -> why)."""

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
    workers: int | None = None,
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
    for split in sorted(path.stem for path in out.glob("*.jsonl")):
        clips = list(read_spoken(out, split))
        done.reports[split] = _report(out, split, clips, recognizer, opinion, workers, progress, done.failed)
        examples = load_benchmark("spiral-mini", split, out)
        if any(example.choices for example in examples):
            done.checks[split] = _checked(out, split, examples, model, progress)
    return done


def _report(
    out: Path,
    split: str,
    clips: list[SpokenClip],
    recognizer: Recognizer | None,
    opinion: Opinion | None,
    workers: int | None,
    progress: bool,
    failed: dict[str, str],
) -> BenchmarkReport:
    if recognizer is None:
        return make_report(out.name, split, clips)
    rows = out / "quality" / "rows.jsonl"  # of all splits: they may share recordings
    measured = measure(clips, recognizer, opinion, rows, workers=workers, progress=progress)
    failed.update(measured.failed)
    report = make_report(out.name, split, clips, measured.rows)
    write_report(report, quality_card(out.name, clips, recognizer, opinion), out / "quality" / f"{split}.json")
    return report


def _checked(out: Path, split: str, examples: list[Example], model: SpeechModel | None, progress: bool) -> pd.DataFrame:
    answers = None
    if model is not None:
        with open_store(out / "quality" / f"{split}.blind.sqlite", model, out.name, examples, stale="discard") as store:
            answers = evaluate(model, examples, ["no-audio", "original"], store=store, progress=progress)
    checks = fairness(examples, answers)
    (out / "quality").mkdir(exist_ok=True)
    checks.to_csv(out / "quality" / f"{split}.checks.csv", index=False)
    return checks

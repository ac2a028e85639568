"""A benchmark's report as tables, with what the paper says of SPIRAL beside it."""

from __future__ import annotations

import pandas as pd

from ...paper import REMARKS
from .report import BenchmarkReport

_PUBLISHED = {
    "items": int(REMARKS["questions"].value),
    "mean duration (s)": REMARKS["mean length"].value,
    "recordings measured": int(REMARKS["questions"].value),
    "WER": REMARKS["word error rate"].value,
    "WER by": "openai/whisper-large-v3",
    "MOS (UTMOS-22)": REMARKS["predicted MOS"].value,
}
"""SPIRAL's line, as its authors describe it."""
_PLACE = f"arXiv 2412.12009, {REMARKS['mean length'].place}"


def table(*reports: BenchmarkReport) -> pd.DataFrame:
    """The reports' headlines under the paper's, a benchmark a line; every MOS scale has a column of its own."""
    lines: dict[str, dict[str, object]] = {f"SPIRAL ({_PLACE})": dict(_PUBLISHED)}
    lines |= {f"{report.benchmark} {report.split}": _headline(report) for report in reports}
    columns = list(dict.fromkeys(name for line in lines.values() for name in line))
    index = pd.Index(list(lines), name="benchmark")
    return pd.DataFrame(list(lines.values()), index=index, columns=columns)


def _headline(report: BenchmarkReport) -> dict[str, object]:
    quality = report.quality
    line: dict[str, object] = {
        "items": report.items,
        "mean duration (s)": round(report.duration_s.mean, 2),
        "recordings measured": 0 if quality is None else quality.recordings,
        "WER": None if quality is None or quality.wer is None else round(quality.wer, 4),
        "WER by": "" if quality is None else quality.asr,
    }
    if quality is not None and quality.mos is not None:
        line[f"MOS ({quality.mos_scale})"] = round(quality.mos, 2)
    return line


def voice_table(report: BenchmarkReport) -> pd.DataFrame:
    """One line a voice, the worst understood first."""
    scale = report.quality.mos_scale if report.quality else None
    lines = {
        name: {"recordings": v.recordings, "seconds": v.seconds, "WER": v.wer, f"MOS ({scale})": v.mos}
        for name, v in report.voices.items()
    }
    found = pd.DataFrame.from_dict(lines, orient="index").rename_axis("voice")
    return (found if scale else found.iloc[:, :-1]).sort_values("WER", ascending=False, kind="stable")

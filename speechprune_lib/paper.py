"""What the paper prints (arXiv 2412.12009, ICME 2025), as data with its place: to compare with, never to compute from.

Numbers are texts as printed: "41.90" says more than 41.9, and "12.2" less than 12.20. Models, benchmarks and methods
bear this library's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TABLE_1_METHODS: Mapping[str, str] = {"Original": "original", "RAP": "rap", "RAC": "rac", "Ours": "speechprune"}
"""Table I's names of the methods -> this library's."""

TABLE_2_BENCHMARKS: Mapping[str, str] = {"SPIRAL": "spiral", "DTTS*": "dream-tts", "CCL*": "cn-college-listen"}
"""Table II's names of the benchmarks -> this library's; the star: only recordings of more than 60 s."""


@dataclass(frozen=True)
class CostRow:
    """One pruning rate of Table I: cost is the same for every method. GB are 10^9 bytes.

    rate None: "Original", the first 30 s unpruned. Memory is by LLM-Viewer, prefill time measured on the GPU that
    section IV-A names.
    """

    rate: float | None
    teraflops: float
    prefill_ms: int
    total_memory_gb: float
    activations_gb: float


@dataclass(frozen=True)
class Accuracy:
    """A printed accuracy, in per cent.

    rate None: a condition that has none. read_off: by eye from a plot, good to `FIGURE_3_POINTS`.
    """

    place: str
    model: str
    benchmark: str
    method: str
    rate: float | None
    printed: str
    read_off: bool = False

    @property
    def percent(self) -> float:
        return float(self.printed)


@dataclass(frozen=True)
class Remark:
    """A number in the running text; `quote` is a piece of the sentence, in which it stands as `printed`."""

    place: str
    quote: str
    printed: str
    unit: str

    @property
    def value(self) -> float:
        return float(self.printed.replace(",", ""))


TABLE_1_COST = (
    CostRow(None, 12.20, 779, 13.40, 0.19),
    CostRow(0.2, 10.06, 662, 13.32, 0.15),
    CostRow(0.4, 7.93, 511, 13.24, 0.11),
    CostRow(0.6, 5.79, 419, 13.17, 0.07),
    CostRow(0.8, 3.66, 278, 13.09, 0.04),
)
"""Table I, columns TF, PT, TM and SA; the first TF is printed as 12.2."""

TABLE_1_RATES = tuple(row.rate for row in TABLE_1_COST if row.rate is not None)

_TABLE_1 = {
    None: (("original", "60.38", "0"),),
    0.2: (("rap", "42.49", "21.45"), ("rac", "65.71", "48.13"), ("speechprune", "89.23", "81.64")),
    0.4: (("rap", "42.89", "22.19"), ("rac", "62.45", "41.90"), ("speechprune", "85.97", "76.43")),
    0.6: (("rap", "42.39", "21.45"), ("rac", "58.20", "35.41"), ("speechprune", "75.89", "63.77")),
    0.8: (("rap", "45.26", "23.19"), ("rac", "55.83", "33.67"), ("speechprune", "62.45", "46.15")),
}
_TABLE_2 = {
    ("qwen2-audio", "original", None): ("60.38", "53.69", "52.91"),
    ("qwen2-audio", "speechprune", 0.2): ("89.23", "65.19", "62.86"),
    ("diva", "original", None): ("48.62", "45.72", "55.24"),
    ("diva", "speechprune", 0.15): ("57.51", "53.10", "56.19"),
}
_FIGURE_3 = {
    "speechprune": ("81", "77", "72", "62", "54", "46"),
    "phase1": ("48", "52", "53", "55", "51", "45", "40"),
    "phase2": ("73", "68", "61", "58", "52", "43", "39"),
}

FIGURE_3_RATES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Both phases at 0.2 are printed, and were not read off."""
FIGURE_3_POINTS = 2
"""Percentage points that a value read off Fig. 3 may be wrong by; those that Table I prints too are less far from it."""

TABLE_1_ACCURACY = tuple(
    Accuracy("Table I", "qwen2-audio", benchmark, method, rate, printed)
    for rate, rows in _TABLE_1.items()
    for method, spiral, hard in rows
    for benchmark, printed in (("spiral", spiral), ("spiral-h", hard))
)
TABLE_2_ACCURACY = tuple(
    Accuracy("Table II", model, benchmark, method, rate, printed)
    for (model, method, rate), row in _TABLE_2.items()
    for benchmark, printed in zip(TABLE_2_BENCHMARKS.values(), row, strict=True)
)
FIGURE_3_ACCURACY = tuple(
    Accuracy("Fig. 3", "qwen2-audio", "spiral-h", method, rate, printed, read_off=True)
    for method, curve in _FIGURE_3.items()
    for rate, printed in zip(FIGURE_3_RATES[-len(curve) :], curve, strict=True)
)
TEXT_ACCURACY = (
    Accuracy("Section IV-C", "qwen2-audio", "spiral-h", "everything", None, "43.6"),
    Accuracy("Section IV-C", "qwen2-audio", "spiral-h", "phase1", 0.2, "48.13"),
    Accuracy("Section IV-C", "qwen2-audio", "spiral-h", "phase2", 0.2, "72.45"),
)
ACCURACIES = (*TABLE_1_ACCURACY, *TABLE_2_ACCURACY, *TEXT_ACCURACY, *FIGURE_3_ACCURACY)
"""All of them; what stands in several places is there several times."""

REMARKS: Mapping[str, Remark] = {
    "questions": Remark("Abstract", "SPIRAL, a 1,012-sample benchmark", "1,012", "questions"),
    "hard questions": Remark("Section II-B", "consisting of 401 cases", "401", "questions"),
    "mean length": Remark("Section II-C", "an average duration of 87.89 seconds", "87.89", "s"),
    "word error rate": Remark("Section II-C", "a word error rate of 0.0389", "0.0389", "of the words"),
    "predicted MOS": Remark("Section II-C", "a predicted MOS of 3.91 in a five-point-scale", "3.91", "of 5 (UTMOS-22)"),
    "encoder frames of 30 s": Remark("Section I", "(about 1500 raw tokens when using Whisper", "1500", "frames"),
    "mel channels": Remark("Section III-A", "an 80-channel melspectrogram", "80", "channels"),
    "mel hop": Remark("Section III-A", "a hop size of 10 ms", "10", "ms"),
    "token length": Remark("Section III-A", "approximately corresponds to a 40ms segment", "40", "ms"),
    "tokens of 30 s": Remark("Section III-A", "a 30-second audio yields 750 encoding embeddings", "750", "tokens"),
    "tokens of 10 min": Remark(
        "Section III-A", "a 10-minute conversation with approximately 15,000 tokens", "15,000", "tokens"
    ),
    "operations of 10 min": Remark("Section III-A", "requires 58.66 TFLOPS for Qwen-2 network", "58.66", "TFLOPS"),
    "share of phase 2": Remark("Section III-B", "accounts for less than 1% of the network's", "1", "% at most"),
    "gain over the first 30 s": Remark("Abstract", "accuracy improvements of 29% and up to 47%", "29", "points"),
    "gain over random": Remark("Abstract", "accuracy improvements of 29% and up to 47%", "47", "points"),
    "gain over random, exactly": Remark("Section IV-A", "with up to 46.74% in SPIRAL", "46.74", "points"),
    "gain over random, hard": Remark("Section IV-A", "and 60.19% in SPIRAL-H", "60.19", "points"),
    "operations saved": Remark(
        "Section IV-A", "reducing 70% computational costs (from 12.2 to 3.66 TFLOPS)", "70", "%"
    ),
    "prefill saved": Remark("Section IV-A", "64% prefill time (from 779 to 278 ms)", "64", "%"),
    "activations saved": Remark("Section IV-A", "saving 79% activation storage (from 0.19 to 0.04 GB)", "79", "%"),
    "least of phase 1 alone": Remark("Section IV-C", "stable but lower performance (45-55%)", "45", "%"),
    "most of phase 1 alone": Remark("Section IV-C", "stable but lower performance (45-55%)", "55", "%"),
}
"""Numbers in the running text that are this paper's own claims, by what they are of."""

PREFILL_GPU = "Quadro RTX 6000"
"""Section IV-A: where Table I's prefill times were measured."""

CLIP_SECONDS = REMARKS["mean length"].value
"""Mean length of SPIRAL's recordings."""

TEN_MINUTES_TOKENS = int(REMARKS["tokens of 10 min"].value)
TEN_MINUTES_TERAFLOPS = REMARKS["operations of 10 min"].value
SHARE_OF_PRUNING = REMARKS["share of phase 2"].value / 100


def printed_accuracy(
    model: str, benchmark: str, method: str, rate: float | None, read_off: bool = False
) -> Accuracy | None:
    """The printed accuracy of a condition, from Table I where it stands there; None if it is not printed anywhere.

    read_off: take what Fig. 3 shows where nothing is printed.
    """
    wanted = (model, benchmark, method, rate)
    found = (one for one in ACCURACIES if (one.model, one.benchmark, one.method, one.rate) == wanted)
    return next((one for one in found if read_off or not one.read_off), None)

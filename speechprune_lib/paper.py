"""What the paper prints (arXiv 2412.12009, ICME 2025), as data with its place: to compare with, never to compute from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TABLE_1_METHODS: Mapping[str, str] = {"RAP": "rap", "RAC": "rac", "Ours": "speechprune"}
"""Table I's names of the pruning methods -> this library's."""


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
class AccuracyRow:
    """One cell pair of Table I, in per cent; "original" has no rate."""

    method: str
    rate: float | None
    spiral: float
    spiral_h: float


TABLE_1_COST = (
    CostRow(None, 12.20, 779, 13.40, 0.19),
    CostRow(0.2, 10.06, 662, 13.32, 0.15),
    CostRow(0.4, 7.93, 511, 13.24, 0.11),
    CostRow(0.6, 5.79, 419, 13.17, 0.07),
    CostRow(0.8, 3.66, 278, 13.09, 0.04),
)
"""Table I, columns TF, PT, TM and SA; the first TF is printed as 12.2."""

TABLE_1_ACCURACY = (
    AccuracyRow("original", None, 60.38, 0.0),
    AccuracyRow("rap", 0.2, 42.49, 21.45),
    AccuracyRow("rac", 0.2, 65.71, 48.13),
    AccuracyRow("speechprune", 0.2, 89.23, 81.64),
    AccuracyRow("rap", 0.4, 42.89, 22.19),
    AccuracyRow("rac", 0.4, 62.45, 41.90),
    AccuracyRow("speechprune", 0.4, 85.97, 76.43),
    AccuracyRow("rap", 0.6, 42.39, 21.45),
    AccuracyRow("rac", 0.6, 58.20, 35.41),
    AccuracyRow("speechprune", 0.6, 75.89, 63.77),
    AccuracyRow("rap", 0.8, 45.26, 23.19),
    AccuracyRow("rac", 0.8, 55.83, 33.67),
    AccuracyRow("speechprune", 0.8, 62.45, 46.15),
)
"""Table I, columns SPIRAL and SPIRAL-H."""

PREFILL_GPU = "Quadro RTX 6000"
"""Section IV-A: where Table I's prefill times were measured."""

TEN_MINUTES_TOKENS, TEN_MINUTES_TERAFLOPS = 15_000, 58.66
"""Section III-A: 10 minutes of speech are 15,000 tokens and need 58.66 TFLOPS, "for Qwen-2 network".

The share below stands in section III-B."""

SHARE_OF_PRUNING = 0.01
"""Section III-B: the binarized attention "accounts for less than 1 %" of the network's complexity."""

"""The numbers in the paper's text, recomputed: from other printed numbers, in closed form, or from the annotations."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import pandas as pd

from ..audio import HOP_SAMPLES, SAMPLE_RATE_HZ, TOKENS_PER_SECOND, WINDOW_TOKENS, audio_tokens
from ..efficiency.shapes import QWEN2_1_5B, QWEN2_AUDIO_SHAPE, WINDOW_FRAMES
from ..efficiency.table1 import count_calflops, count_remark, count_table1
from ..key_counts import KeyCounts
from ..paper import FIGURE_3_ACCURACY, REMARKS, TABLE_1_COST, TEN_MINUTES_TOKENS, printed_accuracy
from .left_out import pruner_shares

Source = Literal["closed form", "annotations", "printed numbers", "Fig. 3", "the recordings"]


@dataclass(frozen=True)
class Recomputed:
    """A remark with what it comes out as; `ours` is None where it takes the recordings. note: what else there is to say."""

    name: str
    source: Source
    ours: float | None
    note: str = ""

    @property
    def agrees(self) -> bool | None:
        """Rounded to as many decimals, halves up, the two are the same; of a share "at most", ours is not above it."""
        if self.ours is None:
            return None
        remark = REMARKS[self.name]
        if remark.unit.endswith("at most"):
            return self.ours <= remark.value
        printed = Decimal(remark.printed.replace(",", ""))
        return Decimal(self.ours).quantize(printed, ROUND_HALF_UP) == printed


def recompute(counts: Iterable[KeyCounts]) -> list[Recomputed]:
    """All of `REMARKS`, in their order. counts: of the released key, as of data/results/spiral_key.jsonl."""
    found = {one.name: one for one in (*_from_the_key(counts), *_tokens(), *_costs(), *_gains(), *_phase_1())}
    absent = [Recomputed(name, "the recordings", None) for name in REMARKS if name not in found]
    found |= {one.name: one for one in absent}
    return [found[name] for name in REMARKS]


def remarks_table(counts: Iterable[KeyCounts]) -> pd.DataFrame:
    """For reading: what, where, printed, recomputed to one more decimal, from what, and whether it agrees."""
    lines = []
    for one in recompute(counts):
        remark = REMARKS[one.name]
        decimals = len(remark.printed.partition(".")[2]) + 1
        lines.append(
            {
                "what": one.name,
                "place": remark.place,
                "printed": f"{remark.printed} {remark.unit}",
                "recomputed": "" if one.ours is None else f"{one.ours:,.{decimals}f}",
                "from": one.source,
                "agrees": {True: "yes", False: "no", None: ""}[one.agrees],
                "note": one.note,
            }
        )
    return pd.DataFrame(lines).set_index("what")


def _from_the_key(counts: Iterable[KeyCounts]) -> list[Recomputed]:
    names = {"SPIRAL": "questions", "SPIRAL-H": "hard questions"}
    return [
        Recomputed(names[one.benchmark], "annotations", float(one.questions))
        for one in counts
        if one.benchmark in names
    ]


def _tokens() -> list[Recomputed]:
    bins = QWEN2_AUDIO_SHAPE.encoder.mel_bins
    return [
        Recomputed("encoder frames of 30 s", "closed form", float(WINDOW_FRAMES)),
        Recomputed("mel channels", "closed form", float(bins), "Qwen2-Audio's; 80 are older Whispers'"),
        Recomputed("mel hop", "closed form", 1000 * HOP_SAMPLES / SAMPLE_RATE_HZ),
        Recomputed("token length", "closed form", 1000 / TOKENS_PER_SECOND),
        Recomputed("tokens of 30 s", "closed form", float(WINDOW_TOKENS)),
        Recomputed("tokens of 10 min", "closed form", float(audio_tokens(600 * SAMPLE_RATE_HZ))),
    ]


def _costs() -> list[Recomputed]:
    flops = count_calflops(QWEN2_AUDIO_SHAPE.decoder, TEN_MINUTES_TOKENS) / 1e12
    smaller = count_remark(QWEN2_1_5B, TEN_MINUTES_TOKENS) / 1e12
    shares = 100 * pruner_shares()
    of_left, of_all = shares["phase 2, of the pruned prefill"], shares["phase 2, of the unpruned"]
    whole, least = count_table1(None), count_table1(0.8)
    saved = {
        "operations saved": 1 - least.flops / whole.flops,
        "activations saved": 1 - least.activation_bytes / whole.activation_bytes,
    }
    first, last = TABLE_1_COST[0], TABLE_1_COST[-1]
    rounded = 100 * (1 - last.activations_gb / first.activations_gb)
    return [
        Recomputed("operations of 10 min", "closed form", flops, f"Qwen2-1.5B without its head: {smaller:.2f}"),
        Recomputed(
            "share of phase 2",
            "closed form",
            float(of_left.max()),
            f"of the pruned prefill at 0.8, {of_left.min():.2f} at 0.2; of the unpruned one {of_all.max():.2f}",
        ),
        Recomputed("operations saved", "closed form", 100 * saved["operations saved"]),
        Recomputed("prefill saved", "printed numbers", 100 * (1 - last.prefill_ms / first.prefill_ms)),
        Recomputed(
            "activations saved", "closed form", 100 * saved["activations saved"], f"{rounded:.1f} from the rounded GB"
        ),
    ]


def _gains() -> list[Recomputed]:
    over_random = _gain("spiral", "rap", 0.2)
    return [
        Recomputed(
            "gain over the first 30 s", "printed numbers", _gain("spiral", "original", None), "points, not per cent"
        ),
        Recomputed("gain over random", "printed numbers", over_random, "over RAP; over RAC it is less"),
        Recomputed("gain over random, exactly", "printed numbers", over_random),
        Recomputed("gain over random, hard", "printed numbers", _gain("spiral-h", "rap", 0.2)),
    ]


def _gain(benchmark: str, over: str, rate: float | None) -> float:
    """Percentage points of SpeechPrune at rate 0.2 over another method, of Table I."""
    one, other = (printed_accuracy("qwen2-audio", benchmark, *what) for what in (("speechprune", 0.2), (over, rate)))
    if one is None or other is None:
        raise ValueError(f"{over} at {rate} on {benchmark} is not in Table I")
    return float(Decimal(one.printed) - Decimal(other.printed))


def _phase_1() -> list[Recomputed]:
    curve = [one.percent for one in FIGURE_3_ACCURACY if one.method == "phase1"]
    return [
        Recomputed("least of phase 1 alone", "Fig. 3", min(curve), "at rate 0.8"),
        Recomputed("most of phase 1 alone", "Fig. 3", max(curve)),
    ]

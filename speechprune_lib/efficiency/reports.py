"""Measured runs as the tables and curves that the book shows; nothing here measures."""

# pandas declares unions that no use of a table narrows.
# pyright: reportArgumentType=false, reportReturnType=false
from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from ..audio import TOKENS_PER_SECOND, WINDOW_TOKENS
from ..paper import PREFILL_GPU, TABLE_1_COST
from ..prompt import kept_count
from .counting import count_cache_bytes, count_decoder_activations, count_prefill
from .floor import ceilings, floor_seconds
from .records import ALL_OPTIONS, ONE_OPTION, Measured, Measurement, share_of_prefill
from .shapes import DecoderShape
from .table1 import HALF_BYTES, TABLE_1_TEXT_TOKENS

OURS = "SpeechPrune"
Curve = tuple[Sequence[int], Sequence[float]]


def machines(runs: Sequence[Measured]) -> str:
    """A line a run: what ran where; and one more while no GPU is among them."""
    lines = [f"{run.card.model}: {run.label}; library {run.card.commit[:9]}, {run.card.created[:10]}" for run in runs]
    if not any(run.card.device.startswith("cuda") for run in runs):
        lines.append("on a GPU: not run yet")
    return "\n".join(lines)


def prefill_curves(
    runs: Sequence[Measured], decoder: DecoderShape, most_tokens: int = WINDOW_TOKENS
) -> dict[str, Curve]:
    """(audio tokens, prefill) of the paper's GPU, of the operations counted, and of every run; any unit."""
    printed = sorted((kept_count(WINDOW_TOKENS, row.rate or 0.0), float(row.prefill_ms)) for row in TABLE_1_COST)
    tokens = [kept for kept, _ in printed]
    counted = [float(count_prefill(decoder, kept + TABLE_1_TEXT_TOKENS)) for kept in tokens]
    curves: dict[str, Curve] = {f"{PREFILL_GPU} (paper)": (tokens, [ms for _, ms in printed])}
    curves["operations, counted"] = (tokens, counted)
    for run in runs:
        rows = sorted((row.audio_tokens, row.seconds.median) for row in _stage(run, "prefill"))
        short = [(kept, seconds) for kept, seconds in rows if kept <= most_tokens]
        curves[run.label] = ([kept for kept, _ in short], [seconds for _, seconds in short])
    return curves


def shares(runs: Sequence[Measured]) -> pd.DataFrame:
    """SpeechPrune's own time and its share of the prefill that it leaves, in per cent, a line a rate and run."""
    lines = []
    for run in runs:
        share = share_of_prefill(run)
        for row in sorted(_stage(run, "prune"), key=lambda row: row.rate or 0.0):
            if row.rate in share:
                low, high = (1e3 * edge for edge in row.seconds.spread)
                line = {"machine": run.label, "rate": row.rate, "SpeechPrune (ms)": round(1e3 * row.seconds.median)}
                line |= {"half of the rounds": f"{low:.0f} to {high:.0f}"}
                lines.append(line | {"of the prefill (%)": round(100 * share[row.rate], 2)})
    return pd.DataFrame(lines).set_index(["machine", "rate"])


def scoring_table(run: Measured) -> pd.DataFrame:
    """What all of a question's options cost to score beside one of them, round by round."""
    of_prompt: dict[int, dict[str, Measurement]] = {}
    for row in _stage(run, "score"):
        of_prompt.setdefault(row.audio_tokens, {})[row.method] = row
    lines = [
        {
            "audio tokens": tokens,
            "one option (ms)": round(1e3 * rows[ONE_OPTION].seconds.median),
            "all options (ms)": round(1e3 * rows[ALL_OPTIONS].seconds.median),
            "times one": round(rows[ALL_OPTIONS].seconds.ratio(rows[ONE_OPTION].seconds), 2),
        }
        for tokens, rows in of_prompt.items()
    ]
    return pd.DataFrame(lines).set_index("audio tokens")


def first_use_table(run: Measured) -> pd.DataFrame:
    """What a fresh process takes to load a model, to hear a clip, and to answer about it; and its memory at most."""
    lines = [
        {
            "what": row.stage,
            "method": row.method,
            "audio tokens": row.audio_tokens,
            "s": row.seconds.median,
            "peak GB": None if row.peak_bytes is None else row.peak_bytes / 1e9,
        }
        for stage in ("load", "listen", "answer")
        for row in _stage(run, stage)
    ]
    return pd.DataFrame(lines).set_index(["what", "method"]).round(2)


def rivals_table(run: Measured) -> pd.DataFrame:
    """Every way to choose tokens: milliseconds, memory, and how many times as long as ours, round by round."""
    rows = _stage(run, "select")
    ours = {row.rate: row.seconds for row in rows if row.method == OURS}
    lines = [
        {
            "rate": row.rate,
            "method": row.method,
            "tokens kept": row.kept,
            "ms": round(1e3 * row.seconds.median),
            "times ours": round(row.seconds.ratio(ours[row.rate]), 1),
            "MB above": None if row.peak_bytes is None else round(row.peak_bytes / 1e6),
        }
        for row in rows
    ]
    return pd.DataFrame(lines).set_index(["rate", "method"])


def growth_table(run: Measured) -> pd.DataFrame:
    """Planning time and memory above the embeddings against the length of the audio."""
    lines = [
        {
            "audio tokens": row.audio_tokens,
            "minutes": round(row.audio_tokens / TOKENS_PER_SECOND / 60, 1),
            "method": row.method,
            "ms": round(1e3 * row.seconds.median),
            "ms per 1,000 tokens": round(1e6 * row.seconds.median / row.audio_tokens, 1),
            "MB above": None if row.peak_bytes is None else round(row.peak_bytes / 1e6),
        }
        for row in _stage(run, "prune")
    ]
    return pd.DataFrame(lines).set_index(["method", "audio tokens"]).sort_index()


def floor_table(run: Measured, decoder: DecoderShape) -> pd.DataFrame:
    """Predicted floor of each part, and what phase 1 and the whole were measured to take on the shortest audio."""
    rows = _stage(run, "prune")
    tokens = min(row.audio_tokens for row in rows)
    took = {row.method: 1e3 * row.seconds.median for row in rows if row.audio_tokens == tokens}
    size = number_bytes(run)
    floors = floor_seconds(decoder, tokens, ceilings(run), embedding_bytes=size)
    parts = {name: 1e3 * seconds for name, seconds in floors.items()}
    phase_2 = parts["projections"] + parts["scores"]
    floors = {"phase 1": parts["phase 1"], "phase 2": phase_2, "both": parts["phase 1"] + phase_2}
    times = {"phase 1": took["phase1"], "phase 2": took["speechprune"] - took["phase1"], "both": took["speechprune"]}
    table = pd.DataFrame({"floor (ms)": floors, "measured (ms)": times})
    return table.assign(gap=table["measured (ms)"] / table["floor (ms)"]).round(1)


def memory_table(run: Measured, decoder: DecoderShape) -> pd.DataFrame:
    """MB that a prefill of the layers that were run was counted and measured to hold above their weights."""
    lines = []
    for row in sorted(_stage(run, "prefill"), key=lambda row: row.audio_tokens):
        if row.peak_bytes is not None and row.tokens is not None and row.layers_run is not None:
            cache = count_cache_bytes(decoder, row.tokens) * row.layers_run / decoder.layers
            counted = (count_decoder_activations(decoder, row.tokens) + cache) * number_bytes(run) / HALF_BYTES
            megabytes = {"counted (MB)": round(counted / 1e6), "measured (MB)": round(row.peak_bytes / 1e6)}
            lines.append({"audio tokens": row.audio_tokens} | megabytes)
    return pd.DataFrame(lines).set_index("audio tokens")


def every(runs: Sequence[Measured], table: Callable[[Measured], pd.DataFrame]) -> pd.DataFrame:
    """The same table of every run; headed by its machine where there are several."""
    return table(runs[0]) if len(runs) == 1 else pd.concat({run.label: table(run) for run in runs}, names=["machine"])


def number_bytes(run: Measured) -> int:
    return 4 if run.card.dtype == "float32" else HALF_BYTES


def _stage(run: Measured, stage: str) -> list[Measurement]:
    rows = [row for row in run.rows if row.stage == stage]
    if not rows:
        raise ValueError(f"the run on {run.label} measured no {stage}: see `make bench` for the files that do")
    return rows

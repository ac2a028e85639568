"""Every family with random weights, tried out: does pruning inside it do what it says, and how long does it take?

Two identities need no trained weights. Keeping all audio tokens is the model's ordinary reply, to the last bit. And
dropping some, with the positions of the rest left as they are, is masking them in the whole prompt: up to what the
order of additions changes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import torch
from torch import Tensor

from .files import write_whole
from .models.door import first_attention
from .models.families import FAMILIES, Family, family_of, placeholder_id
from .models.random_shapes import SHAPES, Size
from .models.random_weights import Letters, random_inputs, random_model
from .models.rows import QWEN2_AUDIO, QWEN2_AUDIO_BASE
from .plug_in import prune
from .prompt import Plan
from .provenance import device_name, installed_version, library_commit

STEPS = 4
QUESTION = "Who is it?"
GREEDY: dict[str, Any] = {"do_sample": False, "output_logits": True, "return_dict_in_generate": True}


@dataclass(frozen=True)
class Trial:
    """One family. Differences are the largest between two logits; `largest_logit` is the scale to see them on.

    seconds_whole and seconds_pruned: a prompt and four tokens, the median of three, encoder included; None where times
    would say nothing (tiny models).
    """

    model_class: str
    size: Size
    parameters: int
    audio_tokens: int
    kept: int
    keep_all_difference: float
    masked_difference: float
    largest_logit: float
    phase_2: bool
    seconds_whole: float | None = None
    seconds_pruned: float | None = None


def try_family(
    name: str,
    size: Size = "tiny",
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    windows: int = 1,
    keep_share: float = 0.25,
) -> Trial:
    """Both identities, and for real dimensions the time, on one prompt of `windows` times the family's `seconds`."""
    model = random_model(name, size, device, dtype)
    inputs = random_inputs(name, model, windows=windows)
    tokens = int((inputs["input_ids"] == placeholder_id(model, family_of(model))).sum())
    kept = max(1, round(tokens * keep_share))
    ordinary = _reply(model, inputs)
    with prune(model, Letters(), QUESTION, rate=0.0, method="everything"):
        everything = _reply(model, inputs)
    with prune(model, Letters(), QUESTION, keep=kept) as pruning:
        pruned = _reply(model, inputs)
    masked = masked_logits(model, inputs, pruned.sequences, pruning.plans)
    times = (
        (None, None) if size == "tiny" else (_median(lambda: _reply(model, inputs)), _pruned_time(model, inputs, kept))
    )
    return Trial(
        model_class=name,
        size=size,
        parameters=sum(weight.numel() for weight in model.parameters()),
        audio_tokens=tokens,
        kept=kept,
        keep_all_difference=largest_difference(ordinary.logits, everything.logits),
        masked_difference=largest_difference(masked, pruned.logits),
        largest_logit=float(max(step.abs().max() for step in ordinary.logits)),
        phase_2=first_attention(model.get_decoder()).query_heads > 0,
        seconds_whole=times[0],
        seconds_pruned=times[1],
    )


def masked_logits(model: Any, inputs: dict[str, Tensor], sequences: Tensor, plans: Sequence[Plan]) -> list[Tensor]:
    """Logits of the last steps of a reply by one pass: nothing cut, the dropped tokens masked, no cache.

    sequences: prompt and reply. The mask is put in at the decoder's door, so that encoder and positions stay as ever.
    """
    ids, placeholder = sequences[:, :-1], placeholder_id(model, family_of(model))
    attended = torch.ones_like(ids)
    attended[:, : inputs["attention_mask"].shape[1]] = inputs["attention_mask"]
    mask = attended.clone()
    for row, plan in enumerate(plans):
        places = (ids[row] == placeholder).nonzero()[:, 0]
        mask[row, places] = 0
        mask[row, places[plan.keep.to(places.device)]] = 1

    def hide(_module: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return args, kwargs | {"attention_mask": mask}

    hook = model.get_decoder().register_forward_pre_hook(hide, with_kwargs=True)
    try:
        with torch.no_grad():
            whole = inputs | {"input_ids": ids, "attention_mask": attended}
            logits = model(**whole, use_cache=False).logits[:, -STEPS:]
    finally:
        hook.remove()
    return list(logits.unbind(1))


def largest_difference(left: Iterable[Tensor], right: Iterable[Tensor]) -> float:
    return max(float((a.float() - b.float()).abs().max()) for a, b in zip(left, right, strict=True))


def write_trials(trials: Sequence[Trial], path: Path, device: str, dtype: torch.dtype) -> None:
    """One JSON file: a card (commit, versions, device, seed), then the trials."""
    card = {
        "commit": library_commit(),
        "device": device_name(device),
        "dtype": str(dtype).removeprefix("torch."),
        "seed": 0,
        "versions": {name: installed_version(name) for name in ("torch", "transformers")},
    }
    write_whole(path, json.dumps({"card": card, "trials": [asdict(trial) for trial in trials]}, indent=1) + "\n")


def models_table(results: Path) -> pd.DataFrame:
    """What is known of every family: from its row, from the trials in `results`, and from the answers there.

    `models_tiny.json` and `models_real.json` are what `speechprune trial` wrote; where a file or a family in it is
    missing, the table says "not run yet". The checkpoint counts as tested if `results` holds answers of it.
    """
    tiny, real = (_read_trials(results / f"models_{size}.json") for size in get_args(Size))
    answered = {json.loads(card.read_text("utf8"))["model"] for card in results.glob("*.card.json")}
    tested = {row.hub_id for row in (QWEN2_AUDIO, QWEN2_AUDIO_BASE) if row.name in answered}
    lines = [
        _line(family, tiny.get(name), real.get(name), family.checkpoint in tested) for name, family in FAMILIES.items()
    ]
    return pd.DataFrame(lines).set_index("model")


NOT_RUN = "not run yet"


def _line(family: Family, tiny: Trial | None, real: Trial | None, tested: bool) -> dict[str, Any]:
    times = None if real is None else (real.seconds_whole, real.seconds_pruned)
    return {
        "model": family.checkpoint or family.model_class,
        "tokens/s": f"{family.tokens_per_second:g}",
        "audio over 30 s": family.long_audio,
        "all kept, largest difference": NOT_RUN if tiny is None else f"{tiny.keep_all_difference:.0f}",
        "pruned against masked": NOT_RUN if tiny is None else f"{tiny.masked_difference:.0e}",
        "phase 2": NOT_RUN if tiny is None else ("yes" if tiny.phase_2 else "no"),
        "whole and pruned on a GPU (s)": NOT_RUN if times is None else f"{times[0]:.2f}, {times[1]:.2f}",
        "checkpoint tested": "yes" if tested else "no",
    }


def _read_trials(path: Path) -> dict[str, Trial]:
    if not path.is_file():
        return {}
    return {row["model_class"]: Trial(**row) for row in json.loads(path.read_text("utf8"))["trials"]}


def can_be_tried(size: Size) -> list[str]:
    """The families whose dimensions of that size are known."""
    return [name for name in FAMILIES if name in SHAPES and (size == "tiny" or SHAPES[name].real is not None)]


def _reply(model: Any, inputs: dict[str, Tensor]) -> Any:
    return model.generate(**inputs, max_new_tokens=STEPS, min_new_tokens=STEPS, **GREEDY)


def _pruned_time(model: Any, inputs: dict[str, Tensor], kept: int) -> float:
    with prune(model, Letters(), QUESTION, keep=kept):
        return _median(lambda: _reply(model, inputs))


def _median(work: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the middle one of some runs, behind one that warms up; a GPU has finished before the clock is read."""
    taken: list[float] = []
    for _ in range(repeats + 1):
        _finish()
        start = time.perf_counter()
        work()
        _finish()
        taken.append(time.perf_counter() - start)
    return round(sorted(taken[1:])[repeats // 2], 4)


def _finish() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

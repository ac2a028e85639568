"""The paper's experiments, and what it leaves open, as one grid each: for any model and benchmark."""

# pandas declares unions that no use of a table narrows.
# pyright: reportReturnType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from ..answers import as_text
from ..conditions import NO_AUDIO, TRANSCRIPT, Condition, conditions
from ..paper import FIGURE_3_RATES, TABLE_1_RATES

SEEDS = (0, 1, 2, 3, 4)
"""Of the methods that draw at random. The paper reports one draw, and no interval."""


@dataclass(frozen=True)
class Preset:
    """One experiment. hard: its numbers are those on the questions that "original" gets wrong (see `summary.hard`).

    rates_of: other rates for some models. split: where it is run unless one says otherwise.
    """

    title: str
    methods: tuple[str, ...]
    rates: tuple[float, ...]
    rates_of: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    split: str = "test"
    hard: bool = False

    def grid(self, model: str, seeds: Sequence[int] = SEEDS) -> list[Condition]:
        """The conditions for a model of that name."""
        return conditions(self.methods, self.rates_of.get(model, self.rates), seeds)

    def rows(self, rows: pd.DataFrame, model: str) -> pd.DataFrame:
        """Those rows (as of `read_rows`) that are answers to this experiment, under any seed; a file may hold several."""
        wanted = {(one.method, as_text(one.options), one.rate) for one in self.grid(model)}
        rates = [None if pd.isna(rate) else float(rate) for rate in rows["rate"]]
        asked = zip(rows["method"], rows["options"], rates, strict=True)
        return rows[[key in wanted for key in asked]].reset_index(drop=True)


ABLATIONS: Mapping[str, tuple[str, ...]] = {
    "as the paper has it": ("speechprune", "phase1", "phase2"),
    "baselines": ("rap", "rac", "uniform"),
    "budget": ("speechprune:budget_rule=literal", "speechprune:last_frame=literal"),
    "frame length": tuple(f"speechprune:frame_seconds={seconds}" for seconds in (0.25, 0.5, 2.0, 4.0)),
    "temperature": tuple(f"speechprune:temperature={value}" for value in (10.0, 0.3, 0.1)),
    "whole seconds": ("speechprune:temperature=1e-06", "phase1:temperature=1e-06"),
    "nearest words": ("speechprune:match=max", "speechprune:match=top3", "phase1:match=max"),
    "centred": ("speechprune:centre=audio", "speechprune:centre=both", "phase1:centre=both"),
    "what is compared": ("speechprune:text=content", "speechprune:text=options"),
    "repeated frames": ("speechprune:repeats=once", "phase1:repeats=once"),
    "attention": ("speechprune:scale=xnor", "speechprune:attention=true", "phase2:scale=xnor", "phase2:attention=true"),
    "heads": ("speechprune:heads=one",),
    "binarization": ("speechprune:binarize=raw",),
    "positions": ("speechprune:positions=renumbered", "rap:positions=renumbered"),
}
"""What the paper leaves open or fixes without a reason -> methods that differ in it, one thing at a time."""

CONTEXT = (NO_AUDIO, TRANSCRIPT, "everything", "original")

PRESETS: Mapping[str, Preset] = {
    "table1": Preset(
        "Table I: Original, RAP, RAC and SpeechPrune by rate",
        (*CONTEXT, "rap", "rac", "speechprune"),
        TABLE_1_RATES,
    ),
    "fig3": Preset(
        "Fig. 3: each phase alone, both, and all of the audio by rate",
        ("original", "everything", "phase1", "phase2", "speechprune"),
        FIGURE_3_RATES,
        hard=True,
    ),
    "table2": Preset(
        "Table II: a model as it comes, and with SpeechPrune",
        ("original", "speechprune"),
        (0.2,),
        rates_of={"diva": (0.15,)},
    ),
    "chosen": Preset(
        "What the development split chose among the ablations, on the test split",
        ("phase1:match=max",),  # of the method's variants the one with most right answers there, over both rates
        TABLE_1_RATES,
    ),
    "open": Preset(
        "Questions without options, answered freely",
        (*CONTEXT, "rap", "speechprune", "speechprune:match=max"),
        (0.2,),
        split="open",
    ),
    "long": Preset(
        "Recordings of minutes",
        (*CONTEXT, "speechprune"),
        (0.2,),
        split="long",
    ),
    "adapters": Preset(
        "What another adapter of the same model makes of pruned audio",
        (*CONTEXT, "speechprune", "phase1", "phase2", "phase1:match=max", "rap", "rac"),
        (0.2, 0.8),
    ),
    "ablations": Preset(
        "What matters, by how much",
        (*CONTEXT, *(method for methods in ABLATIONS.values() for method in methods)),
        (0.2, 0.6),
        split="dev",
    ),
}


def preset(name: str) -> Preset:
    """Raises ValueError for a name that is not in `PRESETS`."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]

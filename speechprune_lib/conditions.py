"""The conditions of an evaluation: a pruning method at a rate with a seed, or the question without its audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from .answers import row_key
from .prompt import WINDOW_TOKENS, Plan, SpeechPrompt, kept_count
from .pruners import METHODS, Pruner, method_options, parse_method

NO_AUDIO, TRANSCRIPT = "no-audio", "transcript"
WITHOUT_AUDIO = (NO_AUDIO, TRANSCRIPT)

ORDER = (NO_AUDIO, *METHODS, TRANSCRIPT)
"""Of the methods in every table."""


@dataclass(frozen=True)
class Condition:
    """One way to ask every example; no pruner: the question without audio that `method` names."""

    method: str
    pruner: Pruner | None = None
    rate: float | None = None
    seed: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The pruner's options that differ from its method's defaults."""
        if self.pruner is None:
            return {}
        defaults = method_options(self.method)
        return {name: value for name, value in _flat(self.pruner).items() if value != defaults[name]}

    def plan(self, prompt: SpeechPrompt) -> Plan:
        if self.pruner is None:
            raise ValueError(f"{self.method!r} prunes nothing: it has no audio")
        return self.pruner.plan(prompt, self.rate or 0.0, self.seed or 0)

    def key(self, example: str, scoring: str) -> str:
        return row_key(example, self.method, self.options, self.rate, self.seed, scoring)


def label(method: str, options: dict[str, Any]) -> str:
    """A method's name and the options that differ from its defaults, as `parse_method` reads them."""
    return ":".join([method, *(f"{name}={value}" for name, value in options.items())])


def conditions(
    methods: Sequence[str | Pruner | Condition], rates: Sequence[float], seeds: Sequence[int]
) -> list[Condition]:
    """The grid, each condition once; one that is given whole is taken as it is.

    Raises ValueError for an unknown method and for rates or seeds that it lacks.
    """
    for rate in rates:
        kept_count(WINDOW_TOKENS, rate)  # refuses a bad rate now, and not after an hour of answers
    grid: dict[str, Condition] = {}
    for method in methods:
        for condition in _of_method(method, rates, seeds):
            grid.setdefault(condition.key("", ""), condition)
    if not grid:
        raise ValueError("got no methods, expected names such as 'everything' or 'speechprune'")
    return list(grid.values())


def _of_method(method: str | Pruner | Condition, rates: Sequence[float], seeds: Sequence[int]) -> Iterator[Condition]:
    if isinstance(method, Condition):
        yield method
        return
    if isinstance(method, str) and method in WITHOUT_AUDIO:
        yield Condition(method)
        return
    pruner = _named(method) if isinstance(method, str) else method
    for what, needed, given in (("rates", pruner.uses_rate, rates), ("seeds", pruner.uses_seed, seeds)):
        if needed and not given:
            raise ValueError(f"method {pruner.name!r} needs {what}, got none: pass {what}=, such as {what}=[0]")
    for rate in rates if pruner.uses_rate else [None]:
        for seed in seeds if pruner.uses_seed else [None]:
            yield Condition(pruner.name, pruner, rate, seed)


def _flat(pruner: Any) -> dict[str, Any]:
    """The options of a pruner and of the phases it holds, by the names that `get_method` takes."""
    flat: dict[str, Any] = {}
    for field in fields(pruner):
        value = getattr(pruner, field.name)
        flat |= _flat(value) if is_dataclass(value) else {field.name: value}
    return flat


def _named(method: str) -> Pruner:
    if method.partition(":")[0] not in METHODS:
        raise ValueError(f"there is no method {method!r}; there are {', '.join(ORDER)}")
    return parse_method(method)

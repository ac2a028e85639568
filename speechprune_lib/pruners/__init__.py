"""The pruning methods by name.

Adding one: its class in a file here, its row in `METHODS`, its line in the book. Tests run over the table.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from .base import Pruner
from .baselines import Everything, Original, RandomCrop, RandomTokens, UniformStride
from .speechprune import AttentionOnly, SimilarityOnly, SpeechPrune

METHODS: dict[str, type[Pruner]] = {
    method.name: method
    for method in (
        Original,
        Everything,
        RandomTokens,
        RandomCrop,
        UniformStride,
        SpeechPrune,
        SimilarityOnly,
        AttentionOnly,
    )
}


def get_method(name: str, **options: Any) -> Pruner:
    """The method of that name; fields of the phases it holds are given flat, as in `temperature=0.1`.

    Raises ValueError for an unknown name or value, TypeError for an option that the method does not have.
    """
    valid = method_options(name)
    unknown = sorted(options.keys() - valid.keys())
    if unknown:
        raise TypeError(f"method {name!r} has no option {', '.join(unknown)}; it has {', '.join(valid)}")
    phases = {key: phase(**_take(options, phase)) for key, phase in _phases(name).items()}
    return METHODS[name](**phases, **options)


def parse_method(text: str) -> Pruner:
    """A method as one writes it in a command: "rap", "speechprune:temperature=0.1", "phase2:scale=xnor:heads=one".

    Raises ValueError for what `get_method` refuses, and for an option without "=".
    """
    name, *pairs = (part.strip() for part in text.split(":"))
    valid, options = method_options(name), {}
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not equals or option not in valid:
            raise ValueError(f"{text!r} has {pair!r}, expected option=value with one of {', '.join(valid)}")
        options[option] = _like(valid[option], value)
    return get_method(name, **options)


def _like(default: Any, value: str) -> Any:
    """The value as the type of the option's default."""
    try:
        return type(default)(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no {type(default).__name__}, such as {default!r}") from error


def method_options(name: str) -> dict[str, Any]:
    """The options that `get_method` takes for that method, with their default values."""
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    phases = _phases(name)
    own = {field.name: field.default for field in fields(METHODS[name]) if field.name not in phases}
    return own | {field.name: field.default for phase in phases.values() for field in fields(phase)}


def _phases(name: str) -> dict[str, Any]:
    """The classes of the phases that a method holds: those of its fields that are made by a dataclass."""
    return {field.name: field.default_factory for field in fields(METHODS[name]) if is_dataclass(field.default_factory)}


def _take(options: dict[str, Any], phase: Any) -> dict[str, Any]:
    """The phase's own options, taken out of all of them."""
    return {field.name: options.pop(field.name) for field in fields(phase) if field.name in options}


__all__ = ["METHODS", "Pruner", "SpeechPrune", "get_method", "method_options", "parse_method"]

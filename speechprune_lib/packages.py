"""Packages of the extras, which only some uses need: imported when used, and named when missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str, purpose: str, extra: str) -> Any:
    """The module. Raises ModuleNotFoundError that says what it is needed for, and which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{module} cannot be imported ({error}), and {purpose} needs it: pip install 'speechprune-lib[{extra}]'"
        ) from error

"""Packages of the extra `quality`, which only measuring needs: imported when used, and named when missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str) -> Any:
    """The module. Raises ModuleNotFoundError that names the way out."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{module} cannot be imported ({error}): pip install 'speechprune-lib[synthesis]'"
        ) from error

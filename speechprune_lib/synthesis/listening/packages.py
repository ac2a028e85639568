"""Packages of the extra `synthesis`, which only measuring needs: imported when used, and named when missing."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def needed(module: str) -> Any:
    """The module. Raises ModuleNotFoundError that names the way out."""
    try:
        with warnings.catch_warnings():  # in a notebook, what they import wants a progress bar of widgets
            warnings.filterwarnings("ignore", message="IProgress not found")
            return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{module} cannot be imported ({error}): pip install 'speechprune-lib[synthesis]'"
        ) from error

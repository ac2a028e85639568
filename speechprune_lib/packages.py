"""Packages of the extras, which only some uses need: imported when used, and named when missing."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

with warnings.catch_warnings():  # transformers and pooch import it too; without ipywidgets it complains in a notebook
    warnings.filterwarnings("ignore", message="IProgress not found")
    import tqdm.auto  # noqa: F401  # pyright: ignore[reportUnusedImport]


def needed(module: str, purpose: str, extra: str) -> Any:
    """The module. Raises ModuleNotFoundError that says what it is needed for, and which extra brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(
            f"{module} cannot be imported ({error}), and {purpose} needs it: pip install 'speechprune-lib[{extra}]'"
        ) from error

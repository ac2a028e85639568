"""Examples x conditions -> answers on disk, by one process or many; a rerun computes only what is missing."""

from __future__ import annotations

from .driver import evaluate, open_store, sweep
from .engines import Engine, SerialEngine

__all__ = ["Engine", "SerialEngine", "evaluate", "open_store", "sweep"]

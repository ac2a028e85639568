"""Speech engines by name: a module each, with one verb, `say(text, voice, stretch)` -> `Speech`.

Adding one: its module here, its row in `ENGINES`. The offline ones repeat their bytes, so that a benchmark can be
built again; none is imported before it is asked to speak.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from ..speech import Speech

Say = Callable[[str, str, float], Speech]

ENGINES = ("espeak", "festival", "flite", "piper", "styletts2")


def engine(name: str) -> Say:
    """The engine's verb. Raises ValueError for an unknown name, and what the engine raises if it is not installed."""
    if name not in ENGINES:
        raise ValueError(f"there is no speech engine {name!r}; there are {', '.join(ENGINES)}")
    return import_module(f"{__name__}.{name}").say


__all__ = ["ENGINES", "engine"]

"""Items written by hand: JSON lines in a file or a folder, taken as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..scripts import Script, ScriptError, read_scripts


def hand_written(source: Path) -> Iterator[Script]:
    """The items of a .jsonl file, or of all in a folder by name.

    Raises FileNotFoundError, and ScriptError naming file and line, also for an id that two files share.
    """
    paths = sorted(source.glob("*.jsonl")) if source.is_dir() else [source]
    if not paths:
        raise FileNotFoundError(f"no *.jsonl with written items in {source}: check the folder")
    file_of: dict[str, Path] = {}
    for path in paths:
        for script in read_scripts(path):
            first = file_of.setdefault(script.metadata.id, path)
            if first != path:
                raise ScriptError(f"{path}: id {script.metadata.id!r} is already in {first.name}: make ids unique")
            yield script

"""The table of contents: which notebooks there are, in reading order, and which of them were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def pages_in_order(root: Path = ROOT) -> list[str]:
    """Every page of the toc, without its ending, in reading order; the root page is the first."""
    return list(_files(yaml.safe_load((root / "_toc.yml").read_text("utf8"))))


def notebooks_in_order(root: Path = ROOT) -> list[str]:
    """Paths of the toc's notebooks from `root` on, in reading order. Raises FileNotFoundError for one not there."""
    notebooks = [f"{page}.ipynb" for page in pages_in_order(root) if page.startswith("notebooks/")]
    for name in notebooks:
        if not (root / name).is_file():
            raise FileNotFoundError(f"_toc.yml lists {name}, which is not in {root}: add it or take the line out")
    return notebooks


def selected(notebooks: Sequence[str], only: Sequence[str]) -> list[str]:
    """Those that `only` names by number ("03"), name or path; all of them if it names none.

    Raises ValueError for a name that is none of them.
    """
    chosen: set[str] = set()
    for word in only:
        matches = [path for path in notebooks if word in _names(path)]
        if not matches:
            known = ", ".join(Path(path).stem for path in notebooks)
            raise ValueError(f"there is no notebook {word!r}, expected a number or a name of {known}")
        chosen.update(matches)
    return [path for path in notebooks if path in chosen or not only]


def _names(path: str) -> set[str]:
    stem = Path(path).stem
    number = stem.partition("_")[0]
    return {path, stem, number, number.lstrip("0")}


def _files(node: Any) -> Iterator[str]:
    """The root and every `file:` of a toc, in reading order."""
    if isinstance(node, Mapping):
        yield from (node[key] for key in ("root", "file") if key in node)
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _files(child)

"""The layer table of book/architecture.md is the law: imports only point down, and parts do not know each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "speechprune_lib"
PARTS = 1
"""The layer whose rooms never import each other; on other layers a room may use a neighbour."""


def layers() -> dict[str, int]:
    """Layer of each room (a folder, or a file without `.py`), as the table states them."""
    rooms: dict[str, int] = {}
    for line in (ROOT / "book" / "architecture.md").read_text("utf8").splitlines():
        row = re.match(r"\|\s*(\d)[^|]*\|([^|]*)\|", line)
        if row:
            rooms |= {name.rstrip("/").removesuffix(".py"): int(row[1]) for name in re.findall(r"`([^`]+)`", row[2])}
    return rooms


def files() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def room(file: Path) -> str:
    return file.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported_rooms(source: str, file: Path) -> Iterator[str]:
    """Rooms of the library that a file imports, wherever in the file (functions and TYPE_CHECKING blocks too)."""
    package = ("speechprune_lib", *file.relative_to(LIBRARY).parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            modules = [f"{module}.{alias.name}" for alias in node.names] if module == "speechprune_lib" else [module]
        else:
            continue
        for parts in (module.split(".") for module in modules):
            if parts[0] == "speechprune_lib":
                name = parts[1] if len(parts) > 1 else "__init__"
                yield name if (LIBRARY / name).is_dir() or (LIBRARY / f"{name}.py").is_file() else "__init__"


def test_the_table_lists_every_room_and_no_other() -> None:
    assert set(layers()) == {room(file) for file in files()}


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(LIBRARY)))
def test_imports_point_down(file: Path) -> None:
    layer, here = layers(), room(file)
    for there in set(imported_rooms(file.read_text("utf8"), file)) - {here}:
        assert there != "training", f"{here} imports training, which nothing may"
        assert layer[there] <= layer[here], (
            f"{here} (layer {layer[here]}) imports {there} (layer {layer[there]}), above it"
        )
        assert not layer[there] == layer[here] == PARTS, f"{here} imports {there}, beside it"


def test_rooms_do_not_import_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for file in files():
        graph.setdefault(room(file), set()).update(set(imported_rooms(file.read_text("utf8"), file)) - {room(file)})
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ("import torch", []),
        ("from speechprune_lib.models.base import SpeechModel", ["models"]),
        ("import speechprune_lib.audio as sound", ["audio"]),
        ("from ..audio import load", ["audio"]),
        ("from .. import prompt", ["prompt"]),
        ("from .base import Pruner", ["pruners"]),
        ("from . import base", ["pruners"]),
        ("from speechprune_lib import Plan", ["__init__"]),
        ("def f():\n    from ..evaluation import evaluate", ["evaluation"]),
        ("if TYPE_CHECKING:\n    from ..cli import app", ["cli"]),
    ],
)
def test_every_way_to_import_is_seen(source: str, rooms: list[str]) -> None:
    assert list(imported_rooms(source, LIBRARY / "pruners" / "speechprune.py")) == rooms

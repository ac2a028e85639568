"""Figures and players of chapters, shown on other pages as the chapter computed them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode
from sphinx.application import Sphinx

from speechprune_lib.files import write_whole

from . import executed

IMAGES = Path("_build/excerpts")


def figure(app: Sphinx, words: str) -> str:
    """`NOTEBOOK FIGURE`: the figure of that name (a cell's `mystnb.figure.name`), with its caption and alt text."""
    notebook, name = words.split()
    for cell in _code_cells(app, notebook):
        shown = cell.metadata.get("mystnb", {})
        if shown.get("figure", {}).get("name") == name:
            image = next(output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {}))
            write_whole(Path(app.srcdir) / IMAGES / f"{name}.png", base64.b64decode(image))
            origin = f"From {{doc}}`../notebooks/{notebook}`, {{numref}}`{name}`."
            options = f":alt: {shown['image']['alt']}\n:width: 100%"
            return f"```{{figure}} /{IMAGES}/{name}.png\n{options}\n\n{shown['figure']['caption']} {origin}\n```"
    raise ValueError(f"{notebook} has no figure {name!r}: run it, or name another")


def player(app: Sphinx, words: str) -> str:
    """`NOTEBOOK LABEL`: the players (one, or a pair) of the cell of which the first is labelled so."""
    notebook, _, label = words.partition(" ")
    for cell in _code_cells(app, notebook):
        for output in cell.outputs:
            page = "".join(output.get("data", {}).get("text/html", ""))
            if "<audio" in page and f'aria-label="{label}"' in page:
                return f"```{{raw}} html\n{page}\n```"
    raise ValueError(f"{notebook} has no player {label!r}: run it, or name another")


def _code_cells(app: Sphinx, notebook: str) -> Iterator[NotebookNode]:
    return (cell for cell in executed.shown(app, f"notebooks/{notebook}").cells if cell.cell_type == "code")

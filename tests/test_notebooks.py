"""A notebook is a caption to the library: thin, executed from top to bottom, with a text for every picture."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from speechprune_lib.book.toc import notebooks_in_order

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES, MOST_LINES_IN_A_CELL = 60, 15
SHORTEST_ALT = 20
"""Characters; "a plot" tells a listener nothing."""
LARGEST_CELL = 1_500_000
"""Characters of one cell with its outputs, so that pages load on a phone; a minute of speech as MP3 takes 330,000."""


def named_in_the_toc() -> list[str]:
    return notebooks_in_order(ROOT)


@pytest.fixture(params=named_in_the_toc(), scope="module")
def notebook(request: pytest.FixtureRequest) -> NotebookNode:
    return nbformat.read(ROOT / request.param, 4)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines(cell: NotebookNode) -> int:
    """Lines of code: neither blank nor comment."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in cell.source.splitlines())


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def images(cell: NotebookNode) -> list[str]:
    kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
    return [kind for kind in kinds if kind.startswith("image/")]


def test_the_toc_names_every_notebook() -> None:
    assert sorted(named_in_the_toc()) == sorted(
        f"notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")
    )


def test_it_is_valid(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)


def test_it_is_thin(notebook: NotebookNode) -> None:
    """The set-up cell, the same everywhere and hidden, does not count towards the whole."""
    sizes = [lines(cell) for cell in code(notebook)]
    assert max(sizes) <= MOST_LINES_IN_A_CELL
    assert sum(sizes[1:]) <= MOST_LINES
    for cell in code(notebook):
        assert not re.search(r"^\s*(async )?(def|class) ", cell.source, re.MULTILINE), "logic belongs into the library"


def test_it_begins_with_the_common_setup_cell(notebook: NotebookNode) -> None:
    first = code(notebook)[0]
    assert first.source == (ROOT / "book" / "setup_cell.txt").read_text("utf8").rstrip("\n")
    assert "remove-cell" in first.metadata.get("tags", [])


def test_one_cell_holds_the_parameters(notebook: NotebookNode) -> None:
    (cell,) = tagged(notebook, "parameters")
    assert re.search(r'^profile = "auto"', cell.source, re.MULTILINE)


def test_it_was_executed_in_order_without_errors(notebook: NotebookNode) -> None:
    """Strict nbval compares only cells that carry an execution count."""
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    outputs = [output for cell in code(notebook) for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"], "warnings differ between machines"


def test_its_metadata_tell_nothing_of_the_run(notebook: NotebookNode) -> None:
    assert not {"papermill", "speechprune"} & set(notebook.metadata)
    for cell in notebook.cells:
        assert not {"papermill", "execution"} & set(cell.metadata)
        assert "injected-parameters" not in cell.metadata.get("tags", [])


def test_every_picture_has_a_text(notebook: NotebookNode) -> None:
    for cell in filter(images, code(notebook)):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert len(alt) >= SHORTEST_ALT, f"no alt text for the picture of: {cell.source[:80]}"


def test_every_player_has_a_label(notebook: NotebookNode) -> None:
    for cell in code(notebook):
        page = "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell.outputs)
        players = re.findall(r"<audio[^>]*?(?=src=|>)", page)
        assert all("aria-label" in player for player in players), f"a player without label: {cell.source[:80]}"


def test_its_outputs_are_small(notebook: NotebookNode) -> None:
    for cell in code(notebook):
        assert len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))) <= LARGEST_CELL


def test_it_argues_as_every_chapter_does(notebook: NotebookNode) -> None:
    """A question, an equation with its number in the paper, a figure or table, an exercise, and what is not shown."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    whole = "\n".join(prose)
    assert re.search(r"\*\*[^*]+\?\*\*", prose[0]), "the first cell asks no question in bold"
    assert re.search(r"\(eq-[\w-]+\)", whole), "no equation has a label"
    assert "{term}`" in whole, "no word leads to the glossary"
    assert "paper" in whole
    for needed in ("Exercise", "Solution", "What this does not show"):
        assert needed in whole, f"it has no {needed!r}"
    assert re.search(r"{dropdown} Solution|Solution\n:class: dropdown", whole), "the solution is not folded away"

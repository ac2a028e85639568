"""A project with one notebook, built with this project's own configuration and extension."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from speechprune_lib.book import outputs
from speechprune_lib.book.running import run_notebooks

ROOT = Path(__file__).resolve().parents[2]
TOY = "notebooks/01_toy.ipynb"
PARTS = ("_ext", "_static", "references.bib", "setup_cell.txt")
SETUP = (ROOT / "book" / "setup_cell.txt").read_text("utf8").rstrip("\n")
INTRO = "# A toy\n\nAs in {cite:p}`lin2025speechprune`: {doc}`../notebooks/01_toy`\n"
STATUS = "# Status\n\n% here: runs\n\n% here: parameters\n"
REFERENCES = "# References\n\n```{bibliography}\n:all:\n```\n"
TOC = """
format: jb-book
root: book/intro
parts:
  - caption: One
    numbered: true
    chapters:
      - file: notebooks/01_toy
      - file: book/status
      - file: book/references
"""


def make_toy(root: Path) -> Path:
    """A project with one notebook that has never been run."""
    for name in ("_config.yml", "pyproject.toml", "CITATION.cff", *(f"book/{part}" for part in PARTS)):
        (root / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    (root / "_toc.yml").write_text(TOC)
    for name, text in (("intro", INTRO), ("status", STATUS), ("references", REFERENCES)):
        (root / "book" / f"{name}.md").write_text(text)
    for folder in ("notebooks", "data"):
        (root / folder).mkdir()
    write(root, new_code_cell("2 + height"))
    return root


def write(root: Path, *more: nbformat.NotebookNode) -> None:
    cells = [
        new_markdown_cell("# Toys\n\n$$ a^2 = b $$ (eq-toy)\n\nSee {eq}`eq-toy`.", id="title"),
        new_code_cell(SETUP, id="setup", metadata={"tags": ["remove-cell"]}),
        new_code_cell(
            'profile = "auto"  # which model\nheight = 40', id="parameters", metadata={"tags": ["parameters"]}
        ),
        new_code_cell('print("profile", profile)', id="print"),
    ]
    for number, cell in enumerate(more):
        cell["id"] = f"more-{number}"
    nbformat.write(new_notebook(cells=[*cells, *more], metadata={"kernelspec": outputs.KERNEL}), root / TOY)


def executed(root: Path) -> nbformat.NotebookNode:
    return nbformat.read(root / outputs.EXECUTED / TOY, 4)


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["text"] if output.output_type == "stream" else output["data"]["text/plain"] for output in shown]


def page(root: Path, name: str) -> str:
    return (root / "_build" / "html" / f"{name}.html").read_text("utf8")


def states(root: Path, **options: object) -> list[str]:
    return [outcome.state for outcome in run_notebooks(root, jobs=1, **options)]  # type: ignore[arg-type]

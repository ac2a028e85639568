"""How a page was made: from the record of its run, the cards of the answers that it reads, and git."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import papermill
from nbformat import NotebookNode, writes
from nbformat.v4 import new_markdown_cell
from sphinx.application import Sphinx

from speechprune_lib.book.outputs import RECORD
from speechprune_lib.book.toc import notebooks_in_order

from . import executed

READ = re.compile(r"data/results[^\"'\s)]*")
"""A path of committed answers or measurements in a cell; f-strings' braces become stars."""


def with_origin(notebook: NotebookNode, app: Sphinx, page: str) -> str:
    """The notebook with one more cell, which tells how its page was made."""
    cell = new_markdown_cell(_origin(app, page, notebook), id="how-this-page-was-made")
    notebook.cells.append(cell)
    return writes(notebook)


def runs_table(app: Sphinx, words: str) -> str:
    """One row a notebook, in reading order."""
    head = [
        "| notebook | run (UTC) | seconds | library | device and versions | parameters |",
        "|---|---|--:|---|---|---|",
    ]
    rows: list[str] = []
    for notebook in notebooks_in_order(Path(app.srcdir)):
        page = notebook.removesuffix(".ipynb")
        cells = _run_cells(executed.shown(app, page))
        rows.append(f"| [{Path(page).name}](../{notebook}) | {' | '.join(cells or _stored_cells(app, notebook))} |")
    return "\n".join([*head, *rows])


def parameters_table(app: Sphinx, words: str) -> str:
    """One row for every parameter of every notebook, as papermill reads them."""
    rows = ["| notebook | parameter | default | what it is |", "|---|---|---|---|"]
    for notebook in notebooks_in_order(Path(app.srcdir)):
        for one in papermill.inspect_notebook(Path(app.srcdir) / notebook).values():
            rows.append(f"| {Path(notebook).stem} | `{one['name']}` | `{one['default']}` | {one['help']} |")
    return "\n".join(rows)


def _run_cells(notebook: NotebookNode) -> list[str]:
    record = notebook.metadata.get(RECORD)
    if record is None:
        return []
    parameters = ", ".join(f"`{name}={value}`" for name, value in record["parameters"].items()) or "defaults"
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return [
        record["ended"],
        f"{record['seconds']}",
        _short(record["commit"]),
        f"{record['device']}; {versions}",
        parameters,
    ]


def _stored_cells(app: Sphinx, notebook: str) -> list[str]:
    return [f"outputs as stored{_last_commit(app, notebook)}", "", "", "", "defaults"]


def _origin(app: Sphinx, page: str, notebook: NotebookNode) -> str:
    lines = [_run_in_words(app, page, _run_cells(notebook))]
    if executed.failed_copy_of(app, page).is_file():
        lines.append("**A later run did not reach its end**; this is the last page that did.")
    cards = list(_cards(app, notebook))
    if cards:
        head = [
            "| answers and measurements read here | made (UTC) | library | model | device |",
            "|---|---|---|---|---|",
        ]
        lines.append("\n".join([*head, *(_card_row(name, card) for name, card in cards)]))
    lines.append("All pages: {doc}`../book/status`.")
    return "\n\n".join(["````{admonition} How this page was made\n:class: dropdown", *lines]) + "\n````"


def _run_in_words(app: Sphinx, page: str, cells: list[str]) -> str:
    if not cells:
        stored = _last_commit(app, f"{page}.ipynb")
        return f"The outputs are those that the repository stores{stored}; tests compare them with a fresh run."
    ended, seconds, commit, where, parameters = cells
    run = f"Executed from the first cell to the last by papermill on {ended} UTC, in {seconds} s, with {parameters}"
    return f"{run} for its parameters. Library: commit {commit}. Machine: {where}."


def _cards(app: Sphinx, notebook: NotebookNode) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, run card) of everything that the notebook's cells name."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    top = Path(app.srcdir)
    named = {re.sub(r"\{[^}]*\}", "*", path) for path in READ.findall(code)}
    files = {file for path in named for found in top.glob(path.rstrip("/")) for file in _files(found)}
    for file in sorted(files):
        card = _card(file)
        if card:
            yield file.relative_to(top / "data" / "results").as_posix(), card


def _files(found: Path) -> list[Path]:
    return sorted(found.glob("*.json")) if found.is_dir() else [found]


def _card(file: Path) -> dict[str, Any] | None:
    """The card beside a file of answers, or in a file of measurements; None for a file without one."""
    beside = file.with_name(f"{file.stem}.card.json")
    if beside.is_file():
        return json.loads(beside.read_text("utf8"))
    first = file.read_text("utf8").splitlines()[0] if file.suffix == ".jsonl" else file.read_text("utf8")
    return json.loads(first).get("card")


def _card_row(name: str, card: dict[str, Any]) -> str:
    """A card may tell less than a run's: a trial of random weights names no model."""
    made = card.get("created", "")[:16].replace("T", " ")
    model = f"{card.get('model', 'random weights')} {card.get('model_revision', '')}".rstrip()
    return f"| `{name}` | {made} | {_short(card['commit'])} | {model} | {card['device']} |"


def _last_commit(app: Sphinx, notebook: str) -> str:
    """ " since commit ... of ...", or nothing outside a checkout."""
    command = ["git", "--no-optional-locks", "log", "-1", "--format=%h of %cs", "--", notebook]
    try:
        said = subprocess.run(command, cwd=app.srcdir, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f" since commit {said}" if said else ""


def _short(commit: str) -> str:
    """A commit as one reads it: its first nine digits, and whether files differed from it."""
    return f"`{commit[:9]}`" + (" and changes" if "-dirty" in commit else "")

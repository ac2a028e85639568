"""Sphinx hooks of the book: executed notebooks in place of the stored ones, a status page, MathJax without a network.

A page keeps the path of its notebook in `notebooks/`, so that the Colab and edit buttons point at a file in git, while
its outputs come from the copy that `speechprune_lib.book` executed. Without a copy, the stored outputs are shown.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

EXECUTED = Path("_build/executed")
STATUS_PAGE, STATUS_LINE = "book/status", "% the table of runs goes here"
MATHJAX = "mathjax/tex-svg.js"


def setup(app: Sphinx) -> dict[str, Any]:
    app.config.mathjax_path = MATHJAX
    app.connect("env-get-outdated", find_outdated)
    app.connect("source-read", show_executed)
    app.connect("source-read", fill_status)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def find_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages whose executed copy is another than last time: by content, because a restored copy may have an old date."""
    seen = _seen(env)
    pages = [page for page in env.found_docs if _is_notebook(page) and seen.get(page) != _hash(_copy(app, page))]
    return [*pages, STATUS_PAGE] if pages and STATUS_PAGE in env.found_docs else pages


def show_executed(app: Sphinx, page: str, source: list[str]) -> None:
    if not _is_notebook(page):
        return
    copy = _copy(app, page)
    _seen(app.env)[page] = _hash(copy)
    if copy.is_file():
        source[0] = copy.read_text("utf8")


def fill_status(app: Sphinx, page: str, source: list[str]) -> None:
    """One row a notebook, from the record that the run left in its executed copy."""
    if page != STATUS_PAGE:
        return
    head = ["| notebook | run (UTC) | seconds | device | parameters |", "| --- | --- | --: | --- | --- |"]
    rows = [_row(app, notebook) for notebook in sorted((Path(app.srcdir) / "notebooks").glob("[0-9]*.ipynb"))]
    source[0] = source[0].replace(STATUS_LINE, "\n".join(head + rows))


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """The download button gives the executed copy; formulas are drawn by a local MathJax (one file of the 24 MB)."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in filter(_is_notebook, app.env.found_docs):
        download = out / "_sources" / f"{page}.ipynb"
        if _copy(app, page).is_file() and download.is_file():
            shutil.copyfile(_copy(app, page), download)
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise RuntimeError("formulas need the package sphinx-mathjax-offline: make setup")
    target = out / "_static" / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(package.origin).parent / "static" / MATHJAX, target)


def _row(app: Sphinx, notebook: Path) -> str:
    title = f"[{notebook.stem}](../notebooks/{notebook.name})"
    copy = _copy(app, f"notebooks/{notebook.stem}")
    if not copy.is_file():
        return f"| {title} | stored outputs are shown | | | |"
    record = json.loads(copy.read_text("utf8"))["metadata"]["speechprune"]
    parameters = ", ".join(f"`{name}={value}`" for name, value in record["parameters"].items()) or "defaults"
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    return f"| {title} | {record['ended']} | {record['seconds']} | {record['device']}; {versions} | {parameters} |"


def _is_notebook(page: str) -> bool:
    return page.startswith("notebooks/")


def _copy(app: Sphinx, page: str) -> Path:
    return Path(app.srcdir) / EXECUTED / f"{page}.ipynb"


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _seen(env: BuildEnvironment) -> dict[str, str]:
    """Hashes of the copies that the environment was built from; pickled with it."""
    if not hasattr(env, "speechprune_seen"):
        env.speechprune_seen = {}
    return env.speechprune_seen

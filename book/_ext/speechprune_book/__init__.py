"""Sphinx hooks of the book: executed notebooks in place of the stored ones, what is filled in, no network needed.

A page keeps the path of its notebook in `notebooks/`, so that the Colab and edit buttons point at a file in git, while
its outputs come from the copy that `speechprune_lib.book` executed. Without a copy, the stored outputs are shown.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

from speechprune_lib.book.address import pages, repository

from . import executed, fillings, made

MATHJAX = "mathjax/tex-svg.js"


def setup(app: Sphinx) -> dict[str, Any]:
    app.config.mathjax_path = MATHJAX
    app.connect("config-inited", set_address)
    app.connect("env-get-outdated", find_outdated)
    app.connect("source-read", show_notebook)
    app.connect("source-read", fill)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def set_address(app: Sphinx, config: Config) -> None:
    """The buttons lead to the repository that pyproject.toml names."""
    url = repository(Path(app.srcdir))
    config.html_theme_options["repository_url"] = url
    config.html_baseurl = pages(url)


def find_outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages whose executed copy is another than last time: by content, because a restored copy may have an old date.

    What is filled in may come from anywhere, so its pages are read anew each time.
    """
    seen, found = executed.seen(env), env.found_docs
    changed_copies = [
        page for page in found if executed.is_notebook(page) and seen.get(page) != executed.key(app, page)
    ]
    return [*changed_copies, *(page for page in fillings.filled(env) if page in found)]


def show_notebook(app: Sphinx, page: str, source: list[str]) -> None:
    if executed.is_notebook(page):
        executed.seen(app.env)[page] = executed.key(app, page)
        source[0] = made.with_origin(executed.shown(app, page), app, page)


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    if not executed.is_notebook(page):
        fillings.fill(app, page, source)


def drop_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """jupyter-book brings Thebe along: it names another server, declares its names twice, and has no kernel here."""
    for kind in ("script_files", "css_files"):
        files = context.get(kind, [])
        context[kind] = [one for one in files if "thebe" not in f"{one.filename} {one.attributes}".lower()]


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """The download button gives the executed copy; formulas are drawn by a local MathJax (one file of the 24 MB)."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in filter(executed.is_notebook, app.env.found_docs):
        copy, download = executed.copy_of(app, page), out / "_sources" / f"{page}.ipynb"
        if copy.is_file() and download.is_file():
            shutil.copyfile(copy, download)
    package = find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise RuntimeError("formulas need the package sphinx-mathjax-offline: make setup")
    target = out / "_static" / MATHJAX
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(package.origin).parent / "static" / MATHJAX, target)

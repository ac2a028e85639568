"""The executed copy of a notebook, and what the environment was built from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from speechprune_lib.book.outputs import EXECUTED


def is_notebook(page: str) -> bool:
    return page.startswith("notebooks/")


def copy_of(app: Sphinx, page: str) -> Path:
    return Path(app.srcdir) / EXECUTED / f"{page}.ipynb"


def failed_copy_of(app: Sphinx, page: str) -> Path:
    """What a later run left that did not reach its end."""
    return copy_of(app, page).with_suffix(".failed.ipynb")


def shown(app: Sphinx, page: str) -> NotebookNode:
    """The notebook that the page shows: its executed copy, or, without one, itself."""
    copy = copy_of(app, page)
    return nbformat.read(copy if copy.is_file() else Path(app.srcdir) / f"{page}.ipynb", 4)


def key(app: Sphinx, page: str) -> str:
    """Changes when what `shown` gives changes, apart from the source, at which Sphinx looks itself."""
    files = (copy_of(app, page), failed_copy_of(app, page))
    return "".join(hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "-" for file in files)


def seen(env: BuildEnvironment) -> dict[str, str]:
    """Keys of the copies that the environment was built from; pickled with it."""
    if not hasattr(env, "speechprune_seen"):
        env.speechprune_seen = {}
    return env.speechprune_seen

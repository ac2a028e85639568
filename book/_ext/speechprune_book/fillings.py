"""What is written into pages when they are built: `% here: WHAT ...` on a line of its own.

So a table of methods cannot differ from the table of methods, nor a figure on the first page from the chapter's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from . import excerpts, house, made, reference

MARK = re.compile(r"^% here: (\w+) ?(.*)$", re.MULTILINE)
FILLINGS: dict[str, Callable[[Sphinx, str], str]] = {
    "runs": made.runs_table,
    "parameters": made.parameters_table,
    "methods": reference.methods_table,
    "options": reference.options_list,
    "commands": reference.commands,
    "citation": reference.citation,
    "house": house.drawn,
    "figure": excerpts.figure,
    "player": excerpts.player,
}
"""What may be filled in, each a function of the application and the rest of the line, returning MyST."""


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace every mark of a page. Raises KeyError for one that nobody knows."""
    if MARK.search(source[0]):
        filled(app.env).add(page)
        source[0] = MARK.sub(lambda mark: FILLINGS[mark[1]](app, mark[2]), source[0])


def filled(env: BuildEnvironment) -> set[str]:
    """Pages that hold marks; pickled with the environment."""
    if not hasattr(env, "speechprune_filled"):
        env.speechprune_filled = set()
    return env.speechprune_filled

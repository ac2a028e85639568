"""Where the repository lies: `[project.urls] Repository` of pyproject.toml, and nowhere else.

The book's configuration reads it from there. Some files cannot read: the citation, and the set-up cell, which runs before
there is a checkout to read from. `carry` writes the address into them, and a test finds any that disagree.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from ..files import write_whole
from .toc import ROOT

PLACEHOLDER = "https://github.com/speechprune/speechprune"
"""Stands until the repository has a home."""
FORM = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+)")
CLONED = "speechprune"
"""The folder that the set-up cell clones into."""


def repository(root: Path = ROOT) -> str:
    """The repository's address. Raises ValueError for one that is not https://github.com/OWNER/NAME."""
    return _checked(tomllib.loads((root / "pyproject.toml").read_text("utf8"))["project"]["urls"]["Repository"])


def pages(url: str) -> str:
    """Where GitHub Pages shows the repository's site."""
    owner, name = _checked(url).removeprefix("https://github.com/").split("/")
    return f"https://{owner}.github.io/{name}/"


def complaint(root: Path = ROOT) -> str:
    """What is wrong with the address, in words; empty if nothing is."""
    url, silent = repository(root), list(_disagreeing(root))
    if silent:
        return f"{', '.join(silent)} name another repository than pyproject.toml's {url}: make address URL={url}"
    if url == PLACEHOLDER:
        return f"{url} is a placeholder: once the repository has a home, make address URL=https://github.com/OWNER/NAME"
    return ""


def carry(url: str, root: Path = ROOT) -> list[str]:
    """Make `url` the repository's address wherever it stands; returns the files that changed. Raises as `repository`."""
    old, new = repository(root), _checked(url)
    changed: list[str] = []
    for file in _files(root):
        text = file.read_text("utf8")
        for before, after in ((_clone(old), _clone(new)), (old, new), (pages(old), pages(new))):
            text = re.sub(re.escape(before) + r"(?![\w.-])", after, text)
        if text != file.read_text("utf8"):
            write_whole(file, text)
            changed.append(file.relative_to(root).as_posix())
    return changed


def _clone(url: str) -> str:
    """What the set-up cell clones: the folder has to be named where it is not the repository's own name."""
    return f"--branch main {url}" + ("" if url.endswith(f"/{CLONED}") else f" {CLONED}")


def _files(root: Path) -> Iterator[Path]:
    """The files that state the address."""
    yield from (root / name for name in ("pyproject.toml", "CITATION.cff", "book/setup_cell.txt"))
    yield from sorted((root / "notebooks").glob("*.ipynb"))


def _disagreeing(root: Path) -> Iterator[str]:
    url = repository(root)
    for file in _files(root):
        if not re.search(re.escape(url) + r"(?![\w.-])", file.read_text("utf8")):
            yield file.relative_to(root).as_posix()


def _checked(url: str) -> str:
    if not FORM.fullmatch(url):
        raise ValueError(f"{url!r} is no address of a repository, expected https://github.com/OWNER/NAME")
    return url

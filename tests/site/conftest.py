"""The rendered book, as `make book` left it in `_build/html`."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechprune_lib.book.rendering import SITE
from speechprune_lib.book.toc import ROOT


@pytest.fixture(scope="session")
def site() -> Path:
    folder = ROOT / SITE
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"there is no rendered book in {folder}: make book")
    return folder

"""The printed book: a chapter a heading, links that lead within it, nothing of this machine (make test-browser)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup

from speechprune_lib.book.printing import print_book
from speechprune_lib.book.toc import pages_in_order

PDF = pytest.importorskip("pypdf", reason="make test-browser installs pypdf")
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def book(site: Path) -> Any:
    return PDF.PdfReader(print_book())


def flat(outline: list[Any]) -> list[str]:
    return [title for one in outline for title in (flat(one) if isinstance(one, list) else [one.title])]


def test_the_outline_names_every_page(book: Any, site: Path) -> None:
    titles = " | ".join(flat(book.outline))
    for page in pages_in_order():
        heading = BeautifulSoup((site / f"{page}.html").read_text("utf8"), "html.parser").find("article").find("h1")
        words = heading.get_text().rstrip("#").split()
        assert " ".join(words[-3:]) in titles, f"{page}: {words} not in the outline"
    assert len(book.pages) > 3 * len(pages_in_order())


def test_links_lead_within_the_book_or_to_the_web(book: Any) -> None:
    addresses: list[str] = []
    inside = 0
    for page in book.pages:
        for link in page.get("/Annots") or []:
            action = link.get_object().get("/A", {})
            addresses += [action["/URI"]] if "/URI" in action else []
            inside += "/Dest" in link.get_object() or action.get("/S") == "/GoTo"
    assert inside > 100
    assert [one for one in addresses if not one.startswith("https://")] == []


def test_formulas_are_drawn_and_dropdowns_open(book: Any) -> None:
    text = "".join(page.extract_text() for page in book.pages)
    assert r"\operatorname" not in text and r"\frac" not in text
    assert "Solution" in text and "the 24 best seconds" in " ".join(text.split())
    assert "to be heard on the site" in text

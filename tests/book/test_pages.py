"""The pages that are no notebooks: held to the code that they tell of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from toy_book import ROOT

from speechprune_lib.book.toc import pages_in_order
from speechprune_lib.pruners import METHODS, method_options

BOOK = ROOT / "book"


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text("utf8")


def unlike() -> list[tuple[str, str]]:
    """(file, number) of every equation that a docstring says the code is unlike."""
    found: list[tuple[str, str]] = []
    for file in sorted((ROOT / "speechprune_lib").rglob("*.py")):
        numbers = re.findall(r"[Uu]nlike Eqs?\. (\d+)", file.read_text("utf8"))
        found += [(file.name, number) for number in numbers]
    return found


def test_there_are_departures_to_be_listed() -> None:
    assert {number for _, number in unlike()} >= {"5", "7", "11", "13"}


@pytest.mark.parametrize(("file", "number"), unlike())
def test_every_departure_of_a_docstring_is_listed(file: str, number: str) -> None:
    assert re.search(rf"^\| Eqs?\. [^|]*\b{number}\b", page("departures"), re.MULTILINE), (
        f"{file} departs from Eq. {number}"
    )


def test_every_option_that_departures_name_exists() -> None:
    options = {name for method in METHODS for name in method_options(method)}
    named = set(re.findall(r"`(\w+)=\w+`", page("departures")))
    assert named and named <= options


def test_the_first_page_leads_to_every_chapter() -> None:
    intro = page("intro")
    for chapter in pages_in_order():
        if chapter.startswith("notebooks/"):
            assert f"{{doc}}`../{chapter}`" in intro, f"the first page does not name {chapter}"


def test_the_front_page_says_what_was_not_run() -> None:
    table = page("intro").partition("## What is reproduced, and what is not")[2]
    assert "**not run**" in table and "**reproduced**" in table
    for what in ("Table I", "Table II", "Fig. 2"):
        assert f"| {what}" in table


def test_terms_are_in_order_and_once() -> None:
    terms = re.findall(r"^(\S.*)\n  \S", page("glossary"), re.MULTILINE)
    assert terms == sorted(terms, key=str.lower) and len(set(terms)) == len(terms) > 30


@pytest.mark.parametrize(
    "file", [*sorted(BOOK.glob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb"))], ids=lambda f: f.name
)
def test_nothing_asks_for_another_server(file: Path) -> None:
    text = file.read_text("utf8")
    assert not re.search(r"<(script|img|audio|iframe|link)[^>]*(src|href)=\\?[\"']https?:", text)

"""Every link, anchor, image, script and button of the rendered book, followed without a network (make test-site)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from bs4 import BeautifulSoup

from speechprune_lib.book.address import repository
from speechprune_lib.book.outputs import EXECUTED
from speechprune_lib.book.toc import ROOT, pages_in_order

pytestmark = pytest.mark.site

LARGEST_PAGE = 3_000_000
"""Bytes of a page with its figures, so that it loads on a phone."""
LOADED = {"script": "src", "img": "src", "audio": "src", "source": "src", "iframe": "src", "link": "href"}


@pytest.fixture(params=pages_in_order())
def page(request: pytest.FixtureRequest, site: Path) -> tuple[str, Path]:
    """A page's name in the toc, and its file."""
    return request.param, site / f"{request.param}.html"


@cache
def soup(file: Path) -> Any:
    return BeautifulSoup(file.read_text("utf8"), "html.parser")


@cache
def names(file: Path) -> frozenset[str]:
    """Anchors of a page."""
    return frozenset(element["id"] for element in soup(file).find_all(id=True)) | {""}


def shown_links(file: Path) -> Iterator[str]:
    """Addresses of all links that a reader can see."""
    for link in soup(file).find_all("a", href=True):
        if link.find_parent(attrs={"hidden": True}) is None:
            yield link["href"]


def test_every_link_leads_somewhere(page: tuple[str, Path]) -> None:
    dead: list[str] = []
    for address in shown_links(page[1]):
        parts = urlparse(address)
        if parts.scheme:
            assert parts.scheme in ("https", "mailto"), address
            assert parts.scheme == "mailto" or "." in parts.netloc, address
            continue
        path, anchor = urldefrag(address)
        target = (page[1].parent / unquote(path.partition("?")[0])).resolve() if path else page[1]
        if not target.is_file() or (target.suffix == ".html" and unquote(anchor) not in names(target)):
            dead.append(address)
    assert not dead


def test_everything_it_loads_lies_beside_it(page: tuple[str, Path]) -> None:
    for element in soup(page[1]).find_all(list(LOADED)):
        address = element.get(LOADED[element.name])
        if not address or element.get("rel") == ["canonical"] or address.startswith("data:"):
            continue
        assert not urlparse(address).netloc, f"{address} needs a network"
        assert (page[1].parent / address.partition("?")[0]).resolve().is_file(), address


def test_it_loads_on_a_phone(page: tuple[str, Path]) -> None:
    images = {page[1].parent / image["src"] for image in soup(page[1]).select("article img[src]")}
    size = page[1].stat().st_size + sum(image.stat().st_size for image in images)
    assert size <= LARGEST_PAGE, f"{page[0]} takes {size:,} bytes"


def test_pictures_and_players_have_words(page: tuple[str, Path]) -> None:
    article = soup(page[1]).find("article")
    for image in article.find_all("img"):
        assert len(image.get("alt", "")) >= 20, f"{image.get('src')} says {image.get('alt')!r}"
    for player in article.find_all("audio"):
        assert player.get("aria-label")
    for drawing in article.find_all("svg", class_="house"):
        assert drawing.get("aria-label")


def test_nothing_is_left_to_be_filled_in(page: tuple[str, Path]) -> None:
    assert "% here" not in soup(page[1]).get_text()
    assert "COLAB_RELEASE_TAG" not in soup(page[1]).get_text()


def button_links(file: Path) -> list[str]:
    return [link["href"] for link in soup(file).select(".article-header-buttons a[href]")]


def test_its_buttons_lead_to_its_source(page: tuple[str, Path]) -> None:
    name, file = page
    source = next(path for path in (f"{name}.ipynb", f"{name}.md") if (ROOT / path).is_file())
    links, url = button_links(file), repository()
    assert url in links
    assert f"{url}/edit/main/{source}" in links
    assert any(link.startswith(f"{url}/issues/new?title=Issue%20on%20page%20%2F{name}.html") for link in links)
    downloads = [link for link in links if "_sources/" in link]
    assert [(file.parent / link).resolve().is_file() for link in downloads] == [True]
    colab = [link for link in links if "colab.research.google.com" in link]
    slug = url.removeprefix("https://github.com/")
    wanted = [f"https://colab.research.google.com/github/{slug}/blob/main/{source}"]
    assert colab == (wanted if source.endswith(".ipynb") else [])


def test_a_chapter_is_downloaded_with_its_outputs(page: tuple[str, Path], site: Path) -> None:
    name = page[0]
    if not name.startswith("notebooks/"):
        return
    copy = ROOT / EXECUTED / f"{name}.ipynb"
    download = json.loads((site / "_sources" / f"{name}.ipynb").read_text("utf8"))
    assert download == json.loads((copy if copy.is_file() else ROOT / f"{name}.ipynb").read_text("utf8"))
    assert any(cell.get("outputs") for cell in download["cells"])
    assert "How this page was made" in soup(page[1]).get_text()


def test_the_search_knows_the_words_of_the_book(site: Path) -> None:
    index = (site / "searchindex.js").read_text("utf8")
    for word in ("binar", "silhouett", "xnor"):
        assert f'"{word}' in index or f"{word}" in index, word


def test_no_page_is_outside_the_toc(site: Path) -> None:
    extra = {"index", "genindex", "search", "py-modindex"}
    built = {file.relative_to(site).as_posix().removesuffix(".html") for file in site.rglob("*.html")}
    built = {name for name in built if not name.startswith(("_static/", "_modules/"))}
    assert built - extra == set(pages_in_order())

"""The whole book as one PDF: the rendered pages in reading order, laid into one document, printed by Chromium.

One document and not a PDF a page, so that links between chapters lead to places in the same file, and the outline is
the book's. Sound cannot be printed: every player becomes a line that says what is to be heard on the site.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import join, normpath
from typing import Any
from urllib.parse import urldefrag, urlparse

from ..packages import needed
from .browser import open_browser
from .rendering import SITE
from .toc import ROOT, pages_in_order

PDF = Path("_build/pdf/speechprune.pdf")
OFFER = '<p class="whole-book" hidden>'
"""How the first page holds the link to the PDF while there is none; `offer` shows it."""
DROPPED = ("script", "a.headerlink", "button", ".copybtn", ".prev-next-footer", ".toctree-wrapper", ".whole-book")
STYLE = """
@page { size: A4; margin: 18mm 16mm 18mm 16mm; }
html { font-size: 13px; } body { background: #fff; padding: 0; }
.chapter { break-before: page; max-width: none; } .cover { padding-top: 30vh; text-align: center; }
pre, figure, img, tr, .admonition { break-inside: avoid; } h1, h2, h3 { break-after: avoid; }
pre { white-space: pre-wrap !important; } table { font-size: 85%; }
.cell_output img, figure img { width: auto !important; max-width: 85%; max-height: 150mm; }
.toggle-hidden:not(.admonition), .admonition.toggle-hidden .admonition-title ~ * { display: block !important; }
.contents { break-before: page; } .contents a { text-decoration: none; } .heard { font-style: italic; }
"""


def print_book(root: Path = ROOT) -> Path:
    """Print the rendered site into `PDF`. Raises FileNotFoundError without a site or a browser."""
    site = root / SITE
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"there is no rendered book in {site} to print: make book")
    whole, out = site / "whole-book.html", root / PDF
    out.parent.mkdir(parents=True, exist_ok=True)
    whole.write_text(one_document(site, pages_in_order(root)), "utf8")
    try:
        with open_browser() as browser:
            _print(browser, whole, out)
    finally:
        whole.unlink()
    return out


def offer(pdf: Path, root: Path = ROOT) -> Path:
    """Copy the PDF into the site and show the first page's link to it; returns the copy."""
    first = root / SITE / f"{pages_in_order(root)[0]}.html"
    copy = root / SITE / pdf.name
    shutil.copyfile(pdf, copy)
    first.write_text(first.read_text("utf8").replace(OFFER, OFFER.replace(" hidden", "")), "utf8")
    return copy


def one_document(site: Path, pages: Sequence[str]) -> str:
    """All pages of the site as one HTML document that lies in its top folder: head, cover, contents, chapters."""
    soups = {page: _soup((site / f"{page}.html").read_text("utf8")) for page in pages}
    articles = {page: _article(page, soup, set(pages)) for page, soup in soups.items()}
    first = soups[pages[0]]
    title = _title(articles[pages[0]])
    entries = "".join(f'<li><a href="#{_slug(page)}">{_title(article)}</a></li>' for page, article in articles.items())
    chapters = "".join(f'<div class="chapter">{article}</div>' for article in articles.values())
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light" data-mode="light"><head><title>{title}</title>'
        f'<meta charset="utf-8">{_head(pages[0], first)}<style>{STYLE}</style></head><body>'
        f'<div class="cover"><h1 class="no-outline">{title}</h1></div>'
        f'<div class="contents"><p><strong>Contents</strong></p><ol>{entries}</ol></div>{chapters}</body></html>'
    )


def _print(browser: Any, whole: Path, out: Path) -> None:
    page = browser.new_page(offline=True)
    page.goto(whole.resolve().as_uri(), wait_until="load", timeout=300_000)
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true })")
    footer = '<div style="font-size:8px;width:100%;text-align:center"><span class="pageNumber"></span></div>'
    page.pdf(
        path=out,
        prefer_css_page_size=True,
        print_background=True,
        outline=True,
        tagged=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=footer,
    )


def _soup(text: str) -> Any:
    return needed("bs4", "printing the book", "book").BeautifulSoup(text, "html.parser")


def _head(page: str, soup: Any) -> str:
    """The styles, and the script that draws formulas; nothing else of the site's machinery."""
    formulas = [script for script in soup.find_all("script") if "mathjax" in str(script).lower()]
    for element, name in _addressed([*soup.find_all("link", rel="stylesheet"), *formulas]):
        element[name] = _from_top(page, element[name])
    return "".join(map(str, [*soup.find_all("link", rel="stylesheet"), *formulas]))


def _article(page: str, soup: Any, pages: set[str]) -> Any:
    """A page's text: names made its own, links to other pages turned into links within the document."""
    article = soup.find("article")
    for selector in DROPPED:
        for element in article.select(selector):
            element.decompose()
    for player in article.find_all("audio"):
        line = soup.new_tag("span", attrs={"class": "heard"})
        line.string = "♪ to be heard on the site"
        player.replace_with(line)
    for element in article.find_all(id=True):
        element["id"] = f"{_slug(page)}--{element['id']}"
    article["id"] = _slug(page)
    for element, name in _addressed(article.find_all(True)):
        address = _within(page, element[name], pages) if name == "href" else _from_top(page, element[name])
        if address is None:
            element.unwrap()
        else:
            element[name] = address
    return article


def _addressed(elements: Sequence[Any]) -> Iterator[tuple[Any, str]]:
    for element in elements:
        yield from ((element, name) for name in ("href", "src") if element.get(name))


def _within(page: str, address: str, pages: set[str]) -> str | None:
    """A link as it reads in the one document; None for one to another file of the site, which would lead to this machine."""
    if urlparse(address).scheme:
        return address
    path, anchor = urldefrag(address)
    target = _from_top(page, path).removesuffix(".html") if path else page
    if target not in pages:
        return None
    return f"#{_slug(target)}" + (f"--{anchor}" if anchor else "")


def _from_top(page: str, address: str) -> str:
    """An address on a page, as it reads from the site's top folder."""
    return address if urlparse(address).scheme or not address else normpath(join(page.rpartition("/")[0], address))


def _slug(page: str) -> str:
    return page.replace("/", "-")


def _title(article: Any) -> str:
    return html.escape(article.find("h1").get_text(" ", strip=True))

"""The one document that is printed: every page once, and links that lead within it."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from speechprune_lib.book import browser
from speechprune_lib.book.printing import OFFER, offer, one_document, print_book

HEAD = '<head><title>A toy</title><link rel="stylesheet" href="../_static/custom.css?v=1"><script src="../_static/mathjax/tex-svg.js"></script><script src="../_static/sphinx.js"></script></head>'
INTRO = f"""<html>{HEAD}<body><nav>Menu</nav><article id="page"><section id="toys"><h1>Toys<a class="headerlink" href="#toys">#</a></h1>
<a href="../notebooks/01_toy.html">chapter</a> <a href="../notebooks/01_toy.html#fig%20one">figure</a> <a href="#toys">here</a>
<a href="https://example.org/x">away</a> <a href="../genindex.html">index</a><a href="../_images/a.png"><img src="../_images/a.png" alt="a"></a>
{OFFER}<a href="../toy.pdf">PDF</a></p></section></article></body></html>"""
CHAPTER = f"""<html>{HEAD}<body><article><h1>One &amp; only</h1><figure id="fig one"><audio src="data:audio/mpeg;base64,AA=="></audio>
<figcaption>A tone</figcaption></figure><button>Copy</button></article></body></html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "_build" / "html"
    for name, text in (("book/intro", INTRO), ("notebooks/01_toy", CHAPTER)):
        (folder / name).parent.mkdir(parents=True)
        (folder / f"{name}.html").write_text(text)
    (folder / "index.html").write_text("")
    (tmp_path / "_toc.yml").write_text("root: book/intro\nchapters:\n  - file: notebooks/01_toy\n")
    return folder


def test_links_between_pages_lead_within_the_document(site: Path) -> None:
    soup = BeautifulSoup(one_document(site, ["book/intro", "notebooks/01_toy"]), "html.parser")
    links = {link.get_text(): link["href"] for link in soup.select(".chapter a")}
    assert links == {
        "chapter": "#notebooks-01_toy",
        "figure": "#notebooks-01_toy--fig%20one",
        "here": "#book-intro--toys",
        "away": "https://example.org/x",
    }
    assert "index" in soup.get_text() and "a.png" in str(soup), "what led to a file stays, without its link"
    assert soup.find(id="notebooks-01_toy") and soup.find(id="notebooks-01_toy--fig one")
    assert [link["href"] for link in soup.select(".contents a")] == ["#book-intro", "#notebooks-01_toy"]
    assert [link.get_text() for link in soup.select(".contents a")] == ["Toys", "One & only"]


def test_it_holds_the_text_and_none_of_the_sites_machinery(site: Path) -> None:
    text = one_document(site, ["book/intro", "notebooks/01_toy"])
    assert "Menu" not in text and "Copy" not in text and "sphinx.js" not in text and "<audio" not in text
    assert 'src="_images/a.png"' in text and 'href="_static/custom.css?v=1"' in text and "tex-svg.js" in text
    assert "to be heard on the site" in text and "A tone" in text


def test_the_first_page_offers_the_pdf_once_it_is_there(site: Path, tmp_path: Path) -> None:
    pdf = tmp_path / "toy.pdf"
    pdf.write_bytes(b"%PDF")
    assert offer(pdf, tmp_path).read_bytes() == b"%PDF"
    assert 'class="whole-book">' in (site / "book/intro.html").read_text()
    assert (site / "toy.pdf").is_file()


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="no rendered book .* make book"):
        print_book(tmp_path)
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(FileNotFoundError, match="no browser no-such-browser: install Chromium"):
        browser.chromium()

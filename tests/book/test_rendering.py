"""Pages of the toy book: what is shown, what is filled in, what is loaded."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from toy_book import ROOT, TOY, executed, make_toy, page, states, texts, write

from speechprune_lib.book import address, outputs
from speechprune_lib.book.rendering import render

FIGURE = """\
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(2, 1))
ax.plot([1, 2])
plt.show()"""
ALT = "A line that rises from one to two."
SHOWN = {"mystnb": {"image": {"alt": ALT}, "figure": {"name": "fig-toy", "caption": "It rises."}}}
PLAYER = 'from IPython.display import HTML\nHTML(\'<audio controls aria-label="A tone" src="data:audio/mpeg;base64,AA=="></audio>\')'
CARD = '{"commit": "0123456789abcdef", "model": "mini", "model_revision": "r7", "device": "cpu (x86_64)", "created": "2026-11-21T23:07:40+00:00"}'
READS = 'name = "toy"\nopen(f"../data/results/{name}.jsonl").read()'


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_toy(tmp_path_factory.mktemp("rendered"))
    (root / "data" / "results").mkdir()
    (root / "data" / "results" / "toy.jsonl").write_text("{}\n")
    (root / "data" / "results" / "toy.card.json").write_text(CARD)
    write(root, *map(new_code_cell, ("2 + height", READS, PLAYER)), new_code_cell(FIGURE, metadata=SHOWN))
    with (root / "book" / "intro.md").open("a") as intro:
        intro.write("\n% here: figure 01_toy fig-toy\n\n% here: player 01_toy A tone\n")
    states(root)
    assert render(root).is_file()
    return root


def test_rendered_pages(rendered: Path) -> None:
    chapter, status = page(rendered, "notebooks/01_toy"), page(rendered, "book/status")
    assert "profile auto" in chapter and ALT in chapter and "COLAB_RELEASE_TAG" not in chapter
    where = address.repository(rendered).removeprefix("https://github.com/")
    assert f"https://colab.research.google.com/github/{where}/blob/main/{TOY}" in chapter
    assert f"https://github.com/{where}/edit/main/{TOY}" in chapter
    assert f'<link rel="canonical" href="{address.pages(address.repository(rendered))}notebooks/01_toy.html"' in chapter
    assert "01_toy" in status and "defaults" in status and "torch" in status
    assert "which model" in status  # what a parameter is
    assert "% here" not in status
    download = nbformat.read(rendered / "_build" / "html" / "_sources" / TOY, 4)
    assert "42" in texts(download) and "How this page" not in str(download)


def test_a_page_tells_how_it_was_made(rendered: Path) -> None:
    chapter = re.sub(r"<[^>]*>|\s+", " ", page(rendered, "notebooks/01_toy"))
    record = executed(rendered).metadata[outputs.RECORD]
    assert "How this page was made" in chapter and record["ended"] in chapter and f"{record['seconds']} s" in chapter
    assert "toy.jsonl" in chapter and "012345678" in chapter and "mini r7" in chapter and "2026-11-21 23:07" in chapter


def test_figures_and_players_of_chapters_are_shown_elsewhere(rendered: Path) -> None:
    intro = page(rendered, "book/intro")
    assert ALT in intro and "It rises." in intro and "fig-toy.png" in intro
    assert 'aria-label="A tone"' in intro


def test_rendered_pages_need_no_network(rendered: Path) -> None:
    assert (rendered / "_build" / "html" / "_static" / "mathjax" / "tex-svg.js").stat().st_size > 10**6
    for name in ("notebooks/01_toy", "book/intro", "search"):
        loaded = re.findall(
            r'<(?:script|img|audio|link(?! rel="canonical"))[^>]*\s(?:src|href)="([^"]+)"', page(rendered, name)
        )
        assert loaded
        assert not [one for one in loaded if re.match(r"(https?:)?//", one)]


def test_a_page_follows_its_executed_copy_and_its_address(rendered: Path) -> None:
    write(rendered, new_code_cell("4 + height"), new_code_cell(PLAYER), new_code_cell(FIGURE, metadata=SHOWN))
    states(rendered)
    address.carry("https://github.com/someone/prunes", rendered)
    render(rendered)
    chapter = page(rendered, "notebooks/01_toy")
    assert ">44<" in re.sub(r"\s", "", chapter)
    assert "github.com/someone/prunes/blob/main" in chapter or "github/someone/prunes/blob/main" in chapter


def test_a_warning_is_an_error(toy: Path) -> None:
    (toy / "book" / "intro.md").write_text("# A toy\n\n{doc}`nowhere`\n")
    with pytest.raises(subprocess.CalledProcessError):
        render(toy)


def test_stored_outputs_are_shown_without_a_run(toy: Path) -> None:
    states(toy, write_back=True)
    shutil.rmtree(toy / outputs.EXECUTED)
    render(toy)
    assert ">42<" in re.sub(r"\s", "", page(toy, "notebooks/01_toy"))
    assert "those that the repository stores" in page(toy, "notebooks/01_toy")
    assert "outputs as stored" in page(toy, "book/status")
    assert ROOT != toy

"""The book's kitchen, on a toy book that is built with this project's own configuration and extension."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from speechprune_lib import book

ROOT = Path(__file__).resolve().parents[1]
TOY = "notebooks/01_toy.ipynb"
PARTS = ("_ext", "_static", "references.bib", "references.md", "status.md")
SETUP = (ROOT / "book" / "setup_cell.txt").read_text("utf8").rstrip("\n")
INTRO = "# A toy\n\nAs in {cite:p}`lin2025speechprune`: {doc}`../notebooks/01_toy`\n"
TOC = """
format: jb-book
root: book/intro
parts:
  - caption: One
    numbered: true
    chapters:
      - file: notebooks/01_toy
      - file: book/status
      - file: book/references
"""
FIGURE = """\
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(2, 1))
ax.plot([1, 2])
plt.show()"""
ALT = "A line that rises from one to two."


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return make_toy(tmp_path)


def make_toy(root: Path) -> Path:
    """A project with one notebook that has never been run."""
    for name in ("_config.yml", *(f"book/{part}" for part in PARTS)):
        (root / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    (root / "_toc.yml").write_text(TOC)
    (root / "book" / "intro.md").write_text(INTRO)
    for folder in ("notebooks", "speechprune_lib", "data"):
        (root / folder).mkdir()
    write(root, new_code_cell("2 + height"))
    return root


def write(root: Path, *more: nbformat.NotebookNode) -> None:
    cells = [
        new_markdown_cell("# Toys\n\n$$ a^2 = b $$ (eq-toy)\n\nSee {eq}`eq-toy`.", id="title"),
        new_code_cell(SETUP, id="setup", metadata={"tags": ["remove-cell"]}),
        new_code_cell('profile = "auto"\nheight = 40', id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell('print("profile", profile)', id="print"),
    ]
    for number, cell in enumerate(more):
        cell["id"] = f"more-{number}"
    nbformat.write(new_notebook(cells=[*cells, *more], metadata={"kernelspec": book.KERNEL}), root / TOY)


def executed(root: Path) -> nbformat.NotebookNode:
    return nbformat.read(root / book.EXECUTED / TOY, 4)


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["text"] if output.output_type == "stream" else output["data"]["text/plain"] for output in outputs]


def page(root: Path, name: str) -> str:
    return (root / "_build" / "html" / f"{name}.html").read_text("utf8")


def states(root: Path, **options: object) -> list[str]:
    return [outcome.state for outcome in book.run_notebooks(root, jobs=1, **options)]  # type: ignore[arg-type]


def test_the_toc_gives_the_notebooks_in_reading_order() -> None:
    listed = re.findall(r"file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text())
    assert book.notebooks_in_order() == [f"{name}.ipynb" for name in listed]


def test_a_notebook_that_is_not_there_is_named(toy: Path) -> None:
    (toy / TOY).unlink()
    with pytest.raises(FileNotFoundError, match="01_toy"):
        book.notebooks_in_order(toy)


def test_a_run_makes_an_executed_copy_and_leaves_the_source_alone(toy: Path) -> None:
    before = (toy / TOY).read_bytes()
    assert states(toy) == ["ran"]
    assert (toy / TOY).read_bytes() == before
    copy = executed(toy)
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert texts(copy)[0] == "profile auto\n" and texts(copy)[-1] == "42"
    assert "papermill" not in str(copy)
    assert copy.metadata[book.RECORD]["parameters"] == {}


def test_only_what_changed_is_run_again(toy: Path) -> None:
    states(toy)
    assert states(toy) == ["unchanged"]
    write(toy, new_code_cell("2 + height"), new_markdown_cell("New prose."))
    assert states(toy) == ["unchanged"]
    assert executed(toy).cells[-1].source == "New prose." and "42" in texts(executed(toy))
    around = book.surroundings(toy)
    (toy / "data" / "answers.jsonl").write_text("{}")
    assert book.surroundings(toy) != around
    write(toy, new_code_cell("3 + height"))
    assert states(toy) == ["ran"]
    assert "43" in texts(executed(toy))


def test_parameters_leave_no_cell_but_a_record(toy: Path) -> None:
    assert states(toy, parameters={"height": 1}) == ["ran"]
    assert "3" in texts(executed(toy))
    assert [cell.source for cell in executed(toy).cells] == [cell.source for cell in nbformat.read(toy / TOY, 4).cells]
    assert executed(toy).metadata[book.RECORD]["parameters"] == {"height": 1}


def test_stored_outputs_come_from_the_defaults(toy: Path) -> None:
    with pytest.raises(ValueError, match="defaults"):
        book.run_notebooks(toy, parameters={"height": 1}, store=True)
    assert states(toy, store=True) == ["ran"]
    stored = nbformat.read(toy / TOY, 4)
    assert texts(stored) == texts(executed(toy)) and book.RECORD not in stored.metadata
    content = (toy / TOY).read_bytes()
    assert states(toy, store=True, force=True) == ["ran"]
    assert (toy / TOY).read_bytes() == content


def test_what_is_printed_in_pieces_is_stored_as_one() -> None:
    pieces = [new_output("stream", name=name, text=text) for name, text in (("stdout", "a\n"), ("stdout", "b\n"))]
    other = [new_output("stream", name="stderr", text="c\n"), new_output("stream", name="stdout", text="d\n")]
    notebook = new_notebook(cells=[new_code_cell("...", outputs=[*pieces, *other])])
    stored = book.with_outputs(notebook, notebook, None).cells[0].outputs
    assert [(output.name, output.text) for output in stored] == [
        ("stdout", "a\nb\n"),
        ("stderr", "c\n"),
        ("stdout", "d\n"),
    ]
    assert len(notebook.cells[0].outputs) == 4


@pytest.mark.parametrize(
    ("source", "parameters", "reason"),
    [
        ("1 / 0", {}, "ZeroDivisionError"),
        ("import sys; sys.exit(0)", {}, "SystemExit|never ran"),
        ("height", {"hight": 3}, r"no parameters \['hight'\]"),
    ],
)
def test_a_failure_is_loud_and_leaves_no_copy(toy: Path, source: str, parameters: dict[str, int], reason: str) -> None:
    states(toy)
    write(toy, new_code_cell(source), new_code_cell("height"))
    with pytest.raises(book.NotebookError, match=reason):
        book.run_notebooks(toy, parameters=parameters, jobs=1)
    assert not (toy / book.EXECUTED / TOY).exists()


def test_two_notebooks_run_side_by_side(toy: Path) -> None:
    shutil.copyfile(toy / TOY, toy / "notebooks" / "02_toy.ipynb")
    (toy / "_toc.yml").write_text(TOC.replace("01_toy", "02_toy\n      - file: notebooks/01_toy"))
    outcomes = book.run_notebooks(toy, jobs=2)
    assert [outcome.notebook for outcome in outcomes] == ["notebooks/02_toy.ipynb", TOY]
    assert {outcome.state for outcome in outcomes} == {"ran"}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_toy(tmp_path_factory.mktemp("rendered"))
    write(root, new_code_cell("2 + height"), new_code_cell(FIGURE, metadata={"mystnb": {"image": {"alt": ALT}}}))
    states(root)
    assert book.render(root).is_file()
    return root


def test_rendered_pages(rendered: Path) -> None:
    chapter, status = page(rendered, "notebooks/01_toy"), page(rendered, "book/status")
    assert "profile auto" in chapter and ALT in chapter and "COLAB_RELEASE_TAG" not in chapter
    repository = "https://colab.research.google.com/github/speechprune/speechprune"
    assert f"{repository}/blob/main/{TOY}" in chapter
    assert "01_toy" in status and "defaults" in status and "torch" in status
    assert "the table of runs" not in status
    download = nbformat.read(rendered / "_build" / "html" / "_sources" / TOY, 4)
    assert "42" in texts(download)


def test_rendered_pages_need_no_network(rendered: Path) -> None:
    assert (rendered / "_build" / "html" / "_static" / "mathjax" / "tex-svg.js").stat().st_size > 10**6
    for name in ("notebooks/01_toy", "book/intro", "search"):
        loaded = re.findall(
            r'<(?:script|img|audio|link(?! rel="canonical"))[^>]*\s(?:src|href)="([^"]+)"', page(rendered, name)
        )
        assert loaded
        assert not [address for address in loaded if re.match(r"(https?:)?//", address)]


def test_a_page_follows_its_executed_copy(rendered: Path) -> None:
    write(rendered, new_code_cell("4 + height"))
    states(rendered)
    book.render(rendered)
    assert ">44<" in re.sub(r"\s", "", page(rendered, "notebooks/01_toy"))


def test_a_warning_is_an_error(toy: Path) -> None:
    (toy / "book" / "intro.md").write_text("# A toy\n\n{doc}`nowhere`\n")
    with pytest.raises(subprocess.CalledProcessError):
        book.render(toy)

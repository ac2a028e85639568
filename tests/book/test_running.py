"""Running notebooks, on a toy book: what is stale, what is kept, what is told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from toy_book import ROOT, TOC, TOY, executed, states, texts, write

from speechprune_lib.book import outputs, running, toc


def test_the_toc_gives_the_notebooks_in_reading_order() -> None:
    listed = re.findall(r"^ +- file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text(), re.MULTILINE)
    assert toc.notebooks_in_order() == [f"{name}.ipynb" for name in listed]
    assert toc.pages_in_order()[0] == "book/intro"


def test_a_notebook_that_is_not_there_is_named(toy: Path) -> None:
    (toy / TOY).unlink()
    with pytest.raises(FileNotFoundError, match="01_toy"):
        toc.notebooks_in_order(toy)


@pytest.mark.parametrize("word", ["03", "3", "03_attention", "notebooks/03_attention.ipynb"])
def test_one_notebook_is_chosen_by_number_or_name(word: str) -> None:
    notebooks = ["notebooks/01_frames.ipynb", "notebooks/03_attention.ipynb", "notebooks/13_blind.ipynb"]
    assert toc.selected(notebooks, [word]) == notebooks[1:2]
    assert toc.selected(notebooks, ["13", word]) == notebooks[1:] and toc.selected(notebooks, []) == notebooks


def test_a_notebook_that_nobody_knows_is_refused(toy: Path) -> None:
    with pytest.raises(ValueError, match=r"no notebook '07', expected a number or a name of 01_toy"):
        running.run_notebooks(toy, only=["07"])


def test_a_run_makes_an_executed_copy_and_leaves_the_source_alone(toy: Path) -> None:
    before = (toy / TOY).read_bytes()
    told: list[str] = []
    assert states(toy, tell=told.append) == ["ran"]
    assert len(told) == 1 and re.match(r"\[1/1\] notebooks/01_toy\.ipynb +ran +\d+\.\d s$", told[0])
    assert (toy / TOY).read_bytes() == before
    copy = executed(toy)
    code = [cell for cell in copy.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert texts(copy)[0] == "profile auto\n" and texts(copy)[-1] == "42"
    assert "papermill" not in str(copy)
    record = copy.metadata[outputs.RECORD]
    assert record["parameters"] == {} and record["seconds"] > 0
    assert {"commit", "device", "ended", "versions"} <= record.keys()


def test_only_what_changed_is_run_again(toy: Path) -> None:
    states(toy)
    assert states(toy) == ["unchanged"]
    write(toy, new_code_cell("2 + height"), new_markdown_cell("New prose."))
    assert states(toy) == ["unchanged"]
    assert executed(toy).cells[-1].source == "New prose." and "42" in texts(executed(toy))
    assert states(toy, fresh=True) == ["ran"]
    write(toy, new_code_cell("3 + height"))
    assert states(toy) == ["ran"]
    assert "43" in texts(executed(toy))


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("data/answers.jsonl", True),
        ("speechprune_lib/prompt.py", True),
        ("speechprune_lib/training/tune.py", False),
        ("speechprune_lib/book/printing.py", False),
    ],
)
def test_what_a_notebook_depends_on(toy: Path, file: str, counts: bool) -> None:
    around = outputs.surroundings(toy)
    (toy / file).parent.mkdir(parents=True, exist_ok=True)
    (toy / file).write_text("{}")
    assert (outputs.surroundings(toy) != around) is counts


def test_parameters_leave_no_cell_but_a_record(toy: Path) -> None:
    assert states(toy, parameters={"height": 1}) == ["ran"]
    assert "3" in texts(executed(toy))
    assert [cell.source for cell in executed(toy).cells] == [cell.source for cell in nbformat.read(toy / TOY, 4).cells]
    assert executed(toy).metadata[outputs.RECORD]["parameters"] == {"height": 1}


def test_stored_outputs_come_from_the_defaults(toy: Path) -> None:
    with pytest.raises(ValueError, match="defaults"):
        running.run_notebooks(toy, parameters={"height": 1}, write_back=True)
    assert states(toy, write_back=True) == ["ran"]
    stored = nbformat.read(toy / TOY, 4)
    assert texts(stored) == texts(executed(toy)) and outputs.RECORD not in stored.metadata
    content = (toy / TOY).read_bytes()
    assert states(toy, write_back=True, fresh=True) == ["ran"]
    assert (toy / TOY).read_bytes() == content


def test_what_is_printed_in_pieces_is_stored_as_one() -> None:
    pieces = [new_output("stream", name=name, text=text) for name, text in (("stdout", "a\n"), ("stdout", "b\n"))]
    other = [new_output("stream", name="stderr", text="c\n"), new_output("stream", name="stdout", text="d\n")]
    notebook = new_notebook(cells=[new_code_cell("...", outputs=[*pieces, *other])])
    stored = outputs.with_outputs(notebook, notebook, None).cells[0].outputs
    assert [(output.name, output.text) for output in stored] == [
        ("stdout", "a\nb\n"),
        ("stderr", "c\n"),
        ("stdout", "d\n"),
    ]
    assert len(notebook.cells[0].outputs) == 4


@pytest.mark.parametrize(
    ("source", "parameters", "reason"),
    [
        ("# divide\n1 / 0", {}, r"cell \[4\] '# divide' raised ZeroDivisionError: division by zero \(see .*failed"),
        ("import sys; sys.exit(0)", {}, "SystemExit|never ran"),
        ("height", {"hight": 3}, r"no parameters \['hight'\]"),
    ],
)
def test_a_failure_names_its_cell_and_leaves_the_last_good_copy(
    toy: Path, source: str, parameters: dict[str, int], reason: str
) -> None:
    states(toy)
    good = (toy / outputs.EXECUTED / TOY).read_bytes()
    write(toy, new_code_cell(source), new_code_cell("height"))
    for _ in range(2):  # what failed is stale, and tried again
        with pytest.raises(running.NotebookError, match=reason):
            running.run_notebooks(toy, parameters=parameters, jobs=1)
    assert (toy / outputs.EXECUTED / TOY).read_bytes() == good


def test_a_failed_run_keeps_what_it_had_got(toy: Path) -> None:
    write(toy, new_code_cell("'got this far'"), new_code_cell("1 / 0"))
    with pytest.raises(running.NotebookError):
        running.run_notebooks(toy, jobs=1)
    partial = nbformat.read(toy / outputs.EXECUTED / TOY.replace(".ipynb", ".failed.ipynb"), 4)
    shown = [str(cell.get("outputs", "")) for cell in partial.cells]
    assert any("got this far" in text for text in shown) and any("ZeroDivisionError" in text for text in shown)
    write(toy, new_code_cell("'got this far'"))
    assert states(toy) == ["ran"]
    assert not list((toy / outputs.EXECUTED).rglob("*.failed.ipynb"))


def test_a_cell_that_never_ends_is_a_failure(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CELL_SECONDS", 2)
    write(toy, new_code_cell("import time; time.sleep(60)"))
    with pytest.raises(running.NotebookError, match="CellTimeoutError"):
        running.run_notebooks(toy, jobs=1)


def test_two_notebooks_run_side_by_side(toy: Path) -> None:
    shutil.copyfile(toy / TOY, toy / "notebooks" / "02_toy.ipynb")
    (toy / "_toc.yml").write_text(TOC.replace("01_toy", "02_toy\n      - file: notebooks/01_toy"))
    outcomes = running.run_notebooks(toy, jobs=2)
    assert [outcome.notebook for outcome in outcomes] == ["notebooks/02_toy.ipynb", TOY]
    assert {outcome.state for outcome in outcomes} == {"ran"}

"""The repository's address stands in one place, and is carried to the files that cannot read it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from toy_book import ROOT, TOY

from speechprune_lib.book.address import PLACEHOLDER, carry, complaint, pages, repository

NEW = "https://github.com/some-one/prune.it"


def test_every_file_names_the_one_address() -> None:
    assert "name another repository" not in complaint(ROOT)


def test_no_other_file_states_it() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    url, silent = repository(ROOT), {"pyproject.toml", "CITATION.cff", "book/setup_cell.txt"}
    place = "speechprune_lib/book/address.py"  # holds the placeholder
    for name in listed.stdout.split("\0"):
        if name and name not in {*silent, place} and not name.startswith("notebooks/") and (ROOT / name).is_file():
            assert url.encode() not in (ROOT / name).read_bytes(), f"{name} states the repository's address"


def test_a_placeholder_is_called_one(toy: Path) -> None:
    carry(PLACEHOLDER, toy)
    assert "is a placeholder" in complaint(toy) and "make address URL=" in complaint(toy)


def test_a_new_address_goes_everywhere(toy: Path) -> None:
    changed = carry(NEW, toy)
    assert sorted(changed) == sorted(["CITATION.cff", "book/setup_cell.txt", TOY, "pyproject.toml"])
    assert repository(toy) == NEW and complaint(toy) == ""
    assert pages(NEW) in (toy / "pyproject.toml").read_text()
    for name in changed:
        assert PLACEHOLDER not in (toy / name).read_text()
    assert f"git clone -q --depth 1 --branch main {NEW} speechprune\n" in (toy / "book/setup_cell.txt").read_text()
    assert carry(NEW, toy) == []


def test_it_can_be_carried_on_and_back(toy: Path) -> None:
    before = {name: (toy / name).read_bytes() for name in ("pyproject.toml", "book/setup_cell.txt", TOY)}
    carry(NEW, toy)
    carry(PLACEHOLDER, toy)
    assert {name: (toy / name).read_bytes() for name in before} == before


def test_a_file_that_disagrees_is_named(toy: Path) -> None:
    cell = toy / "book/setup_cell.txt"
    cell.write_text(re.sub(r"https://github\.com/\S+", "https://github.com/else/where", cell.read_text()))
    assert complaint(toy).startswith("book/setup_cell.txt name another repository")


@pytest.mark.parametrize(
    "url", ["", "github.com/a/b", "https://github.com/a", "https://github.com/a/b/", "https://x.org/a/b"]
)
def test_what_is_no_address_is_refused(toy: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"expected https://github\.com/OWNER/NAME"):
        carry(url, toy)

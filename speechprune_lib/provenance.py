"""What ran: the run card that goes before the answers."""

from __future__ import annotations

import hashlib
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


class RunCard(BaseModel):
    """What answers depend on, written before the first of them.

    commit: see `library_commit`; a commit to notes or notebooks makes no answer stale. `accepted` lists the differences
    under which older answers were knowingly kept.
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
    seeds: tuple[int, ...] = ()
    created: str
    argv: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()

    def differences(self, other: RunCard) -> dict[str, str]:
        """Fields in which two runs' answers may differ, as "here -> there"; when, how and which seeds do not count."""
        here, there = self._dependencies(), other._dependencies()
        names = sorted(here.keys() | there.keys())
        changes = {name: (here.get(name, "absent"), there.get(name, "absent")) for name in names}
        return {name: f"{old} -> {new}" for name, (old, new) in changes.items() if old != new}

    def _dependencies(self) -> dict[str, str]:
        fields = self.model_dump(exclude={"created", "argv", "seeds", "accepted"})
        versions = fields.pop("versions")
        return fields | {f"versions.{name}": number for name, number in versions.items()}


def run_card(
    *,
    model: str,
    model_revision: str,
    benchmark: str,
    benchmark_hash: str,
    prompt: str,
    device: str = "cpu",
    dtype: str = "float32",
    seeds: Iterable[int] = (),
) -> RunCard:
    """A card for a run that starts now, on this computer, with the library as it is.

    device and dtype: as torch prints them ("cuda:0", "torch.float16"). prompt: what names the wording of the question.
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
        device=device_name(device),
        dtype=dtype.removeprefix("torch."),
        versions=versions,
        seeds=tuple(sorted(set(seeds))),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        argv=tuple(_without_folders(word) for word in sys.argv),
    )


def library_commit(package: Path = PACKAGE) -> str:
    """Hash of the last commit that touched the library; "-dirty." and a hash of its files if they differ from it.

    "unknown" where the library does not lie in a git checkout.
    """
    commit = _git(package, "log", "-1", "--format=%H", "--", ".")
    if not commit:
        return "unknown"
    if not _git(package, "status", "--porcelain", "--", "."):
        return commit
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{commit}-dirty.{digest.hexdigest()[:8]}"


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

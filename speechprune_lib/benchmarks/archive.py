"""Archives from elsewhere, unpacked so that nothing lands outside the folder."""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory

from .base import BenchmarkError

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)
"""RuntimeError: zipfile's word for a password and for a compression that it does not know."""


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack a .zip or .tar (also .gz, .bz2, .xz) into a folder: all its files, or, of a bad archive, none.

    Files of the same name are replaced, others stay. Raises FileNotFoundError, and BenchmarkError for a damaged archive
    or one that holds links, devices, or names that lead out of the folder.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise FileNotFoundError(f"no archive at {archive}: check the path")
    extract = _extract_zip if zipfile.is_zipfile(archive) else _extract_tar
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix="unpacking-") as temporary:
        try:
            extract(archive, Path(temporary))
        except _DAMAGED as error:
            reason = " ".join(str(error).split())
            raise BenchmarkError(
                f"{archive} cannot be unpacked, expected a whole .zip or .tar without password ({reason}): "
                "download it again"
            ) from error
        _move_files(Path(temporary), folder)


def _move_files(source: Path, folder: Path) -> None:
    """One by one, so that folders which are there already keep what they hold and who may read them."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            _refuse(archive, member.filename, is_plain=not stat.S_ISLNK(member.external_attr >> 16))
        opened.extractall(folder)


def _extract_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        for member in opened:
            _refuse(archive, member.name, is_plain=member.isfile() or member.isdir())
        opened.extractall(folder, filter="data")


def _refuse(archive: Path, name: str, *, is_plain: bool) -> None:
    """Told, where zipfile would quietly leave out a `..`, and the same on every system."""
    if not is_plain:
        raise BenchmarkError(
            f"{archive} holds {name!r}, a link or device, expected only files and folders: do not use it"
        )
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            raise BenchmarkError(f"{archive} holds {name!r}, which leads out of the folder: do not use it")

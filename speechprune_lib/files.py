"""Files that a kill leaves whole or absent, lines that it leaves whole, and what identifies a file's bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Replace the file by `content`, text as UTF-8; killed on the way, the old one stays. Makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content.encode("utf8") if isinstance(content, str) else content)
    part.replace(path)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """As `write_whole`, of lines given without their ends."""
    write_whole(path, "".join(line + "\n" for line in lines))


def append_line(path: Path, line: str) -> None:
    """Add a line, given without its end: on the disk when this returns, and whole also after one that a kill cut short.

    Makes the folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        whole = file.read(1) in (b"", b"\n")
        file.write((b"" if whole else b"\n") + line.encode("utf8") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line with its end) of the lines that are not blank, one at a time.

    As bytes: a line that is no UTF-8 is then its reader's to name.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, line


def file_hash(path: Path) -> str:
    """sha256 of the file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

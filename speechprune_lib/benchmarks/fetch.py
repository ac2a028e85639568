"""`fetch_spiral`: SPIRAL's annotations from where its authors publish them, and the check of what is still missing."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

from ..files import file_hash
from .archive import unpack
from .base import BenchmarkError
from .spiral_check import ANNOTATIONS, HARD_ANNOTATIONS, SpiralCheck, check_spiral

CACHE_VARIABLE = "SPEECHPRUNE_CACHE"

SOURCE = "https://raw.githubusercontent.com/linyueqian/SPIRAL_Dataset/ff71a57c29269b316585c11e3fa149827a181a85/"
"""The authors' repository, at the commit that brought both files."""

SHA256 = {
    ANNOTATIONS: "485225b9ef52c98298ceb06745c7acf022dcc7c6436c610a17dbd11e8022519f",
    HARD_ANNOTATIONS: "a6c33e2a9ebf8f79c298f6aeb86a904ea136bc3bd845cc87c25fd6812750328c",
}


def default_folder() -> Path:
    """`spiral` in $SPEECHPRUNE_CACHE, else in `speechprune` in the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("speechprune")).expanduser() / "spiral"


def fetch_spiral(folder: str | Path | None = None, archive: str | Path | None = None) -> SpiralCheck:
    """Get the annotations into `folder` (default: `default_folder()`), once, and check the recordings beside them.

    The authors' folder of recordings cannot be fetched by a program: the check's `str()` says how to get them.
    `archive`, if given, is that folder as downloaded (.zip, .tar), and is unpacked first. Raises BenchmarkError where a
    download fails or is not what was published, and for a file of the same name with other content, which stays.
    """
    place = default_folder() if folder is None else Path(folder)
    if archive is not None:
        unpack(archive, place)
    store = pooch.create(path=place, base_url=SOURCE, registry={name: f"sha256:{sha}" for name, sha in SHA256.items()})
    for name in SHA256:
        _refuse_other(place / name)
        try:
            store.fetch(name)
        except (OSError, ValueError) as error:
            raise BenchmarkError(_way_out(place, error)) from error
    return check_spiral(place)


def _refuse_other(path: Path) -> None:
    """Before pooch replaces it."""
    if path.exists() and file_hash(path) != SHA256[path.name]:
        raise BenchmarkError(f"{path} is not the published file: move it away, or pass another folder")


def _way_out(place: Path, error: Exception) -> str:
    urls = " and ".join(f"{SOURCE}{name}" for name in SHA256)
    return (
        f"cannot download SPIRAL's annotations ({error}): get {urls} in a browser, put them into {place}, and try again"
    )

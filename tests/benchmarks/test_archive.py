"""Archives that mean harm, and those that do not."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from speechprune_lib.benchmarks import BenchmarkError
from speechprune_lib.benchmarks.archive import unpack


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, *members: tarfile.TarInfo, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["wavs.zip", "wavs.tar", "wavs.tar.gz", "no-suffix"])
def test_files_arrive_beside_those_that_are_there(tmp_path, name: str) -> None:
    pack = tarred if ".tar" in name else zipped
    archive = pack(tmp_path / name, **{"wavs/a.wav": b"new", "wavs/deep/b.wav": b"b"})
    here = tmp_path / "here"
    (here / "wavs").mkdir(parents=True)
    (here / "wavs" / "a.wav").write_bytes(b"old")
    (here / "data.jsonl").write_bytes(b"{}")
    here.chmod(0o750)
    unpack(str(archive), here)
    assert contents(here) == {"wavs/a.wav": b"new", "wavs/deep/b.wav": b"b", "data.jsonl": b"{}"}
    assert stat.S_IMODE(here.stat().st_mode) == 0o750


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/tmp/x", "C:/x", "C:x", "..\\x", "\\\\server\\share\\x"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_lead_out_are_refused(tmp_path, pack, name: str) -> None:
    archive = pack(tmp_path / "evil", fine=b"", **{name: b"harm"})
    with pytest.raises(BenchmarkError, match=r"evil holds .*leads out of the folder"):
        unpack(archive, tmp_path / "a" / "b")
    assert contents(tmp_path).keys() == {"evil"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_tar_are_refused(tmp_path, kind: bytes) -> None:
    member = tarfile.TarInfo("wavs")
    member.type, member.linkname = kind, "/tmp"
    with pytest.raises(BenchmarkError, match="'wavs', a link or device"):
        unpack(tarred(tmp_path / "evil", member, fine=b""), tmp_path / "here")
    assert contents(tmp_path).keys() == {"evil"}


def test_links_in_zip_are_refused(tmp_path) -> None:
    link = zipfile.ZipInfo("wavs")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "evil", "w") as archive:
        archive.writestr(link, "/tmp")
    with pytest.raises(BenchmarkError, match="'wavs', a link or device"):
        unpack(tmp_path / "evil", tmp_path / "here")
    assert contents(tmp_path).keys() == {"evil"}


def test_a_damaged_archive_leaves_nothing_behind(tmp_path) -> None:
    files = {f"{number}.wav": bytes(1000) for number in range(20)}
    whole = zipped(tmp_path / "whole.zip", **files).read_bytes()
    spoilt = whole.replace(bytes(1000), b"x" + bytes(999), 1)
    cut = tarred(tmp_path / "whole.tar.gz", **files).read_bytes()[:-100]
    for damaged in (b"", b"no archive", whole[:2000], spoilt, cut):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BenchmarkError, match=r"damaged cannot be unpacked.*download it again"):
            unpack(tmp_path / "damaged", tmp_path / "here")
        assert not list((tmp_path / "here").iterdir())
    with pytest.raises(FileNotFoundError, match="no archive at"):
        unpack(tmp_path / "nowhere.zip", tmp_path / "here")

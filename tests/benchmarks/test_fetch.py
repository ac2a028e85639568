"""SPIRAL's annotations from a server on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from speechprune_lib.benchmarks import BenchmarkError, fetch, load_benchmark
from speechprune_lib.benchmarks.fetch import default_folder, fetch_spiral

RECORD = {
    "test_question": {"question": "Which?", "choices": ["A. a", "B. b"], "correct_answer": "A. a"},
    "metadata": {"id": "lecture_0", "transcript_type": "lecture"},
    "audio_data": {
        "key_sentences": {"indices": [0, 1]},
        "combined": {"audio_files": ["lecture_0.wav"], "audio_folder": "spiral/wavs", "sentences": ["One."]},
    },
}
NAMES = ("data.jsonl", "data_h.jsonl")


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def published(tmp_path, monkeypatch, asked: list[str]) -> Iterator[Path]:
    """The folder that the server shows, with the two files whose hashes are expected."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_text(json.dumps(RECORD) + "\n")
    digest = hashlib.sha256((folder / NAMES[0]).read_bytes()).hexdigest()
    monkeypatch.setattr(Quiet, "asked", asked, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(fetch, "SOURCE", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(fetch, "SHA256", dict.fromkeys(NAMES, digest))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()


def test_both_files_arrive_once_and_can_be_read(tmp_path, published: Path, asked: list[str]) -> None:
    here = tmp_path / "here"
    check = fetch_spiral(str(here))
    assert (check.folder, check.questions, check.missing) == (here, 1, ("lecture_0",))
    assert "duke.box.com" in str(check)
    assert sorted(path.name for path in here.iterdir()) == sorted(NAMES)
    assert load_benchmark("spiral-h", root=here, need_audio=False)[0].id == "lecture_0"
    fetch_spiral(here)
    assert asked == [f"/{name}" for name in NAMES]


def test_the_users_cache_is_the_default(tmp_path, published: Path, monkeypatch) -> None:
    monkeypatch.setenv("SPEECHPRUNE_CACHE", str(tmp_path / "cache"))
    assert fetch_spiral().folder == default_folder() == tmp_path / "cache" / "spiral"
    assert load_benchmark("spiral", need_audio=False)[0].id == "lecture_0"
    monkeypatch.delenv("SPEECHPRUNE_CACHE")
    assert default_folder() == Path(pooch.os_cache("speechprune")) / "spiral"


def test_an_archive_of_recordings_is_unpacked(tmp_path, published: Path) -> None:
    with zipfile.ZipFile(tmp_path / "spiral.zip", "w") as archive:
        archive.writestr("wavs/lecture_0.wav", "no sound")
    assert fetch_spiral(tmp_path / "here", archive=tmp_path / "spiral.zip").unreadable == ("lecture_0",)


def test_what_was_not_published_is_refused(tmp_path, published: Path) -> None:
    (published / "data.jsonl").write_text("changed\n")
    with pytest.raises(BenchmarkError, match="cannot download .*does not match the known hash"):
        fetch_spiral(tmp_path / "here")
    assert not list((tmp_path / "here").iterdir())


def test_files_of_the_user_stay(tmp_path, published: Path, asked: list[str]) -> None:
    (tmp_path / "data_h.jsonl").write_text("mine\n")
    with pytest.raises(BenchmarkError, match=r"data_h\.jsonl is not the published file: move it away"):
        fetch_spiral(tmp_path)
    assert (tmp_path / "data_h.jsonl").read_text() == "mine\n"


def test_without_network_the_files_can_be_got_by_hand(tmp_path, published: Path, monkeypatch, asked: list[str]) -> None:
    here = tmp_path / "here"
    source = fetch.SOURCE
    monkeypatch.setattr(fetch, "SOURCE", source + "moved/")
    with pytest.raises(
        BenchmarkError, match=rf"404.*{source}moved/data\.jsonl and .*data_h\.jsonl .*put them into {here}"
    ):
        fetch_spiral(here)
    monkeypatch.setattr(fetch, "SOURCE", "http://127.0.0.1:9/")  # nobody listens there
    with pytest.raises(BenchmarkError, match="cannot download"):
        fetch_spiral(here)
    for name in NAMES:
        (here / name).write_bytes((published / name).read_bytes())
    assert fetch_spiral(here).questions == 1

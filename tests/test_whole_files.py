"""Files that a kill leaves whole or absent; lines that it does not glue together; a hash worked out elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechprune_lib.files import append_line, file_hash, numbered_lines, write_lines, write_whole

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""The example of FIPS 180-4."""


@pytest.mark.parametrize(("content", "held"), [("näive\n", b"n\xc3\xa4ive\n"), (b"\xff\x00", b"\xff\x00")])
def test_a_file_is_replaced_by_text_or_bytes(content: str | bytes, held: bytes, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    for _ in range(2):
        write_whole(path, content)
        assert path.read_bytes() == held
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_an_interrupted_write_leaves_the_old_file(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    write_whole(path, "old")

    def interrupted(_path: Path, content: bytes | Path) -> None:
        if isinstance(content, bytes):
            with _path.open("wb") as file:
                file.write(content[:1])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, step, interrupted)
        write_whole(path, "new and longer")
    assert path.read_text() == "old"
    write_whole(path, "new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_files_that_differ_in_their_ending_do_not_share_what_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", lambda _path, _target: None)
    write_whole(tmp_path / "clip.mp3", b"sound")
    write_whole(tmp_path / "clip.json", "text")
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"sound", b"text"]


def test_lines_are_written_with_their_ends(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rows.jsonl"
    write_lines(path, iter(("one", "zwölf")))
    assert path.read_bytes() == b"one\nzw\xc3\xb6lf\n"
    write_lines(path, ())
    assert path.read_bytes() == b""


def test_lines_are_added_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "rows.jsonl"
    for line in ("one", "zwölf"):
        append_line(path, line)
    assert path.read_bytes() == b"one\nzw\xc3\xb6lf\n"


@pytest.mark.parametrize("torn", [b'{"a', b"caf\xc3", b"whole, as an editor leaves it"])
def test_a_line_is_not_glued_to_one_that_was_cut_short(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one\n" + torn)
    append_line(path, "next")
    assert path.read_bytes() == b"one\n" + torn + b"\nnext\n"


def test_lines_are_numbered_and_blank_ones_pass(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one\n\n \t\r\nno \xff UTF-8\nsigns \xe2\x80\xa8 of Unicode end no line")
    assert list(numbered_lines(path)) == [
        (1, b"one\n"), (4, b"no \xff UTF-8\n"), (5, b"signs \xe2\x80\xa8 of Unicode end no line")
    ]  # fmt: skip
    path.write_bytes(b"")
    assert list(numbered_lines(path)) == []


def test_the_hash_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_hash(path) == SHA256_OF_ABC

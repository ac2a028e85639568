"""LibriTTS's readers as a cast: both lists of the corpus, balance, what a seed draws, and what is missing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import fake_styletts
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner
from written_item import ITEM, item

from speechprune_lib import cli
from speechprune_lib.synthesis.speaking.build import build
from speechprune_lib.synthesis.speaking.engines import styletts2
from speechprune_lib.synthesis.speaking.libritts import libritts_cast
from speechprune_lib.synthesis.speaking.recording import cast_speakers
from speechprune_lib.synthesis.speaking.voices import CAST, Speaker
from speechprune_lib.synthesis.writing.scripts import MOST_SPEAKERS

WOMEN, MEN = (19, 26, 27, 32, 39, 1088), (40, 60, 78, 83, 87, 1098)
OTHERS = ((14, "F", "train-clean-360"), (84, "M", "dev-clean"), (22, "F", "train-clean-100"))
"""Two of other parts, and one without recordings."""
READERS = (*((n, "F", "train-clean-100") for n in WOMEN), *((n, "M", "train-clean-100") for n in MEN), *OTHERS)

TSV = "READER\tGENDER\tSUBSET NAME\n"
TXT = "; Some pipe(|) separated metadata about all LibriVox readers\n;\n;ID  |SEX| SUBSET           |MINUTES| NAME\n"


def tone(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(seconds * 100))), 100)


def tsv(readers=READERS) -> str:
    return TSV + "".join(f"{n}\t{sex}\t{subset}\tKara Shallenberg\n" for n, sex, subset in readers)


def txt(readers=READERS) -> str:
    return TXT + "".join(f"{n:<4} | {sex} | {subset:<16} | 20.18 | |CBW|Simon\n" for n, sex, subset in readers)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Readers with a recording each; that of reader n lasts n hundredths of a second."""
    folder = tmp_path / "LibriTTS"
    for n, _, subset in READERS:
        if n != 22:
            tone(folder / subset / str(n) / "198" / f"{n}_198_000000_000000.wav", n / 100)
    (folder / "speakers.tsv").write_text(tsv())
    return folder


def drawn(cast: tuple[Speaker, ...]) -> list[int]:
    return [int(Path(speaker.voice).parts[-3]) for speaker in cast]


def test_women_and_men_of_train_clean_100_by_turns(corpus: Path) -> None:
    cast = libritts_cast(corpus)
    assert {*drawn(cast)[::2]} == {*WOMEN} and {*drawn(cast)[1::2]} == {*MEN}
    assert [speaker.gender for speaker in cast] == ["female", "male"] * 6
    assert {speaker.engine for speaker in cast} == {"styletts2"}
    assert all(Path(speaker.voice).is_file() and Path(speaker.voice).is_absolute() for speaker in cast)
    for speaker in cast:
        speaker.check()


def test_both_of_the_corpus_lists_are_read(corpus: Path) -> None:
    by_tsv = libritts_cast(corpus, 8)
    (corpus / "speakers.tsv").unlink()
    (corpus / "SPEAKERS.txt").write_text(txt())
    assert libritts_cast(corpus, 8) == by_tsv
    (corpus / "speakers.tsv").write_text(tsv(READERS[:1]))
    with pytest.raises(ValueError, match="0 male readers"):  # the newer list is the one that counts
        libritts_cast(corpus, 2)


@pytest.mark.parametrize("order", [1, -1])
def test_a_seed_draws_the_same_readers_whatever_their_order_on_disk(order: int, corpus: Path, monkeypatch) -> None:
    tone(corpus / "train-clean-100/1088/198/1088_198_000000_000001.wav", 10.88)  # as long as another one
    expected = libritts_cast(corpus, 12, seed=3)
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(sorted(glob(self, pattern))[::order]))
    (corpus / "speakers.tsv").write_text(tsv(READERS[::order]))
    assert libritts_cast(corpus, 12, seed=3) == expected
    assert libritts_cast(corpus, 4, seed=3) == expected[:4]
    assert len({libritts_cast(corpus, 4, seed) for seed in range(5)}) > 1
    monkeypatch.chdir(corpus)
    assert libritts_cast(Path(), 12, seed=3) == expected


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ({"a": 2.0, "b": 7.0, "c": 8.5, "d": 14.0}, "c"),
        ({"c": 8.5, "b": 7.5, "a": 1.0}, "b"),
        ({"a": 16.0, "b": 11.9}, "b"),
        ({"a": 0.1, "b": 0.3, "c": 0.2}, "b"),
    ],
)
def test_the_reference_is_the_recording_nearest_eight_seconds(seconds: dict, chosen: str, tmp_path: Path) -> None:
    for n in (19, 40):
        for chapter, (name, duration) in enumerate(seconds.items()):
            tone(tmp_path / "train-clean-100" / str(n) / str(chapter) / f"{name}.wav", duration)
    (tmp_path / "speakers.tsv").write_text(tsv())
    assert [Path(speaker.voice).stem for speaker in libritts_cast(tmp_path, 2)] == [chosen] * 2


@pytest.mark.parametrize("of_libritts", [True, False])
def test_women_and_men_are_balanced_within_every_item(of_libritts: bool, corpus: Path) -> None:
    cast = libritts_cast(corpus, 6) if of_libritts else CAST
    for number in range(60):
        count = 1 + number % MOST_SPEAKERS
        script = {"metadata": {"id": "x"}, "transcript": [{"speaker": f"spk_{n}"} for n in range(count)] * 2}
        voices = cast_speakers(random.Random(number), script, cast)
        genders = [speaker.gender for speaker in voices.values()]
        assert len({*voices.values()}) == count
        assert abs(genders.count("female") - genders.count("male")) == count % 2


@pytest.mark.parametrize("speakers", [0, -2, 5])
def test_a_cast_that_is_not_half_women_is_refused(speakers: int, corpus: Path) -> None:
    with pytest.raises(ValueError, match=f"a cast of {speakers} speakers .* expected an even number"):
        libritts_cast(corpus, speakers)


def test_what_is_missing_is_told_with_the_way_out(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="6 female readers of train-clean-100 have recordings, expected 7 .* fewer"):
        libritts_cast(corpus, 14)
    (corpus / "speakers.tsv").write_text(tsv() + "1116\tX\ttrain-clean-100\tA. N. Other\n")
    with pytest.raises(ValueError, match=r"speakers.tsv, line 17: '1116\\tX.* is no reader, expected a number, F or M"):
        libritts_cast(corpus)
    (corpus / "speakers.tsv").unlink()
    with pytest.raises(FileNotFoundError, match="no speakers.tsv or SPEAKERS.txt in .*: give LibriTTS's own folder"):
        libritts_cast(corpus)
    (tmp_path / "SPEAKERS.txt").write_text(txt())
    with pytest.raises(FileNotFoundError, match="no recordings .*train-clean-100/READER.*: unpack LibriTTS's"):
        libritts_cast(tmp_path)


@pytest.fixture
def references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    styletts2.end_worker()
    yield fake_styletts.install(tmp_path / "styletts", monkeypatch)
    styletts2.end_worker()


def synthesize(*words: object):
    return CliRunner().invoke(cli.app, ["synthesize", *map(str, words), "--asr", "none", "--model", "none"])


def test_styletts2_speaks_like_the_readers(corpus: Path, references: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "texts").mkdir(parents=True)
    of_two_turns = item("meeting_test_00", transcript=ITEM["transcript"][:2])
    (out / "texts/test.jsonl").write_text(json.dumps(of_two_turns) + "\n")
    assert build(out / "texts", out, libritts_cast(corpus), progress=False).failed == {}
    heard = references.read_text().splitlines()
    voices = json.loads((out / "test.jsonl").read_text())["audio_data"]["combined"]["voices"]
    assert [f"styletts2 {Path(path).stem}, stretch 1.0, resample 1.0" for path in heard[1:]] == [*voices.values()]
    assert heard[0] == heard[1]
    gender_of = {speaker.voice: speaker.gender for speaker in libritts_cast(corpus)}
    assert {gender_of[path] for path in heard} == {"female", "male"}
    done = synthesize(out, "--libritts", corpus)  # the very same cast, by which the recording was made
    assert "0 recordings spoken, 1 found done" in done.stdout, done.output


def test_a_cast_is_written_by_hand_or_drawn(corpus: Path, tmp_path: Path) -> None:
    done = synthesize(tmp_path / "out", "--libritts", corpus, "--cast", tmp_path / "cast.json")
    assert done.exit_code == 2
    assert "--libritts got" in done.stderr and "expected one of them: leave the other out" in done.stderr
    assert "no speakers.tsv" in synthesize(tmp_path / "out", "--libritts", tmp_path).stderr

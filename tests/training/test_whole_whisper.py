"""The yardstick: the recordings that are read are the held-out ones, and the words are counted as `hear` counts them."""

from __future__ import annotations

import numpy as np
import pytest

from speechprune_lib.synthesis.listening.recognizers import Recognizer
from speechprune_lib.training import whole_whisper as yardstick


class Listener(Recognizer):
    """Hears "The cat sat" in every second of sound that is there."""

    name, revision = "listener", "r1"

    def transcribe(self, waveform):
        assert len(waveform) <= 30 * 16_000
        return " ".join(["The cat sat!"] * round(len(waveform) / 16_000))


def test_the_held_out_passages_are_read(corpus):
    sound = np.arange(8 * 480_000, dtype=np.int64).reshape(8, 480_000) % 1000
    for shard in range(3):
        np.save(corpus.file(shard, "npy"), sound.astype(np.int16))
    ((said, waveform),) = yardstick.held_out_recordings(corpus)
    assert said.startswith("The cat sat on a red mat. Anna has three dogs. The cat") and said.count("dogs") == 5
    assert waveform.shape == (480_000,) and waveform[999] == pytest.approx(999 / 32768)


def test_words_are_counted_without_case_and_punctuation():
    """Of eight words, said in two recordings, "on" and "mat" are lost and "the cat sat" is put in: five of eight."""
    said = [("The cat sat on mat", np.zeros(16_000, np.float32)), ("the cat, sat", np.zeros(32_000, np.float32))]
    found = yardstick.word_error_rate(Listener(), said)
    assert found == {"words": 8, "recognized": pytest.approx(5 / 8), "recognized_insertions": pytest.approx(3 / 8)}


def test_the_halves_are_joined_once(tmp_path):
    parts = [tmp_path / "one" / "model.bin.part1", tmp_path / "two" / "model.bin.part2"]
    for part, half in zip(parts, (b"ab", b"cd"), strict=True):
        part.parent.mkdir()
        part.write_bytes(half)
    for name in yardstick.VOCABULARY:
        (tmp_path / "one" / name).write_text(name)
    recognizer = yardstick.whole_whisper(parts, tmp_path / "out")
    assert recognizer.name == "openai/whisper-base" and len(recognizer.revision) == 12
    assert (tmp_path / "out/model.bin").read_bytes() == b"abcd"
    assert (tmp_path / "out/tokenizer.json").read_text() == "tokenizer.json"
    parts[0].unlink()
    assert yardstick.whole_whisper(parts, tmp_path / "out") == recognizer

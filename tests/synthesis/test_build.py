"""The builder with a stand-in for the speech engine: times, gaps, casting and refusals."""

import json

import numpy as np
import pytest
import soundfile

from speechprune_lib.synthesis import build as module
from speechprune_lib.synthesis.build import build, speak_item
from speechprune_lib.synthesis.flite import Speech

ITEM = {
    "split": "test",
    "transcript": [
        {"speaker": "spk_1", "text": ["We meet at noon.", "The key is under the mat."]},
        {"speaker": "spk_2", "text": ["Thank you."]},
        {"speaker": "spk_1", "text": ["Goodbye."]},
    ],
    "original_key_sentence": "The key is under the mat.",
    "test_question": {"question": "Where is the key?", "choices": ["A. x", "B. y"], "correct_answer": "A. x"},
    "metadata": {"main_topic": "t", "subtopic": "s", "transcript_type": "meeting", "id": "meeting_test_00"},
}


@pytest.fixture(autouse=True)
def engine(monkeypatch):
    """0.25 s a word, after 60 ms of lead and before 100 ms of tail, as the real one trims."""

    def say(speaker, text):
        words = tuple((w, 0.06 + 0.25 * i, 0.06 + 0.25 * (i + 1)) for i, w in enumerate(text.split()))
        samples = 0.1 * np.sin(np.arange(int((words[-1][2] + 0.1) * 16_000)) / 9)
        return Speech(samples.astype(np.float32), 16_000, words)

    monkeypatch.setattr(module.Speaker, "say", say)


def test_times_are_where_the_words_are():
    samples, record = speak_item(ITEM)
    combined = record["combined"]
    assert combined["sentences"] == [s for turn in ITEM["transcript"] for s in turn["text"]]
    assert combined["duration"] == pytest.approx(len(samples) / 16_000, abs=1e-3)
    for sentence, (start, end) in zip(combined["sentences"], combined["times"], strict=True):
        assert end - start == pytest.approx(0.25 * len(sentence.split()), abs=2e-3)
        assert np.abs(samples[int(start * 16_000) : int(end * 16_000)]).max() > 0.5
    gaps = [b[0] - a[1] for a, b in zip(combined["times"], combined["times"][1:], strict=False)]
    assert 0.36 <= gaps[0] <= 0.61 + 1e-3  # within a turn: 0.2 to 0.45 s and the trimmed silence's 0.16 s
    assert all(0.51 - 1e-3 <= gap <= 0.86 + 1e-3 for gap in gaps[1:])  # between turns


def test_the_key_sentence_is_a_half_open_range():
    _, record = speak_item(ITEM)
    assert record["key_sentences"] == {"speaker": "spk_1", "text": ITEM["original_key_sentence"], "indices": [1, 2]}


def test_one_voice_per_speaker_women_and_men_by_turns():
    _, record = speak_item(ITEM)
    first, second = record["combined"]["voices"].values()
    assert first != second
    by_name = {f"flite {s.voice}, stretch {s.stretch}, resample {s.resample}": s.gender for s in module.CAST}
    assert {by_name[first], by_name[second]} == {"female", "male"}


def test_a_key_sentence_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="meeting_test_00: the key sentence occurs 0 times"):
        speak_item(ITEM | {"original_key_sentence": "Not said."})


def test_build_writes_splits_and_repeats_its_bytes(tmp_path):
    (tmp_path / "texts").mkdir()
    other = ITEM | {"split": "dev", "metadata": ITEM["metadata"] | {"id": "meeting_dev_00"}}
    (tmp_path / "texts/meeting.jsonl").write_text(json.dumps(ITEM) + "\n" + json.dumps(other) + "\n")
    build(tmp_path / "texts", tmp_path)
    first = (tmp_path / "audio/meeting_test_00.mp3").read_bytes()
    build(tmp_path / "texts", tmp_path)
    assert (tmp_path / "audio/meeting_test_00.mp3").read_bytes() == first
    line = json.loads((tmp_path / "test.jsonl").read_text())
    assert "split" not in line
    samples, rate = soundfile.read(tmp_path / "audio/meeting_test_00.mp3")
    assert rate == 16_000
    assert len(samples) == pytest.approx(line["audio_data"]["combined"]["duration"] * 16_000, abs=16)
    assert (tmp_path / "dev.jsonl").exists()


def test_no_texts_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \*\.jsonl transcripts"):
        build(tmp_path, tmp_path / "out")

"""WER and MOS by a recognizer whose mistakes are known, and what a rerun does and leaves."""

import json

import pytest
import soundfile
from spoken_files import CALLS, CLIPS, MEETING, LevelScore, Loudness, line, write_benchmark, write_lines

from speechprune_lib.synthesis.listening.heard import opinion_score, word_error_rate, word_errors
from speechprune_lib.synthesis.listening.quality import Measured, measure, quality_card, read_quality
from speechprune_lib.synthesis.listening.spoken import read_spoken


@pytest.fixture
def folder(tmp_path):
    CALLS.clear()
    return write_benchmark(tmp_path)


def run(folder, recognizer=None, opinion=None) -> Measured:
    clips = read_spoken(folder, "test")
    return measure(clips, recognizer or Loudness(), opinion, folder / "rows.jsonl", progress=False)


@pytest.mark.parametrize(
    ("text", "heard", "words", "errors"),
    [
        ("It's twenty-one, uh, colours!", "it is 21 colors", 4, 0),
        ("Tea?", "", 1, 1),
        ("Uh, hmm.", "", 0, 0),
        ("Hmm.", "thank you", 0, 2),
        ("red green blue white", "red blue black white", 4, 2),
    ],
)
def test_words_count_after_whispers_normaliser(text, heard, words, errors):
    assert word_errors(text, heard) == (words, errors)


def test_errors_are_those_that_the_recognizer_made(folder):
    meeting, lecture, conversation = run(folder).rows
    assert [(turn.voice, turn.words, turn.errors) for turn in meeting.turns] == [("anna", 10, 2), ("ben", 3, 0)]
    assert [(turn.voice, turn.words, turn.errors) for turn in conversation.turns] == [
        ("ben", 1, 1), ("cara", 3, 0), ("ben", 1, 0)
    ]  # fmt: skip
    assert [(turn.heard, turn.words, turn.errors) for turn in lecture.turns] == [
        ("Bees dance, they color the the hive.", 6, 1)  # 38.7 s, heard in two pieces
    ]
    assert word_error_rate(meeting.turns) == pytest.approx(2 / 13)
    assert word_error_rate(()) is None
    assert (meeting.recording, meeting.kind, meeting.asr, meeting.mos_scale) == (
        "meeting_0", "meeting", "loudness", None
    )  # fmt: skip


def test_opinions_are_weighted_by_seconds(folder):
    meeting, lecture, _ = run(folder, opinion=LevelScore()).rows
    assert [(turn.mos, turn.seconds) for turn in meeting.turns] == [(1.0, 3.7), (2.0, 1.6)]
    assert opinion_score(meeting.turns) == pytest.approx((1 * 3.7 + 2 * 1.6) / 5.3)
    first, second = 20.3 - 0.9, 39.6 - 20.3
    assert lecture.turns[0].mos == pytest.approx((3 * first + 4 * second) / (first + second), abs=0.02)
    assert meeting.mos_scale == "levels"
    assert opinion_score(run(folder).rows[0].turns) is None


def test_a_rerun_does_what_is_missing(folder):
    with pytest.raises(KeyboardInterrupt):
        run(folder, Loudness(stops_at=5))
    assert CALLS == [1, 2, 3, 4]
    CALLS.clear()
    finished = run(folder)
    assert CALLS == [5, 6, 7]
    CALLS.clear()
    assert run(folder) == finished and CALLS == []
    assert [row.recording for row in finished.rows] == list(CLIPS)


def test_a_line_that_a_kill_cut_short_is_measured_again(folder):
    finished = run(folder)
    rows = folder / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-20])
    CALLS.clear()
    assert run(folder) == finished and CALLS == [5, 6, 7]
    assert len(list(read_quality(rows))) == 3


def test_a_recording_that_was_spoken_again_is_measured_again(folder):
    run(folder)
    path = folder / "audio" / "meeting_0.wav"
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples * 1.001, rate, subtype="FLOAT")
    CALLS.clear()
    run(folder)
    assert CALLS == [1, 2]


def test_another_recognizers_rows_stay(folder):
    run(folder)
    CALLS.clear()
    run(folder, Loudness(version="2"))
    assert len(CALLS) == 7
    CALLS.clear()
    run(folder)
    assert CALLS == []


def test_what_fails_is_told_and_the_rest_goes_on(folder):
    (folder / "audio" / "lecture_0.wav").unlink()
    found = run(folder, Loudness(fails_at=6))
    assert [row.recording for row in found.rows] == ["meeting_0"]
    assert found.failed["conversation_0"] == "RuntimeError: an ear ache"
    assert found.failed["lecture_0"].startswith("FileNotFoundError") and "lecture_0.wav" in found.failed["lecture_0"]
    failures = folder / "rows.failed.json"
    assert json.loads(failures.read_text()) == found.failed
    write_benchmark(folder)
    assert run(folder).failed == {} and not failures.exists()


def test_questions_that_share_a_recording_count_it_once(folder):
    second = line("meeting_0", MEETING)
    second["metadata"]["id"] = "meeting_0_q2"
    write_lines(folder, [line("meeting_0", MEETING), second])
    assert len(run(folder).rows) == 1 and CALLS == [1, 2]


def test_the_card_says_who_measured_what(folder):
    clips = list(read_spoken(folder, "test"))
    card = quality_card("three clips", clips, Loudness(version="3"), LevelScore())
    assert (card.model, card.model_revision, card.benchmark) == ("loudness, levels", "3 1", "three clips")
    assert {"jiwer", "whisper-normalizer"} <= card.versions.keys()
    assert quality_card("three clips", clips[::-1], Loudness(), None).benchmark_hash == card.benchmark_hash
    assert quality_card("three clips", clips[:2], Loudness(), None).benchmark_hash != card.benchmark_hash

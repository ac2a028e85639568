"""The report, counted by hand on three clips."""

import pandas as pd
import pytest
from spoken_files import MEETING, LevelScore, Loudness, line, write_benchmark, write_lines

from speechprune_lib.synthesis.listening.quality import measure, quality_card
from speechprune_lib.synthesis.listening.report import (
    KeyPlaces,
    Spread,
    VoiceQuality,
    make_report,
    read_report,
    write_report,
)
from speechprune_lib.synthesis.listening.report_table import table, voice_table
from speechprune_lib.synthesis.listening.spoken import read_spoken


@pytest.fixture
def clips(tmp_path):
    return list(read_spoken(write_benchmark(tmp_path), "test"))


@pytest.fixture
def rows(clips, tmp_path):
    return measure(clips, Loudness(), LevelScore(), tmp_path / "rows.jsonl", progress=False).rows


def about(spread: Spread) -> tuple:
    return pytest.approx((spread.mean, spread.least, spread.most))


def test_counts(clips):
    report = make_report("three", "test", clips)
    assert (report.items, report.recordings) == (3, 3)
    assert report.speakers == {1: 1, 2: 2}
    assert report.kinds == {"conversation": 1, "lecture": 1, "meeting": 1}
    assert report.topics == {"Bees": 2, "Houses": 1}
    assert report.letters == {"A": 1, "C": 2}
    assert (50.5 / 3, 4.0, 40.0) == about(report.duration_s)
    assert report.quality is None


def test_places_of_key_sentences(clips):
    places = make_report("three", "test", clips).keys
    assert isinstance(places, KeyPlaces)
    assert ((2.3 + 35.5 + 0.4) / 3, 0.4, 35.5) == about(places.seconds)
    assert ((2.3 / 6.5 + 35.5 / 40 + 0.1) / 3, 0.1, 35.5 / 40) == about(places.share)
    assert places.late == pytest.approx(1 / 3)


def test_voices_without_measurement_have_seconds_only(clips):
    assert make_report("three", "test", clips).voices == {
        "anna": VoiceQuality(2, 42.0), "ben": VoiceQuality(2, 2.8), "cara": VoiceQuality(1, 1.4)
    }  # fmt: skip


def test_rates_are_all_errors_over_all_words(clips, rows):
    report = make_report("three", "test", clips, rows)
    assert report.quality is not None
    assert report.quality.wer == pytest.approx(4 / 24)
    assert report.quality.wer_per_kind == pytest.approx({"meeting": 2 / 13, "lecture": 1 / 6, "conversation": 1 / 5})
    assert {name: voice.wer for name, voice in report.voices.items()} == pytest.approx(
        {"anna": 3 / 16, "ben": 1 / 5, "cara": 0.0}
    )


def test_opinions_are_means_over_recordings_under_their_scale(clips, rows):
    quality = make_report("three", "test", clips, rows).quality
    lecture = rows[1].turns[0].mos
    conversation = (5 * 0.8 + 6 * 1.6 + 7 * 0.9) / 3.3  # margins: 0.1 s on both sides of all, where there is sound
    assert quality.mos == pytest.approx(((3.7 + 3.2) / 5.3 + lecture + conversation) / 3, abs=1e-3)
    assert quality.mos_scale == "levels"


def test_questions_are_items_and_a_shared_recording_is_one(tmp_path):
    second = line("meeting_0", MEETING)
    second["metadata"]["id"], second["test_question"] = "open_0", {"question": "Where?"}
    write_lines(tmp_path, [line("meeting_0", MEETING), second])
    report = make_report("two", "test", read_spoken(tmp_path, "test"))
    assert (report.items, report.recordings, report.letters) == (2, 1, {"A": 1})
    assert report.voices["ben"] == VoiceQuality(1, 1.4)


def test_a_report_comes_back_from_its_file_with_a_card_beside_it(clips, rows, tmp_path):
    report = make_report("three", "test", clips, rows)
    card = quality_card("three", clips, Loudness(), LevelScore())
    path = write_report(report, card, tmp_path / "three_test.json")
    assert read_report(path) == report
    assert (tmp_path / "three_test.card.json").read_text() == card.model_dump_json(indent=2) + "\n"


def test_the_papers_row_stands_beside_and_scales_never_share_a_column(clips, rows):
    shown = table(make_report("three", "test", clips, rows))
    paper, ours = shown.to_dict("records")
    assert (paper["items"], paper["mean duration (s)"], paper["WER"]) == (1012, 87.89, 0.0389)
    assert paper["MOS (UTMOS-22)"] == 3.91 and pd.isna(paper["MOS (levels)"])
    assert (ours["items"], ours["mean duration (s)"], ours["WER"]) == (3, 16.83, 0.1667)
    assert pd.isna(ours["MOS (UTMOS-22)"]) and ours["WER by"] == "loudness"
    assert shown.index.tolist() == ["SPIRAL (arXiv 2412.12009, Section II-C)", "three test"]


def test_voices_are_listed_from_the_worst(clips, rows):
    shown = voice_table(make_report("three", "test", clips, rows))
    assert shown.index.tolist() == ["ben", "anna", "cara"]
    assert shown["recordings"].tolist() == [2, 2, 1] and "MOS (levels)" in shown
    assert voice_table(make_report("three", "test", clips)).columns.tolist() == ["recordings", "seconds", "WER"]


def test_rows_that_do_not_belong_together_are_refused(clips, rows, tmp_path):
    with pytest.raises(ValueError, match="conversation_0 was measured and is no recording of three test"):
        make_report("three", "test", clips[:1], rows)
    other = measure(clips, Loudness(), None, tmp_path / "other.jsonl", progress=False).rows
    with pytest.raises(ValueError, match="different measurers"):
        make_report("three", "test", clips, [rows[0], other[1]])
    with pytest.raises(ValueError, match="three test has no clips"):
        make_report("three", "test", [])

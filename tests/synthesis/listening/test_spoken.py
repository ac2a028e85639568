"""Clips out of a split: what is a turn, what may be absent, and what is refused."""

import copy

import pytest
from spoken_files import CONVERSATION, LECTURE, MEETING, line, write_benchmark, write_lines

from speechprune_lib.synthesis.listening.spoken import SpokenClip, SpokenError, Turn, read_spoken


def test_neighbouring_sentences_of_one_speaker_are_one_turn(tmp_path):
    first, *_ = read_spoken(write_benchmark(tmp_path), "test")
    assert first == SpokenClip(
        id="meeting_0",
        kind="meeting",
        topic="Houses",
        audio=tmp_path / "audio" / "meeting_0.wav",
        turns=(
            Turn("spk_anna", "anna", "We meet at noon. The key is under the mat.", 0.5, 4.0),
            Turn("spk_ben", "ben", "Thank you, uh, Anna.", 4.6, 6.0),
        ),
        duration_s=6.5,
        key_start_s=2.3,
        letter="A",
    )


def test_who_speaks_again_has_another_turn(tmp_path):
    *_, last = read_spoken(write_benchmark(tmp_path), "test")
    assert [turn.voice for turn in last.turns] == ["ben", "cara", "ben"]


def test_a_line_is_read_when_it_is_asked_for(tmp_path):
    path = write_lines(tmp_path, [line("meeting_0", MEETING)])
    path.write_text(path.read_text() + "no JSON\n")
    clips = read_spoken(tmp_path, "test")
    assert next(clips).id == "meeting_0"
    with pytest.raises(SpokenError, match=r"test\.jsonl:2: .*Invalid JSON"):
        next(clips)


def test_open_and_unanswerable_questions_have_no_letter_and_no_key(tmp_path):
    record = line("meeting_0", MEETING)
    record["test_question"] = {"question": "Where?", "reference_answers": ["Under the mat"]}
    record["audio_data"]["key_sentences"] = None
    write_lines(tmp_path, [record])
    (clip,) = read_spoken(tmp_path, "test")
    assert clip.letter is None and clip.key_start_s is None


def without(record: dict, *place: str) -> dict:
    *folders, name = place
    for folder in folders:
        record = record[folder]
    del record[name]
    return record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: without(r, "audio_data", "combined", "times"), r"audio_data\.combined\.times: Field required"),
        (lambda r: without(r, "metadata", "main_topic"), r"metadata\.main_topic: Field required"),
        (lambda r: without(r, "audio_data", "combined", "voices", "spk_ben"), "no voice is named for spk_ben"),
        (lambda r: r["transcript"].pop(), "the spoken sentences are not the transcript's"),
        (lambda r: r["audio_data"]["combined"]["times"].pop(), "2 times for 3 sentences"),
        (lambda r: r["audio_data"]["combined"]["times"].__setitem__(1, [4.0, 2.3]), "not 0 <= start < end"),
        (lambda r: r["audio_data"]["key_sentences"].update(indices=[3, 4]), "key sentence 3 is none of the 3"),
        (lambda r: r["test_question"].update(correct_answer="D. Cat"), "'D. Cat' is none of the choices"),
    ],
)
def test_what_is_missing_is_named_with_its_line(tmp_path, change, message):
    broken = copy.deepcopy(line("meeting_0", MEETING))
    change(broken)
    write_lines(tmp_path, [line("lecture_0", LECTURE), broken])
    with pytest.raises(SpokenError, match=rf"test\.jsonl:2: .*{message}.*build the benchmark again"):
        list(read_spoken(tmp_path, "test"))


def test_an_id_comes_once(tmp_path):
    write_lines(tmp_path, [line("conversation_0", CONVERSATION)] * 2)
    with pytest.raises(SpokenError, match=r":2: id 'conversation_0' is already that of line 1"):
        list(read_spoken(tmp_path, "test"))


def test_an_unknown_split_and_an_empty_one_are_refused(tmp_path):
    write_lines(tmp_path, [])
    with pytest.raises(SpokenError, match="holds no clips"):
        list(read_spoken(tmp_path, "test"))
    with pytest.raises(FileNotFoundError, match="no split 'dev' in .*which has: test"):
        list(read_spoken(tmp_path, "dev"))

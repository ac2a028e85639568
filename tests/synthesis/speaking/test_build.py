"""The builder with a stand-in for the speech engines: times, gaps, casting, resuming and refusals."""

import json

import numpy as np
import pytest
import soundfile
from written_item import ITEM, item

from speechprune_lib.audio import MP3_DELAY_SECONDS, load
from speechprune_lib.synthesis.speaking import recording as module
from speechprune_lib.synthesis.speaking.build import build
from speechprune_lib.synthesis.speaking.recording import speak
from speechprune_lib.synthesis.speaking.records import spiral_scripts
from speechprune_lib.synthesis.speaking.speech import Speech
from speechprune_lib.synthesis.speaking.voices import CAST, Speaker


@pytest.fixture(autouse=True)
def said(monkeypatch) -> list[str]:
    """0.25 s a word, after 60 ms of lead and before 100 ms of tail, as the real ones are trimmed."""
    said = []

    def say(speaker, text):
        said.append(text)
        words = tuple((w, 0.06 + 0.25 * i, 0.06 + 0.25 * (i + 1)) for i, w in enumerate(text.split()))
        samples = 0.1 * np.sin(np.arange(int((words[-1][2] + 0.1) * 16_000)) / 9)
        return Speech(samples.astype(np.float32), 16_000, words)

    monkeypatch.setattr(module.Speaker, "say", say)
    return said


@pytest.fixture
def folder(tmp_path):
    """A benchmark's folder, and a way to write its scripts."""

    def write(*scripts, **questions):
        (tmp_path / "texts/questions").mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts/all.jsonl").write_text("".join(json.dumps(s) + "\n" for s in scripts))
        for split, lines in questions.items():
            (tmp_path / f"texts/questions/{split}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        return tmp_path

    return write


def lines(folder, split: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text().splitlines()]


def test_times_are_where_the_words_are():
    samples, record = speak(ITEM, CAST)
    combined = record["combined"]
    assert combined["sentences"] == [s for turn in ITEM["transcript"] for s in turn["text"]]
    for sentence, (start, end) in zip(combined["sentences"], combined["times"], strict=True):
        assert end - start == pytest.approx(0.25 * len(sentence.split()), abs=2e-3)
        assert np.abs(samples[int(start * 16_000) : int(end * 16_000)]).max() > 0.5
    gaps = [b[0] - a[1] for a, b in zip(combined["times"], combined["times"][1:], strict=False)]
    assert 0.36 <= gaps[0] <= 0.61 + 1e-3  # within a turn: 0.2 to 0.45 s and the trimmed silence's 0.16 s
    assert all(0.51 - 1e-3 <= gap <= 0.86 + 1e-3 for gap in gaps[1:])  # between turns


@pytest.mark.parametrize("kbits", [24, 40])
def test_times_are_those_of_the_file_as_it_is_decoded(folder, kbits):
    root = folder(ITEM)
    build(root / "texts", root, kbits=kbits)
    combined = lines(root, "test")[0]["audio_data"]["combined"]
    heard, (spoken, _) = load(root / "audio/meeting_test_00.mp3"), speak(ITEM, CAST)
    delay = round(MP3_DELAY_SECONDS[kbits] * 16_000)
    lags = range(delay - 300, delay + 300)
    at = [float(heard[8000 + lag : 40_000 + lag] @ spoken[8000:40_000]) for lag in lags]
    assert lags[int(np.argmax(at))] == delay
    assert combined["duration"] == pytest.approx(len(heard) / 16_000, abs=1e-3)
    assert combined["times"][0][0] == pytest.approx(0.06 + MP3_DELAY_SECONDS[kbits], abs=1e-3)


def test_the_key_sentence_is_a_half_open_range(folder):
    root = folder(ITEM)
    build(root / "texts", root)
    key = lines(root, "test")[0]["audio_data"]["key_sentences"]
    assert key == {"speaker": "spk_1", "text": ITEM["original_key_sentence"], "indices": [1, 2]}


def test_one_voice_per_speaker_women_and_men_by_turns():
    _, record = speak(ITEM, CAST)
    first, second = record["combined"]["voices"].values()
    assert first != second
    by_name = {speaker.name: speaker.gender for speaker in CAST}
    assert {by_name[first], by_name[second]} == {"female", "male"}
    assert [speaker.gender for speaker in CAST] == ["female", "male"] * 6


def test_more_speakers_than_the_cast_has_are_refused():
    with pytest.raises(ValueError, match="meeting_test_00 has 2 speakers, the cast has 1"):
        speak(ITEM, CAST[:1])


def test_a_recording_that_fails_is_named_and_the_others_are_made(folder):
    root = folder(item("meeting_test_01", original_key_sentence="Not said."), ITEM)
    built = build(root / "texts", root)
    assert built.spoken == 1
    assert "the key sentence 'Not said.' is 0 of the sentences" in built.failed["meeting_test_01"]
    assert [line["metadata"]["id"] for line in lines(root, "test")] == ["meeting_test_00"]


def test_an_unknown_voice_is_named_and_nothing_is_lost(folder, monkeypatch):
    monkeypatch.undo()
    root = folder(ITEM)
    built = build(root / "texts", root, cast=[Speaker("nobody"), Speaker("no one", engine="voices")])
    assert "unknown flite voice 'nobody'" in str(built.failed) or "no speech engine 'voices'" in str(built.failed)
    assert not (root / "test.jsonl").exists()


def test_a_rerun_speaks_only_what_is_missing_or_changed(folder, said):
    root = folder(ITEM, item("meeting_dev_00", split="dev"))
    assert build(root / "texts", root).spoken == 2
    bytes_before = (root / "audio/meeting_test_00.mp3").read_bytes()
    rows_before = lines(root, "test")
    said.clear()
    built = build(root / "texts", root)
    assert (built.spoken, built.found, said) == (0, 2, [])
    (root / "audio/meeting_test_00.mp3").write_bytes(b"cut short")
    assert build(root / "texts", root).spoken == 1
    assert (root / "audio/meeting_test_00.mp3").read_bytes() == bytes_before
    assert lines(root, "test") == rows_before
    changed = item(
        "meeting_dev_00", split="dev", transcript=[*ITEM["transcript"], {"speaker": "spk_2", "text": ["Bye."]}]
    )
    root = folder(ITEM, changed)
    assert build(root / "texts", root).spoken == 1


def test_a_killed_build_goes_on_where_it_was(folder, said, monkeypatch):
    root = folder(ITEM, item("meeting_test_01"))
    spoken_by_now = len([s for turn in ITEM["transcript"] for s in turn["text"]])
    real = module.Speaker.say

    def killed(speaker, text):
        if len(said) == spoken_by_now + 1:
            raise KeyboardInterrupt
        return real(speaker, text)

    monkeypatch.setattr(module.Speaker, "say", killed)
    with pytest.raises(KeyboardInterrupt):
        build(root / "texts", root)
    monkeypatch.setattr(module.Speaker, "say", real)
    built = build(root / "texts", root)
    assert (built.found, built.spoken) == (1, 1)
    assert len(lines(root, "test")) == 2


def test_several_questions_share_a_recording(folder):
    second = ITEM["test_question"] | {"question": "When do we meet?"}
    several = item(
        "meeting_long_00",
        split="long",
        test_question=[ITEM["test_question"], second],
        original_key_sentence=["The key is under the mat.", "We meet at noon."],
    )
    root = folder(several)
    build(root / "texts", root)
    first, other = lines(root, "long")
    assert [first["metadata"]["id"], other["metadata"]["id"]] == ["meeting_long_00_q1", "meeting_long_00_q2"]
    assert first["audio_data"]["combined"] == other["audio_data"]["combined"]
    assert other["audio_data"]["key_sentences"]["indices"] == [0, 1]
    assert len(list((root / "audio").glob("*.mp3"))) == 1


def test_further_questions_are_a_split_of_their_own(folder):
    absent = {
        "id": "absent_00",
        "recording": "meeting_test_00",
        "question": "Whose key is it?",
        "choices": ["A. Not mentioned", "B. Ann's"],
        "correct_answer": "A. Not mentioned",
        "original_key_sentence": None,
    }
    root = folder(ITEM, absent=[absent])
    build(root / "texts", root)
    line = lines(root, "absent")[0]
    assert line["audio_data"]["key_sentences"] is None
    assert line["test_question"]["question"] == "Whose key is it?"
    assert line["audio_data"]["combined"]["audio_files"] == ["meeting_test_00.mp3"]
    wrong = [absent | {"id": "absent_01", "recording": "meeting_test_07"}]
    wrong.append(absent | {"id": "absent_02", "original_key_sentence": "Not said."})
    wrong.append(absent | {"id": "absent_03", "correct_answer": "C. Bob's"})
    wrong.append({name: value for name, value in absent.items() if name not in ("id", "question")})
    wrong.append(["no", "object"])
    root = folder(ITEM, absent=[absent, *wrong])
    built = build(root / "texts", root)
    assert "asks about 'meeting_test_07', and there is no such script" in built.failed["absent_01"]
    assert "'Not said.' occurs 0 times" in built.failed["absent_02"]
    assert '"C. Bob\'s" is none of the choices' in built.failed["absent_03"]
    assert "it has no id, question, expected" in built.failed["absent.jsonl:5"]
    assert "absent.jsonl:6" in built.failed
    assert [line["metadata"]["id"] for line in lines(root, "absent")] == ["absent_00"]


def test_scripts_that_cannot_be_used_are_named_and_the_rest_is_made(folder, tmp_path):
    answer = item("meeting_test_01", test_question=ITEM["test_question"] | {"correct_answer": "E. v"})
    speaker = item("meeting_test_02", transcript=[{"speaker": "Bob", "text": ["The key is under the mat."]}])
    without = {name: value for name, value in item("meeting_test_03").items() if name != "split"}
    root = folder(ITEM, ITEM, answer, speaker, without)
    with (root / "texts/all.jsonl").open("a") as texts:
        texts.write("\n" + json.dumps(ITEM)[:50] + "\n")
    built = build(root / "texts", root)
    assert (built.spoken, built.splits) == (1, ("test",))
    assert "'meeting_test_00' is already another script's" in built.failed["all.jsonl:2"]
    assert "'E. v' is none of the options" in built.failed["meeting_test_01"]
    assert "Bob" in built.failed["meeting_test_02"]
    assert "split" in built.failed["meeting_test_03"]
    assert "not a whole line of JSON" in built.failed["all.jsonl:7"]
    with pytest.raises(FileNotFoundError, match=r"no \*\.jsonl transcripts"):
        build(tmp_path / "nothing", root)


def test_a_split_that_is_no_more_goes_and_other_files_stay(folder):
    root = folder(ITEM, item("meeting_dev_00", split="dev"))
    build(root / "texts", root)
    (root / "failures.jsonl").write_text('{"id": "meeting_9", "error": "as stage 1 leaves it"}\n')
    root = folder(ITEM)
    assert build(root / "texts", root).splits == ("test",)
    assert not (root / "dev.jsonl").exists()
    assert (root / "failures.jsonl").exists()


def test_spirals_annotations_become_scripts(tmp_path):
    released = ITEM | {"audio_data": {"key_sentences": {}, "combined": {}}}
    del released["split"]
    (tmp_path / "data.jsonl").write_text(json.dumps(released) + "\n")
    assert list(spiral_scripts(tmp_path / "data.jsonl")) == [ITEM]
    sentences = ["We meet", "at noon. The key is", "under the mat.", "Thank you, näive friend.", "Goodbye."]

    def script(*indices, speaker="spk_1"):
        key = {"speaker": speaker, "indices": indices}
        recorded = released | {"audio_data": {"key_sentences": key, "combined": {"sentences": sentences}}}
        (tmp_path / "data.jsonl").write_text(json.dumps(recorded) + "\n")
        (one,) = spiral_scripts(tmp_path / "data.jsonl")
        return one["original_key_sentence"], [turn["text"] for turn in one["transcript"]]

    rest = [["Thank you, näive friend."], ["Goodbye."]]
    assert script(1, 3) == (
        "at noon. The key is under the mat.",
        [["We meet", "at noon. The key is under the mat."], *rest],
    )
    assert script(3, 4, speaker="spk_2") == ("Thank you, näive friend.", [sentences[:3], *rest])
    assert script(2, 4, speaker="spk_2")[0] == "Thank you, näive friend."  # two speakers say it: each their own
    sentences[0] = "They meet"
    assert script(2, 3)[0] == ITEM["original_key_sentence"]  # other words than the turns': left as it is
    (tmp_path / "data.jsonl").write_text(json.dumps(released)[:80])
    with pytest.raises(ValueError, match="fetch the annotations again"):
        list(spiral_scripts(tmp_path / "data.jsonl"))


def test_the_file_is_16_khz_mono(folder):
    root = folder(ITEM)
    build(root / "texts", root)
    told = soundfile.info(root / "audio/meeting_test_00.mp3")
    assert (told.samplerate, told.channels) == (16_000, 1)
    assert "split" not in lines(root, "test")[0]

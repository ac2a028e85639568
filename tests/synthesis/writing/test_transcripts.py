"""The loop of stage 1: balance, resuming after a kill, items that fail while the rest goes on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from threading import Barrier

import pytest
from conftest import KEY, Answer, Endpoint, refuses, says
from fake_writer import FakeWriter, reply_to

from speechprune_lib.synthesis.writing.plan import TranscriptPlan
from speechprune_lib.synthesis.writing.scripts import Script, ScriptError, read_scripts
from speechprune_lib.synthesis.writing.transcripts import store_scripts, write_benchmark, written_ids
from speechprune_lib.synthesis.writing.writers import WriterError, WriterUnavailableError
from speechprune_lib.synthesis.writing.writers.openai_writer import OpenAIWriter

PLAN = TranscriptPlan(splits=(("test", 24), ("dev", 6)), main_topics=3)
SMALL = TranscriptPlan(splits=(("test", 3),), words=80)


def items(out: Path, split: str = "test") -> list[Script]:
    return list(read_scripts(out / "texts" / f"{split}.jsonl"))


def failures(out: Path) -> list[dict]:
    path = out / "failures.jsonl"
    return [json.loads(line) for line in path.read_text("utf8").splitlines()] if path.exists() else []


def share_before_key(script: Script) -> float:
    index = script.sentences.index(script.original_key_sentence)
    words = [len(sentence.split()) for sentence in script.sentences]
    return sum(words[:index]) / sum(words)


def test_letters_are_balanced_and_places_even_in_what_is_written(tmp_path: Path) -> None:
    written = write_benchmark(FakeWriter(), tmp_path, PLAN, progress=False)
    assert (written.items, written.failures, written.texts) == (30, (), tmp_path / "texts")
    scripts = items(tmp_path)
    assert Counter(s.test_question.correct_answer[0] for s in scripts) == {"A": 6, "B": 6, "C": 6, "D": 6}
    for kind in ("lecture", "meeting", "conversation"):
        shares = sorted(share_before_key(s) for s in scripts if s.metadata.transcript_type == kind)
        assert shares == pytest.approx([(number + 0.5) / 8 for number in range(8)], abs=0.1)
    shares = sorted(share_before_key(s) for s in scripts)
    assert shares == pytest.approx([(number + 0.5) / 24 for number in range(24)], abs=0.06)
    assert len({(s.metadata.main_topic, s.metadata.subtopic) for s in scripts + items(tmp_path, "dev")}) == 10
    assert sum(len(s.transcript) > 1 for s in scripts) == 16


def test_wrong_options_come_in_any_order(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path, PLAN, progress=False)
    wrong = ("Stone eleven", "Stone twelve", "Stone thirteen")
    orders = {tuple(c[3:] for c in s.test_question.choices if c[3:] in wrong) for s in items(tmp_path)}
    assert len(orders) >= 4


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write_benchmark(FakeWriter(), whole, PLAN, progress=False)
    out, calls = tmp_path / "out", Counter()

    def kill(_prompt: str) -> None:
        calls["all"] += 1
        if calls["all"] == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_benchmark(FakeWriter(kill), out, PLAN, progress=False)
    done = items(out)
    assert 0 < len(done) < 24
    with (out / "texts" / "test.jsonl").open("a", encoding="utf8") as file:
        file.write('{"split": "test", "transcript": [{"spea')  # the kill came in the middle of a line
    writer = FakeWriter()
    assert write_benchmark(writer, out, PLAN, progress=False).failures == ()
    assert len(writer.prompts) == 3 * (30 - len(done))
    for split in ("test", "dev"):
        assert (out / "texts" / f"{split}.jsonl").read_bytes() == (whole / "texts" / f"{split}.jsonl").read_bytes()


def test_what_is_written_is_told_and_nothing_changes(tmp_path: Path) -> None:
    assert written_ids(tmp_path / "none", SMALL) == set() and not (tmp_path / "none").exists()
    write_benchmark(FakeWriter(), tmp_path, SMALL, progress=False)
    path = tmp_path / "texts" / "test.jsonl"
    path.write_text(path.read_text("utf8")[:-40], encoding="utf8")  # the kill came in the last line
    before = path.read_bytes()
    assert written_ids(tmp_path, SMALL) == {"lecture_test_00", "meeting_test_00"}
    assert path.read_bytes() == before
    with pytest.raises(ScriptError, match="another plan"):
        written_ids(tmp_path, PLAN)


def test_a_finished_benchmark_asks_nothing_more(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path, SMALL, progress=False)
    path = tmp_path / "texts" / "test.jsonl"
    path.write_text(path.read_text("utf8").rstrip("\n"), encoding="utf8")  # as some editors leave it
    writer = FakeWriter()
    assert write_benchmark(writer, tmp_path, SMALL, progress=False).items == 3
    assert writer.prompts == [] and len(items(tmp_path)) == 3


def test_two_items_are_written_at_once_and_are_those_of_one_by_one(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path / "one", PLAN, progress=False)
    in_flight = Barrier(2)

    def meet(prompt: str) -> None:
        if "List " not in prompt:  # the topics come before
            in_flight.wait(60)

    written = write_benchmark(FakeWriter(meet), tmp_path / "two", PLAN, progress=False, workers=2)
    assert (written.items, written.failures, failures(tmp_path / "two")) == (30, (), [])
    for split in ("test", "dev"):
        one, two = (sorted(map(repr, items(tmp_path / folder, split))) for folder in ("one", "two"))
        assert one == two
    assert written_ids(tmp_path / "two", PLAN) == {slot.id for slot in PLAN.slots()}
    with pytest.raises(ValueError, match="there are 0 workers, expected 1 or more"):
        write_benchmark(FakeWriter(), tmp_path / "none", PLAN, workers=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_item_that_fails_three_times_is_listed_and_the_rest_goes_on(workers: int, tmp_path: Path) -> None:
    tries = Counter()

    def fail(prompt: str) -> None:
        if "a meeting at work" in prompt:
            tries["meeting"] += 1
            raise WriterError("the endpoint gives no reply: 429")

    written = write_benchmark(FakeWriter(fail), tmp_path, SMALL, progress=False, workers=workers)
    assert (written.items, written.failures, tries["meeting"]) == (2, ("meeting_test_00",), 3)
    error = "the endpoint gives no reply: 429"
    assert failures(tmp_path) == [{"id": "meeting_test_00", "split": "test", "attempts": 3, "error": error}]
    assert {s.metadata.id for s in items(tmp_path)} == {"lecture_test_00", "conversation_test_00"}
    assert write_benchmark(FakeWriter(), tmp_path, SMALL, progress=False).items == 3
    assert failures(tmp_path) == [] and len(items(tmp_path)) == 3


@pytest.mark.parametrize(
    ("failing", "message"),
    [("recordings of one kind: meetings.\n", "meeting has no main topics: no reply"), ("main topics is", "subtopics")],
)
def test_topics_that_fail_are_told_for_their_items(failing: str, message: str, tmp_path: Path) -> None:
    def fail(prompt: str) -> None:
        if failing in prompt:
            raise WriterError("no reply")

    written = write_benchmark(FakeWriter(fail), tmp_path, SMALL, progress=False)
    assert written.items + len(written.failures) == 3 and written.failures
    assert all(message in failure["error"] for failure in failures(tmp_path))


def test_topics_may_be_edited_before_items_are_written(tmp_path: Path) -> None:
    tree = {"lecture": {"Bees": ["A swarm"]}, "meeting": {"Bells": ["A crack"]}, "conversation": {"Boats": []}}
    (tmp_path / "topics.json").write_text(json.dumps(tree))
    write_benchmark(FakeWriter(), tmp_path, SMALL, progress=False)
    topics = [(s.metadata.main_topic, s.metadata.subtopic) for s in items(tmp_path)]
    assert topics == [("Bees", "A swarm"), ("Bells", "A crack"), ("Boats", "Boats one")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"lecture": {"Bees": ["A swarm"]}, "mee', "topics.json: .*Invalid JSON"),
        ('{"podcast": {}}', "topics.json: podcast.*'lecture', 'meeting' or 'conversation'"),
        ('{"lecture": {"Bees": ["A swarm"]}}', "no place lecture/0/1, which lecture_test_01 is to be about"),
    ],
)
def test_topics_that_cannot_be_used_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "topics.json").write_text(text)
    plan = TranscriptPlan(splits=(("test", 4),), main_topics=1)
    with pytest.raises(ScriptError, match=message):
        write_benchmark(FakeWriter(), tmp_path, plan, progress=False)


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path, SMALL, progress=False)
    with pytest.raises(ScriptError, match="another plan"):
        write_benchmark(FakeWriter(), tmp_path, TranscriptPlan(splits=(("test", 6),), words=80), progress=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_writer_that_is_out_of_reach_stops_the_run(workers: int, tmp_path: Path) -> None:
    def out_of_reach(prompt: str) -> None:
        if "an everyday conversation" in prompt:
            raise WriterUnavailableError("the quota is used up")

    with pytest.raises(WriterUnavailableError):
        write_benchmark(FakeWriter(out_of_reach), tmp_path, SMALL, progress=False, workers=workers)
    assert len(items(tmp_path)) == 2
    writer = FakeWriter()
    assert write_benchmark(writer, tmp_path, SMALL, progress=False, workers=workers).items == 3
    assert len(writer.prompts) == 3


def test_hand_written_items_are_stored_by_split(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path / "a", PLAN, progress=False)
    scripts = items(tmp_path / "a") + items(tmp_path / "a", "dev")
    stored = store_scripts(scripts, tmp_path / "b")
    assert (stored.items, stored.texts) == (30, tmp_path / "b" / "texts")
    assert items(tmp_path / "b", "dev") == items(tmp_path / "a", "dev")
    assert store_scripts(scripts, tmp_path / "b") == stored
    with pytest.raises(ScriptError, match="texts of other making"):
        store_scripts(scripts, tmp_path / "a")
    with pytest.raises(ScriptError, match="texts of other making \\(dev\\)"):
        store_scripts(items(tmp_path / "a"), tmp_path / "b")
    with pytest.raises(ScriptError, match="texts without a plan"):
        write_benchmark(FakeWriter(), tmp_path / "b", PLAN, progress=False)


def test_hand_written_items_do_not_push_others_out(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path / "a", PLAN, progress=False)
    first, second, *_ = items(tmp_path / "a")
    (dev, *_) = items(tmp_path / "a", "dev")
    out = tmp_path / "b"
    store_scripts([first, second], out)
    with pytest.raises(ScriptError, match=f"test.jsonl holds '{first.metadata.id}', .* would be lost: add it"):
        store_scripts([dev, second], out)
    assert items(out) == [first, second] and not (out / "texts" / "dev.jsonl").exists()
    store_scripts([second, first.model_copy(update={"split": "dev"})], out)
    assert items(out) == [second]
    assert [script.metadata.id for script in items(out, "dev")] == [first.metadata.id]


@pytest.mark.parametrize("workers", [1, 3])
def test_an_endpoint_in_trouble_costs_one_item_and_no_other(workers: int, tmp_path: Path, endpoint: Endpoint) -> None:
    """Half a JSON once, 429 once, and a conversation that is never answered but by 429."""
    endpoint.answers = [says('{"topics": ["Fie'), refuses(429, "slow down", retry_after_s=0.01)]

    def answer(request: dict) -> Answer:
        prompt = request["messages"][0]["content"]
        if "an everyday conversation" in prompt:
            return refuses(429, "too many requests", retry_after_s=0.01)
        return says(json.dumps(reply_to(prompt, request["response_format"]["json_schema"]["name"])))

    endpoint.always = answer
    writer = OpenAIWriter("m", endpoint.url, retries=1)
    written = write_benchmark(writer, tmp_path, SMALL, progress=False, workers=workers)
    writer.close()
    assert (written.items, written.failures) == (2, ("conversation_test_00",))
    (failure,) = failures(tmp_path)
    assert "429" in failure["error"] and "too many requests" in failure["error"]
    assert not any(KEY in path.read_text("utf8") for path in tmp_path.rglob("*") if path.is_file())

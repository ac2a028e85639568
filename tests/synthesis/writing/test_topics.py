"""Topics that the writer does not have fail for their own items alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fake_writer import FakeWriter

from speechprune_lib.synthesis.writing.plan import TranscriptPlan
from speechprune_lib.synthesis.writing.topics import fill_topics
from speechprune_lib.synthesis.writing.writers import WriterError

PLAN = TranscriptPlan(splits=(("test", 3),))


def test_a_main_topic_that_fails_in_one_kind_stays_in_the_others(tmp_path: Path) -> None:
    """All kinds have the main topic "Field zero" or so: the fake writer names them alike."""

    def fail(prompt: str) -> None:
        if "main topics is" in prompt and "lecture" in prompt:
            raise WriterError("no reply")

    topics = fill_topics(FakeWriter(fail), tmp_path / "topics.json", PLAN, progress=False)
    lecture, meeting, conversation = PLAN.slots()
    (main_topic,) = topics.tree["lecture"]
    assert topics.missing == {("lecture", main_topic): "no reply"}
    with pytest.raises(WriterError, match=f"lecture's '{main_topic}' has no subtopics: no reply"):
        topics.of(lecture)
    assert {topics.of(slot)[0] for slot in (meeting, conversation)} == {main_topic}


def test_a_kind_that_fails_is_not_a_main_topic_of_its_name(tmp_path: Path) -> None:
    def fail(prompt: str) -> None:
        if "recordings of one kind: meetings.\n" in prompt:
            raise WriterError("no reply")

    topics = fill_topics(FakeWriter(fail), tmp_path / "topics.json", PLAN, progress=False)
    topics.tree["lecture"] = {"meeting": ["How to lead one"]}
    lecture, meeting, _ = PLAN.slots()
    assert topics.of(replace(lecture, sub=0)) == ("meeting", "How to lead one")
    with pytest.raises(WriterError, match="meeting has no main topics: no reply"):
        topics.of(meeting)

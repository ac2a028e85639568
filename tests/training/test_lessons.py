"""Lessons ask for what is said in what is heard."""

import random

import pytest

from speechprune_lib.training.lessons import LessonMaker, LessonPlan


@pytest.fixture
def maker(corpus) -> LessonMaker:
    return LessonMaker(corpus, LessonPlan(wrong=2))


def test_every_kind_of_lesson_is_drawn(maker):
    lessons = [maker.draw(random.Random(seed)) for seed in range(200)]
    assert {len(lesson.spans) for lesson in lessons} == {0, 1, 2}
    asked = {one.instruction.split("\n")[0] for lesson in lessons for one in lesson.asked}
    assert {"Question: How many dogs does Anna have?", "Repeat what was said."} <= asked


def test_spans_hold_frames_of_their_clip_and_no_held_out_one(maker):
    for seed in range(200):
        for span in maker.draw(random.Random(seed)).spans:
            assert 0 <= span.start < span.stop <= 750
            assert (span.shard, span.first_window) != (2, 0)


def test_a_passage_is_heard_whole_and_asked_with_its_wrong_options(maker):
    lessons = [maker.draw(random.Random(seed)) for seed in range(200)]
    compared = [one for lesson in lessons for one in lesson.asked if one.wrong]
    assert compared
    for one in compared:
        assert one.reply == "Three dogs"
        assert len(one.wrong) == 2
        assert set(one.wrong) < {"Two dogs", "A cat", "A mat"}
    whole = [lesson.spans for lesson in lessons if any(one.wrong for one in lesson.asked) and lesson.spans]
    assert all(any((s.shard, s.start, s.stop) == (2, 0, 750) for s in spans) for spans in whole)


def test_the_text_is_what_the_spans_say(maker, corpus):
    """Sentences of 2.8 and 1.6 s; a passage's clip says both five times, in turns."""
    cat, dogs = "The cat sat on a red mat.", "Anna has three dogs."
    for seed in range(200):
        lesson = maker.draw(random.Random(seed))
        if len(lesson.spans) != 1:
            assert lesson.text.count(cat) == lesson.text.count(dogs) == 5 * max(1, len(lesson.spans))
            continue
        (span,) = lesson.spans
        (clip,) = (c for c in corpus.clips(span.shard) if c["first_window"] == span.first_window)
        inside = [
            s for s in clip["sentences"] if s["words"][0][1] * 25 >= span.start and s["words"][-1][2] * 25 <= span.stop
        ]
        assert lesson.text == " ".join(s["sentence"] for s in inside)


def test_the_held_out_passage_is_asked_with_all_its_options(maker):
    (lesson,) = maker.held_out()
    assert [(span.shard, span.first_window) for span in lesson.spans] == [(2, 0)]
    assert lesson.asked[0].wrong == ("Two dogs", "A cat", "A mat")


def test_a_question_is_asked_of_a_span_that_answers_it_once(maker):
    for seed in range(200):
        lesson = maker.draw(random.Random(seed))
        for one in lesson.asked:
            if not one.wrong and "How many" in one.instruction:
                assert one.reply == "Three"
                assert lesson.spans[0].stop - lesson.spans[0].start >= 1.6 * 25

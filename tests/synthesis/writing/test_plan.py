"""What the plan balances, counted from its slots."""

from __future__ import annotations

from collections import Counter

import pytest

from speechprune_lib.synthesis.writing.plan import TranscriptPlan
from speechprune_lib.synthesis.writing.scripts import KINDS

PLAN = TranscriptPlan(splits=(("test", 96), ("dev", 50)), main_topics=7, seed=3)


@pytest.mark.parametrize(("split", "items"), PLAN.splits)
def test_letters_and_places_are_even_in_a_split_and_in_its_kinds(split: str, items: int) -> None:
    slots = [slot for slot in PLAN.slots() if slot.split == split]
    assert len(slots) == items
    for part in (slots, *([slot for slot in slots if slot.kind == kind] for kind in KINDS)):
        letters = Counter(slot.letter for slot in part)
        assert set(letters) == {0, 1, 2, 3} and max(letters.values()) - min(letters.values()) <= 1
        parts = sorted(int(slot.place * len(part)) for slot in part)
        assert parts == list(range(len(part))) or len(part) == 50  # of 17, 17 and 16 the grids do not mesh


def test_three_items_lie_in_three_thirds() -> None:
    places = sorted(slot.place for slot in TranscriptPlan(splits=(("test", 3),)).slots())
    assert places == pytest.approx([1 / 6, 3 / 6, 5 / 6])


def test_letters_do_not_follow_places() -> None:
    halves = Counter((slot.letter, slot.place < 0.5) for slot in TranscriptPlan(splits=(("test", 960),)).slots())
    assert all(90 <= count <= 150 for count in halves.values()) and len(halves) == 8


def test_speakers_are_as_many_as_the_kind_has() -> None:
    counts = Counter((slot.kind, slot.speakers) for slot in PLAN.slots() if slot.split == "test")
    assert counts == {
        ("lecture", 1): 32,
        ("meeting", 3): 11,
        ("meeting", 4): 11,
        ("meeting", 5): 10,
        ("conversation", 2): 11,
        ("conversation", 3): 11,
        ("conversation", 4): 10,
    }


def test_every_item_has_an_id_and_a_subtopic_of_its_own() -> None:
    slots = PLAN.slots()
    assert len({slot.id for slot in slots}) == len({(slot.kind, slot.main, slot.sub) for slot in slots}) == 146
    for slot in slots:
        mains, subs = PLAN.topics_of(slot.kind)
        assert slot.main < mains == 7 and slot.sub < subs == 7  # 49 lectures and meetings, 48 conversations
    assert slots[0].id == "lecture_test_00"


def test_the_same_plan_gives_the_same_slots_and_another_seed_others() -> None:
    assert PLAN.slots() == TranscriptPlan(splits=PLAN.splits, main_topics=7, seed=3).slots()
    assert PLAN.slots() != TranscriptPlan(splits=PLAN.splits, main_topics=7, seed=4).slots()


def test_one_item_is_a_lecture() -> None:
    (slot,) = TranscriptPlan(splits=(("test", 1),)).slots()
    assert (slot.kind, slot.letter) == ("lecture", 0) and 0 < slot.place < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": ()}, "the splits are called"),
        ({"splits": (("test", 1), ("test", 2))}, "expected different names"),
        ({"splits": (("../test", 1),)}, "the splits are called \\['../test'\\]"),
        ({"splits": (("test", 0),)}, "'test' has 0 items, expected 1 or more"),
        ({"words": 20}, "have 20 words, expected 60 to 2000"),
        ({"main_topics": 0}, "are 0 main topics"),
    ],
)
def test_what_cannot_be_planned_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TranscriptPlan(**options)

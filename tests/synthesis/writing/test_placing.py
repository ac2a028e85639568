"""Gaps counted by hand: five-word sentences, so that 17 words for the key sentence make 37 in all."""

from __future__ import annotations

import pytest

from speechprune_lib.synthesis.writing.drafts import Dialogue
from speechprune_lib.synthesis.writing.placing import as_text, gap_at, joined, with_sentence
from speechprune_lib.synthesis.writing.scripts import Turn

TURNS = (
    Turn(speaker="spk_1", text=("One two three four five.", "Six seven eight nine ten.")),
    Turn(speaker="spk_2", text=("So much for the numbers.",)),
    Turn(speaker="spk_1", text=("I could go on though.",)),
)


@pytest.mark.parametrize(
    ("place", "gap"),
    [
        (0.0, (0, 0)),
        (0.1, (0, 1)),  # 3.7 of 37 words: 5 are nearer than 0
        (0.3, (1, 0)),  # 11.1: behind ten
        (0.45, (2, 0)),  # 16.7: behind fifteen
        (0.95, (2, 1)),  # behind all twenty
    ],
)
def test_the_gap_nearest_to_the_place_is_found(place: float, gap: tuple[int, int]) -> None:
    assert gap_at(TURNS, place) == gap


def test_the_sentence_goes_to_whose_turn_it_is() -> None:
    turns = with_sentence(TURNS, (1, 0), "Hear, hear.")
    assert [turn.speaker for turn in turns] == ["spk_1", "spk_2", "spk_1"]
    assert turns[1].text == ("Hear, hear.", "So much for the numbers.")
    assert with_sentence(TURNS, (2, 1), "The end.")[2].text == ("I could go on though.", "The end.")


def test_neighbouring_turns_of_one_speaker_are_one_turn() -> None:
    turns = [
        {"speaker": "spk_1", "text": ["A.", "B."]},
        {"speaker": "spk_2", "text": []},
        {"speaker": "spk_1", "text": ["C."]},
        {"speaker": "spk_2", "text": ["D."]},
    ]
    assert as_text(joined(Dialogue.model_validate({"turns": turns}))) == "spk_1: A. B. C.\nspk_2: D."

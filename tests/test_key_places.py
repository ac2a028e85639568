"""Places of the key sentence, by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from fake_model import make_examples

from speechprune_lib.key_places import by_place, edge_in_key, window_of_key
from speechprune_lib.statistics import wilson

SPANS = [((2.0, 5.0),), ((60.0, 63.0),), ((29.0, 32.0),), ((40.0, 41.0), (59.0, 61.0)), ()]


@pytest.fixture
def examples(tmp_path):
    made = make_examples(tmp_path, len(SPANS))
    return [replace(one, key_spans=spans) for one, spans in zip(made, SPANS, strict=True)]


def test_windows_and_edges(examples):
    assert [window_of_key(one) for one in examples[:4]] == ["0 to 30 s", "after 60 s", "0 to 30 s", "30 to 60 s"]
    edges = ["within one window", "within one window", "cut by a window's edge", "cut by a window's edge"]
    assert [edge_in_key(one) for one in examples[:4]] == edges


def rows(examples, **fields):
    names = [one.id for one in examples]
    asked = {"method": "rap", "options": "{}", "rate": 0.2, "seed": 0, "scoring": "letter", "answer": 0}
    return pd.DataFrame({"example": names} | asked | {"tokens_total": 750, "tokens_kept": 600} | fields)


def test_questions_are_counted_once_and_their_seeds_averaged(examples):
    first = rows(examples, correct=[True, True, False, False, True], evidence_recall=[0.5, 0.2, 0.1, 0.4, None])
    second = rows(examples, seed=1, correct=[False] * 5, evidence_recall=[0.7, 0.2, 0.1, 0.4, None])
    table = by_place(pd.concat([first, second]), examples, window_of_key).set_index("place")
    assert table["questions"].tolist() == [2, 1, 1]  # the question without a key sentence is in no place
    line = table.loc["0 to 30 s"]
    assert (line["accuracy"], line["evidence_recall"]) == (0.25, pytest.approx(0.35))
    assert (line["low"], line["high"]) == wilson(0, 2)  # half a question right is none, rounded to even


def test_rows_of_other_questions_are_refused(examples):
    with pytest.raises(ValueError, match=f"no example '{examples[-1].id}' .1 in all."):
        by_place(rows(examples, correct=True, evidence_recall=0.1), examples[:-1], window_of_key)

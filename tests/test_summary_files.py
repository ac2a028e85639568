"""Tables that go into a file come out as they went in, and hold no question."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from answer_rows import CARD, row
from fake_model import make_examples

from speechprune_lib.answers import ResultsError
from speechprune_lib.blind import beside
from speechprune_lib.models.mini.load import FOLDER, revision
from speechprune_lib.results import read_rows
from speechprune_lib.store import ResultStore
from speechprune_lib.summary import Pace, readable, summarize
from speechprune_lib.summary_files import Table, read_summary, write_summary

SUMMARIES = Path(__file__).resolve().parents[1] / "data" / "results" / "summaries"


@pytest.fixture
def summary(tmp_path) -> pd.DataFrame:
    examples = make_examples(tmp_path, 2)
    with ResultStore(tmp_path / "answers.sqlite").open(CARD) as store:
        for example in examples:
            store.add(row(example=example.id, evidence_recall=0.25))
            store.add(row(example=example.id, method="no-audio", rate=None, seed=None, correct=False, tokens_kept=0))
    return beside(summarize(read_rows(tmp_path / "answers.sqlite")), examples)


def test_what_is_written_is_read(tmp_path, summary):
    path = tmp_path / "deep" / "summary.json"
    tables = [Table.of("by rate", summary, "2 questions"), Table.of("", summary.head(1), "")]
    write_summary(path, CARD, tables, Pace(shared=0.5, unshared=0.125))
    read = read_summary(path)
    assert (read.card, read.pace) == (CARD, Pace(shared=0.5, unshared=0.125))
    assert [(table.title, table.beneath, len(table.lines)) for table in read.tables] == [
        ("by rate", "2 questions", len(summary)),
        ("", "", 1),
    ]
    pd.testing.assert_frame_equal(read.tables[0].summary(), summary, check_dtype=False)
    pd.testing.assert_frame_equal(readable(read.tables[0].summary()), readable(summary))


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "summary.json"
    with pytest.raises(FileNotFoundError, match="no summary at .*summary.json: check the path"):
        read_summary(path)
    path.write_text('{"card": {}}')
    with pytest.raises(ResultsError, match="summary.json: no summary of a run"):
        read_summary(path)


def test_the_committed_summaries_are_of_the_committed_model():
    found = sorted(SUMMARIES.glob("*.json"))
    assert found
    for path in found:
        read = read_summary(path)
        assert read.card.model_revision == revision(FOLDER), f"{path.name} is of another model: make it again"
        assert all(table.summary()["n"].nunique() == 1 for table in read.tables)

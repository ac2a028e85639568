"""Committed runs are found by what their cards say, and their hard part by their own first 30 s."""

from __future__ import annotations

from pathlib import Path

import pytest
from committed_rows import write_run

from speechprune_lib.committed import committed_runs, hard_part, runs_of

CONDITIONS = [("original", None, None, "1100"), ("rap", 0.2, 0, "1010"), ("rap", 0.2, 1, "0010")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path, "whole", "qwen2-audio", "spiral", CONDITIONS)
    write_run(tmp_path, "small", "mini", "spiral-mini", CONDITIONS)
    (tmp_path / "counts.jsonl").write_text("{}\n")  # no card: no run
    return tmp_path


def test_runs_are_read_with_their_cards(folder: Path) -> None:
    runs = committed_runs(folder)
    assert list(runs) == ["small", "whole"]
    assert (runs["small"].model, runs["small"].benchmark, len(runs["small"].rows)) == ("mini", "spiral-mini", 12)
    assert [run.name for run in runs_of(runs.values(), "qwen2-audio", "spiral")] == ["whole"]
    assert runs_of(runs.values(), "diva", "spiral") == []


def test_the_hard_part_is_what_the_first_30_s_get_wrong(folder: Path) -> None:
    (hard,) = runs_of(committed_runs(folder).values(), "qwen2-audio", "spiral-h")
    assert hard.benchmark == "spiral-h" and set(hard.rows["example"]) == {"item2", "item3"}
    summary = hard.summary().set_index("method")["accuracy"]
    assert (summary["original"], summary["rap"]) == (0.0, 0.5)


def test_a_hard_benchmark_of_its_own_goes_first(folder: Path) -> None:
    write_run(folder, "hard", "qwen2-audio", "spiral-h", [("original", None, None, "0000")])
    assert [run.name for run in runs_of(committed_runs(folder).values(), "qwen2-audio", "spiral-h")] == ["hard"]


def test_what_has_no_hard_part_says_so(folder: Path) -> None:
    write_run(folder, "dream", "diva", "dream-tts", CONDITIONS)
    write_run(folder, "blind", "diva", "spiral", CONDITIONS[1:])
    runs = committed_runs(folder)
    with pytest.raises(ValueError, match="is of dream-tts, expected one of"):
        hard_part(runs["dream"])
    with pytest.raises(ValueError, match="no answers of 'original'"):
        hard_part(runs["blind"])


def test_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder .*nowhere: expected the repository's data/results"):
        committed_runs(tmp_path / "nowhere")

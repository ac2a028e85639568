"""The estimate against its own arithmetic, and against what a run really sends and gets."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from fake_writer import FakeWriter

from speechprune_lib.synthesis.writing.cost import Estimate, Prices, estimate_cost
from speechprune_lib.synthesis.writing.plan import TranscriptPlan
from speechprune_lib.synthesis.writing.transcripts import write_benchmark, written_ids

PLAN = TranscriptPlan(splits=(("test", 12),), main_topics=2)


def test_the_price_is_that_of_a_million_tokens() -> None:
    estimate = estimate_cost(PLAN, Prices(2.5, 10.0))
    assert estimate.cost == pytest.approx((estimate.prompt_tokens * 2.5 + estimate.completion_tokens * 10) / 1e6)
    assert estimate.calls == 3 * (1 + 2) + 12 * 3  # main topics and their subtopics for three kinds; three an item


@pytest.mark.parametrize("workers", [1, 4])
def test_a_run_sends_and_gets_about_as_much(workers: int, tmp_path: Path) -> None:
    writer = FakeWriter()
    write_benchmark(writer, tmp_path, PLAN, progress=False, workers=workers)
    estimate = estimate_cost(PLAN, Prices(0.0, 0.0))
    assert estimate.calls == len(writer.prompts)
    assert estimate.completion_tokens == pytest.approx(sum(map(len, writer.replies)) / 4, rel=0.25)
    sent = sum(map(len, writer.prompts)) / 4
    assert sent < estimate.prompt_tokens < 1.5 * sent  # the schemas come on top
    assert estimate.cost == 0


def test_a_resumed_run_pays_for_what_is_missing(tmp_path: Path) -> None:
    write_benchmark(FakeWriter(), tmp_path, PLAN, progress=False)
    path = tmp_path / "texts" / "test.jsonl"
    path.write_text("".join(path.read_text("utf8").splitlines(keepends=True)[:-2]), encoding="utf8")
    prices = Prices(1.0, 1.0)
    whole, rest = estimate_cost(PLAN, prices), estimate_cost(PLAN, prices, written_ids(tmp_path, PLAN))
    assert (whole.calls - rest.calls, rest.calls) == (10 * 3, 3 * (1 + 2) + 2 * 3)
    assert rest.cost < whole.cost
    done = estimate_cost(PLAN, prices, [slot.id for slot in PLAN.slots()])
    assert (done.calls, done.prompt_tokens, done.completion_tokens, done.cost) == (0, 0, 0, 0)


def test_a_longer_plan_costs_more_in_proportion() -> None:
    short, long = (estimate_cost(TranscriptPlan(splits=(("t", n),)), Prices(1.0, 1.0)).cost for n in (30, 120))
    assert 3.2 < long / short < 4


def test_it_reads_as_a_sentence() -> None:
    assert str(Estimate(45, 17000, 5000, 0.0925, "USD")) == (
        "about 45 requests, 17,000 prompt and 5,000 completion tokens: 0.09 USD if no reply has to be asked for again"
    )


@pytest.mark.parametrize("price", [-1.0, math.inf, math.nan])
def test_a_price_that_is_none_is_refused(price: float) -> None:
    with pytest.raises(ValueError, match="a million tokens cost"):
        Prices(price, 1.0)

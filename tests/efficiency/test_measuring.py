"""The clock and the decoder behind it: what is timed is what transformers computes, and a GPU is waited for."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from speechprune_lib.cli import app
from speechprune_lib.efficiency import bench, measuring, timing
from speechprune_lib.efficiency.decoder import RandomDecoder
from speechprune_lib.efficiency.floor import FLOAT, INT8, READ, ceilings, floor_seconds, measure_ceilings
from speechprune_lib.efficiency.records import (
    Measured,
    Measurement,
    measured,
    read_all_measured,
    read_measured,
    share_of_prefill,
    table,
    write_measured,
)
from speechprune_lib.efficiency.shapes import DecoderShape
from speechprune_lib.efficiency.tables import CLIP_TOKENS, REAL_LENGTHS, checked_lengths
from speechprune_lib.efficiency.timing import Timing
from speechprune_lib.models import load_model

CPU = torch.device("cpu")
TINY = DecoderShape(layers=4, hidden=32, heads=4, key_heads=2, head_dim=8, intermediate=48, vocabulary=50)


@pytest.fixture(scope="module")
def decoder() -> RandomDecoder:
    return RandomDecoder(TINY, CPU, torch.float32, layers_run=2)


def rows_of(rows: Any, **wanted: Any) -> list[Measurement]:
    return [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]


def test_the_lengths_are_table_1_s_and_longer_ones() -> None:
    assert sorted(REAL_LENGTHS) == [150, 300, 450, 600, 750, 2197, 15_000]
    assert CLIP_TOKENS == 2197 and checked_lengths([5, 3, 5]) == (3, 5)


@pytest.mark.parametrize("lengths", [[], [0], [5, -3]])
def test_lengths_that_are_none_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="expected audio tokens, each at least 1"):
        checked_lengths(lengths)


def test_calls_are_timed_in_turn_after_a_warm_up() -> None:
    order: list[str] = []

    def call(name: str, seconds: float) -> None:
        order.append(name)
        time.sleep(seconds)

    taken = timing.measure_seconds({"a": lambda: call("a", 0.02), "b": lambda: call("b", 0.0)}, CPU, rounds=3)
    assert order == ["a", "b", "a", "b", "a", "b", "a", "b"]
    assert len(taken["a"].rounds) == 3 and min(taken["a"].rounds) >= 0.02
    with pytest.raises(ValueError, match="0 rounds"):
        timing.measure_seconds({}, CPU, rounds=0)


def test_a_gpu_is_waited_for_on_both_sides_of_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append("wait"))
    monkeypatch.setattr(time, "perf_counter", lambda: events.append("clock") or 0.0)
    timing.measure_seconds({"a": lambda: events.append("work")}, torch.device("cuda"), rounds=1, warm_up=1)
    assert events == ["work", "wait", "clock", "work", "wait", "clock"]


def test_median_spread_and_ratio_by_hand() -> None:
    ours, theirs = Timing(rounds=(1.0, 5.0, 2.0)), Timing(rounds=(2.0, 5.0, 8.0))
    assert ours.median == 2.0 and ours.spread == (1.5, 3.5)
    assert ours.ratio(theirs) == 0.5  # of 0.5, 1 and 0.25
    assert Timing(rounds=(3.0,)).spread == (3.0, 3.0)


def test_peak_memory_sees_a_large_tensor_and_forgets_it() -> None:
    def work() -> None:
        torch.zeros(30_000_000).add_(1.0)  # 120 MB

    first = timing.peak_bytes(work, CPU)
    if first is None:
        pytest.skip("this system counts no peak")
    again = timing.peak_bytes(work, CPU)
    assert 110e6 < first < 160e6
    assert again is not None and 110e6 < again < 160e6


def test_an_hour_is_planned_in_memory_that_does_not_grow_with_it() -> None:
    """Twelve minutes at the real width, 147 MB in half precision: not one copy of the audio is made."""
    wide = DecoderShape(layers=1, hidden=4096, heads=2, key_heads=2, head_dim=16, intermediate=8, vocabulary=8)
    rows = list(bench.measure_growth(RandomDecoder(wide, CPU, torch.float16, 1), (18_000,), rounds=1))
    peaks = [row.peak_bytes for row in rows if row.peak_bytes is not None]
    assert (
        max(peaks, default=0) < 110e6
    )  # phase 2 over 750 tokens takes 45 MB, freed memory that is taken again the rest


@pytest.mark.parametrize("name", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch sees no CUDA GPU"):
        timing.usable_device(name)


@pytest.mark.parametrize(
    ("name", "reason"), [("gpu", "there is no device 'gpu'"), ("meta", "cannot measure on 'meta'")]
)
def test_other_devices_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        timing.usable_device(name)
    assert timing.usable_device("cpu") == CPU


GPU = torch.device("cuda")


def gpu(monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], gibibytes: int) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    properties = type("Properties", (), {"total_memory": gibibytes * 2**30})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)


@pytest.mark.parametrize(
    ("capability", "gibibytes", "dtype", "layers"),
    [((9, 0), 80, torch.bfloat16, 4), ((8, 0), 16, torch.bfloat16, 1), ((7, 5), 24, torch.float16, 4)],
)
def test_a_gpu_runs_all_layers_in_16_bits_where_they_fit(
    capability: tuple[int, int], gibibytes: int, dtype: torch.dtype, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An H100, a card too small for the whole model, and the paper's generation, without bfloat16."""
    gpu(monkeypatch, capability, gibibytes)
    assert measuring.how_to_run(TINY, GPU) == (dtype, layers)
    assert measuring.how_to_run(TINY, CPU) == (torch.float32, 1)


def test_on_a_gpu_the_peak_is_what_torch_allocated_above_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append("wait"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: events.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 350)
    assert timing.peak_bytes(lambda: events.append("work"), GPU) == 250
    assert events == ["wait", "reset", "work", "wait"]


def test_long_prompts_are_run_as_often_as_others_on_a_gpu(
    decoder: RandomDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "LONG_TOKENS", 1)
    monkeypatch.setattr(measuring, "CLIP_TOKENS", 900)
    monkeypatch.setattr(measuring, "peak_bytes", lambda *_: None)
    asked: list[int] = []
    timings = {name: Timing(rounds=(1.0,)) for name in ("prefill", "head", "step")}
    monkeypatch.setattr(
        measuring, "measure_seconds", lambda calls, device, rounds, warm_up: asked.append(rounds) or timings
    )
    monkeypatch.setattr(measuring, "_decoder_calls", lambda *_: {"prefill": None})
    there = type("There", (), {"device": GPU, "prompt": decoder.prompt, "times": 1.0, "layers_run": 4})
    measure = getattr(measuring.measure_decoder, "__wrapped__", measuring.measure_decoder)
    assert [row.stage for row in measure(there(), [10], rounds=7)] == ["prefill", "decode"] and asked == [7]


def test_the_decoder_is_transformers_own(decoder: RandomDecoder) -> None:
    """Its cache makes the next token cheap, and gives the same as the whole prompt again."""
    embeddings = decoder.embeddings(9)
    whole = decoder.prefill(embeddings).last_hidden_state
    begun = decoder.prefill(embeddings[:, :8])
    with torch.no_grad():
        last = decoder.blocks(inputs_embeds=embeddings[:, 8:], past_key_values=begun.past_key_values).last_hidden_state
    torch.testing.assert_close(last[:, 0], whole[:, 8])
    assert len(decoder.blocks.layers) == 2 and decoder.times == 2.0


def test_the_same_seed_gives_the_same_weights_and_leaves_torch_s_own_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two = (RandomDecoder(TINY, CPU, torch.float32, 1, seed) for seed in (3, 3))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one.first_attention().query_weight, two.first_attention().query_weight)
    with pytest.raises(ValueError, match="5 layers to run, expected 1 to 4"):
        RandomDecoder(TINY, CPU, torch.float32, 5)


def test_a_layer_stands_for_the_others_and_the_head_for_itself(
    decoder: RandomDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = {
        "prefill": Timing(rounds=(3.0, 4.0)),
        "head": Timing(rounds=(0.5, 0.25)),
        "step": Timing(rounds=(1.0, 1.0)),
    }
    monkeypatch.setattr(measuring, "measure_seconds", lambda *_, **__: fixed)
    monkeypatch.setattr(measuring, "CLIP_TOKENS", 900)
    prefill, decode = measuring.measure_decoder(decoder, [10], rounds=2)
    assert (prefill.stage, prefill.seconds.rounds, prefill.tokens) == ("prefill", (6.5, 8.25), 117)
    assert (decode.stage, decode.seconds.rounds) == ("decode", (2.5, 2.25))
    assert prefill.layers_run == 2


def test_long_prompts_are_run_once_on_a_cpu(decoder: RandomDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "LONG_TOKENS", 120)
    rows = rows_of(measuring.measure_decoder(decoder, [10, 20], rounds=5), stage="prefill")
    assert [len(row.seconds.rounds) for row in rows] == [5, 1]


def test_the_pruner_is_timed_in_the_rounds_of_the_prefill_that_it_leaves(
    decoder: RandomDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "CLIP_TOKENS", 900)
    rows = list(measuring.measure_decoder(decoder, [150, 200, 600], rounds=2))
    pruned = rows_of(rows, stage="prune")
    assert [(row.rate, row.kept, row.tokens, row.audio_tokens) for row in pruned] == [
        (0.8, 150, 257, 900),
        (0.2, 600, 707, 900),
    ]
    shares = share_of_prefill(run_of(rows))
    prefill = rows_of(rows, stage="prefill", audio_tokens=600)[0]
    assert set(shares) == {0.2, 0.8} and shares[0.2] == pruned[1].seconds.ratio(prefill.seconds)


def test_a_whole_model_is_timed_stage_by_stage() -> None:
    model: Any = load_model("mini")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    rows = list(measuring.measure_model(model, noise, "Who spoke?", [25, 605], rounds=1))
    assert [row.stage for row in rows if row.audio_tokens == 25] == ["encode", "prefill", "decode"]
    assert [row.stage for row in rows if row.audio_tokens == 605] == ["encode", "prefill", "decode", "prune"]
    assert rows_of(rows, stage="prune")[0].kept == 600
    prompts = [row.tokens for row in rows_of(rows, stage="prefill")]
    assert prompts[1] - prompts[0] == 580


def test_options_are_timed_alone_and_together() -> None:
    model: Any = load_model("mini", "cpu")
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) / 10
    prompt = model.prepare(noise, "Who spoke?", instruction="Who spoke?")
    one, every = measuring.measure_scoring(model, prompt, ["Laura", "Tom and Pat"], rounds=1)
    assert (one.stage, one.method, every.method) == ("score", "one option", "all options")
    assert one.audio_tokens == every.audio_tokens == 25 and min(one.seconds.median, every.seconds.median) > 0


def test_rivals_and_ceilings_are_measured_at_one_size(decoder: RandomDecoder) -> None:
    prompt = decoder.prompt(900, text_tokens=2, words=3)
    rows = list(bench.measure_rivals(prompt, (0.5,), CPU, rounds=1))
    assert {row.kept for row in rows} == {375} and len({row.method for row in rows}) == 6
    best = ceilings(run_of(list(measure_ceilings(CPU, torch.float32, size=64, rounds=1))))
    assert set(best) == {READ, FLOAT, INT8} and all(value > 0 for value in best.values())


def test_the_floor_by_hand() -> None:
    """10 tokens of 32 numbers at 100 bytes/s; 6 survivors, 4 + 2 heads of 8: 18,432 int8 operations and 1,536 signs."""
    parts = floor_seconds(TINY, tokens=10, best={READ: 100.0, INT8: 1000.0, FLOAT: 500.0}, survivors=6)
    assert parts["phase 1"] == 4 * 10 * 32 / 100
    assert parts["projections"] == 2 * 6 * 32 * 48 / 1000 + 32 * 48 / 100
    assert parts["scores"] == 2 * 36 * 32 / 500 + 2 * 4 * 36 * 4 / 100


def run_of(rows: list[Measurement]) -> Measured:
    return measured("tiny", "random", CPU, torch.float32, rows, seed=0)


def test_runs_are_written_with_their_card_and_read_again(tmp_path: Path) -> None:
    rows = [
        Measurement(stage="prefill", method="x", audio_tokens=5, seconds=Timing(rounds=(1.0, 3.0)), peak_bytes=10**6)
    ]
    run = run_of(rows)
    write_measured(tmp_path / "prefill_cpu.json", run)
    assert read_measured(tmp_path / "prefill_cpu.json") == run
    assert read_all_measured(tmp_path, "prefill") == [run] and read_all_measured(tmp_path, "bench") == []
    assert "cores" in run.hardware and run.label.endswith("float32") and run.card.commit
    line = table(run).iloc[0]
    assert (line["ms"], line["from"], line["to"], line["peak MB"]) == (2000.0, 1500.0, 2500.0, 1.0)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"rows": []}')
    with pytest.raises(ValueError, match="x.json is no file of `speechprune measure`: card"):
        read_measured(tmp_path / "x.json")
    with pytest.raises(ValueError, match="no ceiling was measured for bytes read, float operations"):
        ceilings(run_of([]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--lengths", "-3"], "expected audio tokens, each at least 1"),
        (["--lengths", "a"], "--lengths got 'a'"),
        (["--device", "cuda"], "torch sees no CUDA GPU"),
        (["--model", "whisper"], "--model got 'whisper', expected mini or qwen2-audio"),
        (["--out", "x.txt"], "expected a name that ends in .json"),
    ],
)
def test_bad_words_at_the_command_line(options: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = CliRunner().invoke(app, ["measure", *options])
    assert done.exit_code == 2 and said in done.output


def test_measure_prints_a_table_and_writes_its_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechprune_lib.cli_measure.QWEN2_AUDIO_SHAPE", type("Shape", (), {"decoder": TINY}))
    out = tmp_path / "prefill_cpu.json"
    asked = ["measure", "--model", "qwen2-audio", "--lengths", "10,150", "--rounds", "1", "--out", str(out)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "1 of 4 layers run" in done.output and "prefill" in done.output
    rows = read_measured(out).rows
    assert [row.audio_tokens for row in rows_of(rows, stage="prefill")] == [10, 150]
    assert len(rows_of(rows, stage="prune")) == 1 and all(math.isfinite(row.seconds.median) for row in rows)

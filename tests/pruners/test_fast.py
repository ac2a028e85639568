"""The fast code decides as the plain reading does: the same plan to the last token, ties included."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from speechprune_lib.benchmarks import load_benchmark
from speechprune_lib.models import load_model
from speechprune_lib.prompt import SpeechPrompt, signs
from speechprune_lib.pruners import fast_attention, get_method
from speechprune_lib.pruners.attention import AttentionPhase, attention_received, binary_projections
from speechprune_lib.pruners.base import NO_RANK, top_k
from speechprune_lib.pruners.similarity import best_of_frames, frame_budget, frame_scores, frame_sizes, similarity
from speechprune_lib.pruners.speechprune import SpeechPrune

from . import plain
from .prompts import random_prompt

BUDGET, RATES = 120, {0.0: 120, 0.2: 96, 0.5: 60, 0.8: 24}


def like_speech(seed: int, total: int = 400, dim: int = 256, repeats: int = 1) -> SpeechPrompt:
    """Frames of 5 tokens; `repeats` > 1: the same few seconds again and again, so that most tokens tie."""
    prompt = random_prompt(total, dim=dim, head_dim=16, seed=seed, words=7)
    prompt.embeddings[prompt.is_audio] = prompt.audio[: total // repeats].repeat(repeats, 1).clone()
    return prompt


@pytest.mark.parametrize("repeats", [1, 4, 40])
@pytest.mark.parametrize("dim", [8, 255, 256, 1024])
@pytest.mark.parametrize("seed", range(3))
def test_plans_are_the_plain_ones(seed: int, dim: int, repeats: int) -> None:
    prompt, method = like_speech(seed, dim=dim, repeats=repeats), SpeechPrune(budget=BUDGET)
    for rate, count in RATES.items():
        assert method.plan(prompt, rate).keep.tolist() == plain.plan(prompt, BUDGET, count)


def test_plans_are_the_plain_ones_at_the_real_size_of_one_layer() -> None:
    """2,197 tokens of 4,096 dimensions in 32 heads, as Qwen2-Audio gets them from 87.89 s."""
    prompt = random_prompt(2197, 4096, 30, 25.0, query_heads=32, key_heads=32, head_dim=128)
    for rate, count in {0.2: 600, 0.8: 150}.items():
        assert get_method("speechprune").plan(prompt, rate).keep.tolist() == plain.plan(prompt, 750, count)


@pytest.mark.parametrize("example", [0, 20, 40])
def test_plans_are_the_plain_ones_on_real_speech(example: int) -> None:
    model, asked = load_model("mini"), load_benchmark("spiral-mini", "dev")[example]
    prompt = model.prepare(asked.waveform(), asked.question, instruction=asked.question)
    for rate, count in {0.2: 600, 0.5: 375, 0.8: 150}.items():
        assert get_method("speechprune").plan(prompt, rate).keep.tolist() == plain.plan(prompt, 750, count)


@pytest.mark.parametrize("heads", ["per-head", "one"])
@pytest.mark.parametrize("scale", ["literal", "xnor"])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_what_each_token_receives_agrees_with_the_whole_map(key_heads: int, scale: str, heads: str) -> None:
    prompt = random_prompt(150, dim=512, head_dim=16, key_heads=key_heads)
    queries, keys = binary_projections(prompt.audio, prompt.first_attention(), scale)
    ours = AttentionPhase(scale=scale, heads=heads)._received(queries, keys)
    torch.testing.assert_close(ours, attention_received(queries, keys, heads), rtol=0, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 150 * 7, 10**6])
def test_chunks_of_queries_add_up(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = random_prompt(150, dim=512, head_dim=16)
    queries, keys = binary_projections(prompt.audio, prompt.first_attention())
    monkeypatch.setattr(fast_attention, "CHUNK_SCORES", chunk)
    ours = fast_attention.attention_received(queries.float(), keys.float(), 16)
    torch.testing.assert_close(ours, attention_received(queries, keys), rtol=0, atol=1e-10)


def test_scores_beyond_single_precision_are_computed_in_double() -> None:
    """All signs equal: entries of 4,096 times 128 of them are 2^31, where single precision holds every 256th number."""
    queries = torch.full((1, 40, 128), 4096.0)
    keys = 4096.0 - 2 * torch.arange(40.0)[:, None].expand(1, 40, 128)
    assert fast_attention.largest_score(queries, keys) > fast_attention.EXACT_FLOAT32
    ours = fast_attention.attention_received(queries, keys.contiguous(), 128)
    torch.testing.assert_close(ours, attention_received(queries.double(), keys.double()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [64, 4096, 4100])
def test_int8_products_are_exact_at_the_extremes(size: int) -> None:
    rows, weight = torch.ones(24, size, dtype=torch.int8), torch.ones(16, size, dtype=torch.int8)
    weight[1::2] = -1
    weight[0, ::2] = -1
    products = fast_attention.sign_product(rows, weight)
    assert products[:, 0].eq(0).all() and products[:, 1::2].eq(-size).all() and products[:, 2::2].eq(size).all()


def test_this_machine_multiplies_in_int8() -> None:
    assert fast_attention.multiplies_int8(torch.device("cpu"))
    assert not fast_attention.multiplies_int8(torch.device("meta"))


@pytest.mark.parametrize("broken", [lambda a, b: (a.float() @ b.float()).clamp(-50, 50).int(), None])
def test_without_int8_the_plan_stays_the_same(broken, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose int8 product saturates, and a torch without one."""
    prompt, method = like_speech(5), SpeechPrune(budget=BUDGET)
    expected = method.plan(prompt, 0.5).keep
    if broken is None:
        monkeypatch.delattr(torch, "_int_mm")
    else:
        monkeypatch.setattr(torch, "_int_mm", broken)
    fast_attention.multiplies_int8.cache_clear()
    try:
        assert not fast_attention.multiplies_int8(torch.device("cpu"))
        assert torch.equal(method.plan(prompt, 0.5).keep, expected)
    finally:
        fast_attention.multiplies_int8.cache_clear()


def test_weights_are_binarized_once_for_one_object() -> None:
    attention = random_prompt(5).first_attention()
    assert attention.signs is attention.signs
    assert torch.equal(attention.signs[0], signs(attention.query_weight))


class NoCopies(TorchDispatchMode):
    """Refuses copies between devices: from a CPU to a GPU they wait for it, as from a GPU to a CPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        tensors = [x for x in (*args, results) if isinstance(x, Tensor) and x.ndim]
        assert len({x.device for x in tensors}) <= 1, f"{func} copies between devices"
        return results


def chosen(audio: Tensor, question: Tensor, prompt: SpeechPrompt, counts: tuple[int, int]) -> Tensor:
    """Both phases, step by step, wherever the tensors lie."""
    scores = similarity(audio, question)
    sizes = frame_sizes(len(scores), 25, scores.device)
    budgets = frame_budget(frame_scores(scores, 25), sizes, counts[0])
    survivors = best_of_frames(scores, budgets, 25, counts[0])
    queries, keys = binary_projections(audio[survivors], prompt.first_attention())
    return survivors[top_k(attention_received(queries, keys), counts[1])]


def test_nothing_asks_a_device_for_a_value_before_the_plan_is_read() -> None:
    """On the meta device there are no values: a look at one raises, as it would make the host wait for a GPU."""
    prompt = random_prompt(300, 64, 5, 25.0, query_heads=4, key_heads=4, head_dim=16)
    first = prompt.first_attention()
    there = replace(first, query_weight=first.query_weight.to("meta"), key_weight=first.key_weight.to("meta"))
    away = replace(prompt, first_attention=lambda: replace(there, normalize=lambda x: x))
    audio, question = prompt.audio.to("meta"), prompt.question.to("meta")
    with NoCopies():
        meta = chosen(audio, question, away, (100, 40))
    assert meta.shape == (40,) and meta.device.type == "meta"
    here = replace(prompt, first_attention=lambda: replace(first, normalize=lambda x: x))
    expected = SpeechPrune(budget=100).plan(here, 0.6).keep
    assert torch.equal(chosen(prompt.audio, prompt.question, here, (100, 40)), expected)


def test_scores_that_do_not_rank_are_refused_when_the_plan_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a GPU, where NaN is not looked for on the way."""
    monkeypatch.setattr(SpeechPrune, "choose", lambda *_: torch.full((3,), NO_RANK))
    with pytest.raises(ValueError, match="some of the tokens' scores are NaN: check the embeddings"):
        SpeechPrune(budget=5).plan(random_prompt(20), 0.4)


def test_the_sums_reach_where_plain_probabilities_are_zero() -> None:
    """A token that nobody looks at receives e^-3000 or less; it still ranks."""
    queries = torch.tensor([[[100.0], [100.0], [100.0]]])
    keys = torch.tensor([[[50.0], [20.0], [10.0]]])
    ours = fast_attention.attention_received(queries, keys, 1)
    expected = torch.tensor([0.0, -3000.0, -4000.0], dtype=torch.float64)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    assert math.exp(-3000) == 0.0

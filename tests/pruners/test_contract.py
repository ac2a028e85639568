"""What every row of METHODS owes: METHODS x rates x lengths."""

import pytest
import torch

from speechprune_lib.prompt import Plan, apply, kept_count
from speechprune_lib.pruners import METHODS, SpeechPrune, get_method, method_options, parse_method

from .prompts import random_prompt

BUDGET = 40
RATES = (0.0, 0.2, 0.5, 0.8, 0.99)
LENGTHS = (1, 2, 39, 40, 41, 100, 103)
"""With 5 tokens a second 41 and 103 leave a ragged last frame, 1 and 2 are less than a frame, 40 is the budget."""


def expected_count(name: str, total: int, rate: float) -> int:
    if name == "everything":
        return total
    return min(total, BUDGET if name == "original" else kept_count(BUDGET, rate))


@pytest.mark.parametrize("total", LENGTHS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", METHODS)
def test_plan(name, rate, total):
    method, prompt = get_method(name, budget=BUDGET), random_prompt(total)
    plan = method.plan(prompt, rate, seed=7)
    count = expected_count(name, total, rate)
    keep = plan.keep.tolist()
    assert keep == sorted(set(keep)) and 0 <= keep[0] and keep[-1] < total and len(keep) == count
    assert (plan.total, plan.keep.dtype, plan.keep.device.type) == (total, torch.int64, "cpu")
    assert keep == method.plan(prompt, rate, seed=7).keep.tolist()
    if count == total:
        assert keep == list(range(total))
    assert apply(prompt, plan).audio_tokens == count


@pytest.mark.parametrize("name", METHODS)
def test_the_papers_counts(name):
    """750 tokens stay of an 87.89 s clip at rate 0; 600, 450, 300, 150 at Table I's rates."""
    method, prompt = get_method(name), random_prompt(2197, tokens_per_second=25.0, query_heads=1, key_heads=1)
    counts = [len(method.plan(prompt, rate).keep) for rate in (0.0, 0.2, 0.4, 0.6, 0.8)]
    everywhere = {"everything": [2197] * 5, "original": [750] * 5}
    assert counts == everywhere.get(name, [750, 600, 450, 300, 150])


@pytest.mark.parametrize("name", METHODS)
def test_flags_say_what_plans_depend_on(name):
    method, prompt = get_method(name, budget=BUDGET), random_prompt(100)
    plan = method.plan(prompt, 0.2, seed=0).keep
    assert torch.equal(plan, method.plan(prompt, 0.5, seed=0).keep) is not METHODS[name].uses_rate
    assert torch.equal(plan, method.plan(prompt, 0.2, seed=1).keep) is not METHODS[name].uses_seed


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_values_named_by_their_row(name):
    assert METHODS[name].name == name
    assert get_method(name) == get_method(name) and hash(get_method(name)) == hash(get_method(name))
    assert get_method(name).positions == "original" and get_method(name).budget == 750
    assert get_method(name, **method_options(name)) == get_method(name)


@pytest.mark.parametrize("name", METHODS)
def test_a_prompt_without_audio_is_refused(name):
    with pytest.raises(ValueError, match="no audio tokens to prune"):
        get_method(name).plan(random_prompt(0), 0.2)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_precision(name, dtype):
    prompt = random_prompt(100, dtype=dtype)
    assert isinstance(get_method(name, budget=BUDGET).plan(prompt, 0.5), Plan)


def test_options_reach_the_phases():
    method = get_method("speechprune", temperature=0.1, scale="xnor", budget=100, positions="renumbered")
    assert isinstance(method, SpeechPrune)
    assert (method.phase1.temperature, method.phase2.scale) == (0.1, "xnor")
    assert (method.budget, method.positions) == (100, "renumbered")
    assert method.phase1.budget_rule == "exact" and method.phase2.heads == "per-head"


def test_wrong_names_and_options_are_told_apart():
    with pytest.raises(ValueError, match="no method 'rapp'; there are original, everything, rap, rac, uniform"):
        get_method("rapp")
    with pytest.raises(TypeError, match="'rap' has no option temperature; it has budget, positions$"):
        get_method("rap", temperature=0.1)
    with pytest.raises(TypeError, match="'phase1' has no option scale; it has budget, positions, frame_seconds, temp"):
        get_method("phase1", scale="xnor")
    with pytest.raises(
        TypeError, match="'speechprune' has no option phase1; it has .*, scale, heads, binarize, attention$"
    ):
        get_method("speechprune", phase1=None)
    with pytest.raises((ValueError, TypeError), match="xor"):
        get_method("phase2", scale="xor")


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("rap", "rap", {}),
        ("speechprune:temperature=0.1", "speechprune", {"temperature": 0.1}),
        ("phase2:scale=xnor: heads=one", "phase2", {"scale": "xnor", "heads": "one"}),
        ("original:budget=300", "original", {"budget": 300}),
    ],
)
def test_a_method_is_written_in_one_word(text, name, options):
    assert parse_method(text) == get_method(name, **options)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speechprone", "there is no method 'speechprone'"),
        ("rap:temperature=0.1", "'temperature=0.1', expected option=value with one of"),
        ("speechprune:temperature", "'temperature', expected option=value"),
        ("speechprune:temperature=hot", "'hot' is no float, such as 1.0"),
        ("speechprune:temperature=-1", "temperature is -1.0, expected a positive number"),
    ],
)
def test_a_method_that_cannot_be_read_is_told(text, told):
    with pytest.raises(ValueError, match=told):
        parse_method(text)

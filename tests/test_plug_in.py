"""Pruning inside users' own models, on every family with tiny random weights, against the models' own forward passes."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import pytest
import torch

from speechprune_lib.models.door import first_attention
from speechprune_lib.models.families import FAMILIES, family_of, placeholder_id, register_model
from speechprune_lib.models.random_shapes import SHAPES
from speechprune_lib.models.random_weights import Letters, random_inputs, random_model
from speechprune_lib.plug_in import prune
from speechprune_lib.pruners import get_method
from speechprune_lib.trial import STEPS, largest_difference, masked_logits

GREEDY = {"max_new_tokens": STEPS, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
QUESTION = "Who is it?"


@cache
def model_of(name):
    return random_model(name)


@pytest.fixture(params=FAMILIES)
def name(request) -> str:
    return request.param


def generated(model, inputs, **options):
    return model.generate(**inputs, **(GREEDY | options))


def test_every_family_can_be_tried():
    assert set(SHAPES) == set(FAMILIES)


def test_keeping_everything_is_ordinary_generate(name):
    """To the last bit, through all that pruning does to a prompt and to later steps."""
    model = model_of(name)
    inputs = random_inputs(name, model)
    ordinary = generated(model, inputs)
    with prune(model, Letters(), QUESTION, method="everything", rate=0.0) as pruning:
        ours = generated(model, inputs)
    assert torch.equal(ordinary.sequences, ours.sequences)
    assert largest_difference(ordinary.logits, ours.logits) == 0.0
    assert len(pruning.plans[0].keep) == pruning.plans[0].total


@pytest.mark.parametrize("method", ["speechprune", "rap"])
def test_pruned_with_original_positions_is_masked(name, method):
    """The prompt's last token and three steps through the shorter cache, against one pass that masks."""
    model = model_of(name)
    inputs = random_inputs(name, model, windows=2)
    with prune(model, Letters(), QUESTION, keep=20, method=method) as pruning:
        ours = generated(model, inputs)
    assert (
        ours.past_key_values.get_seq_length() == inputs["input_ids"].shape[1] - pruning.plans[0].total + 20 + STEPS - 1
    )
    masked = masked_logits(model, inputs, ours.sequences, pruning.plans)
    assert largest_difference(masked, ours.logits) < 5e-5
    assert largest_difference(generated(model, inputs).logits, ours.logits) > 1e-3


def test_renumbering_is_another_prompt(name):
    model = model_of(name)
    inputs = random_inputs(name, model)
    replies = []
    for positions in ("original", "renumbered"):
        with prune(model, Letters(), QUESTION, keep=20, method=f"rap:positions={positions}"):
            replies.append(generated(model, inputs))
    assert largest_difference(replies[0].logits, replies[1].logits) > 1e-4


def test_the_model_is_left_as_it_was(name):
    model = model_of(name)
    inputs = random_inputs(name, model)
    before = generated(model, inputs)
    with pytest.raises(RuntimeError, match="unrelated"), prune(model, Letters(), QUESTION, keep=5):
        generated(model, inputs)
        raise RuntimeError("unrelated")
    hooks = [module._forward_pre_hooks or module._forward_hooks for module in model.modules()]
    assert not any(hooks)
    after = generated(model, inputs)
    assert torch.equal(before.sequences, after.sequences)
    assert largest_difference(before.logits, after.logits) == 0.0


def test_rows_of_a_batch_are_pruned_each_for_itself(name):
    """Each with its own question; the same as one at a time."""
    model = model_of(name)
    inputs = random_inputs(name, model, batch=2)
    questions = [QUESTION, "What do they want to have?"]
    with prune(model, Letters(), questions, keep=20, method="phase1") as pruning:
        together = generated(model, inputs)
        plans = pruning.plans
    assert len(plans) == 2
    for row in range(2):
        single = {key: value[row : row + 1] for key, value in inputs.items()}
        with prune(model, Letters(), questions[row], keep=20, method="phase1") as pruning:
            alone = generated(model, single)
        assert torch.equal(pruning.plans[0].keep, plans[row].keep)
        assert largest_difference([step[row] for step in together.logits], [step[0] for step in alone.logits]) < 1e-4


QWEN, VOXTRAL = "Qwen2AudioForConditionalGeneration", "VoxtralForConditionalGeneration"


def test_the_question_decides():
    model = model_of(QWEN)
    inputs = {key: value.expand(2, *value.shape[1:]) for key, value in random_inputs(QWEN, model).items()}
    with prune(model, Letters(), [QUESTION, "What do they want?"], keep=20, method="phase1") as pruning:
        generated(model, inputs)
    assert not torch.equal(pruning.plans[0].keep, pruning.plans[1].keep)


def test_left_padding_and_unequal_recordings():
    """Rows that lose different numbers of tokens are padded anew; each still equals itself alone."""
    model = model_of(QWEN)
    long, short = random_inputs(QWEN, model, windows=2), random_inputs(QWEN, model, seed=1, text=(9, 6))
    size = long["input_ids"].shape[1]
    padded = {
        key: torch.nn.functional.pad(short[key], (size - short[key].shape[1], 0), value=1 if key == "input_ids" else 0)
        for key in ("input_ids", "attention_mask")
    }
    features = ("input_features", "feature_attention_mask")
    both = {key: torch.cat([long[key], padded[key]]) for key in padded}
    both |= {key: torch.cat([long[key], short[key]]) for key in features}
    with prune(model, Letters(), QUESTION, keep=20) as pruning:
        together = generated(model, both)
    assert [plan.total for plan in pruning.plans] == [1500, 750]
    for row, single in enumerate((long, short)):
        with prune(model, Letters(), QUESTION, keep=20):
            alone = generated(model, single)
        assert largest_difference([step[row] for step in together.logits], [step[0] for step in alone.logits]) < 1e-4
        new = together.sequences[row, size:]
        assert torch.equal(new, alone.sequences[0, single["input_ids"].shape[1] :])


@pytest.mark.parametrize("name", [QWEN, "Qwen2_5OmniThinkerForConditionalGeneration", "Gemma4ForConditionalGeneration"])
def test_beams_are_those_of_the_masked_prompt(name):
    """Scores of the best beam's tokens, against one masked pass over them."""
    model = model_of(name)
    inputs = random_inputs(name, model)
    with prune(model, Letters(), QUESTION, keep=20) as pruning:
        best = model.generate(**inputs, max_new_tokens=STEPS, do_sample=False, num_beams=3)
    assert len(pruning.plans) == 3 and all(torch.equal(plan.keep, pruning.plans[0].keep) for plan in pruning.plans)
    with prune(model, Letters(), QUESTION, keep=20):
        two = generated(model, inputs, num_beams=3, num_return_sequences=2, output_scores=True)
    new = best[:, inputs["input_ids"].shape[1] :]
    logits = masked_logits(model, inputs, best, pruning.plans[:1])
    of_tokens = [step.log_softmax(-1)[0, token] for step, token in zip(logits, new[0, :STEPS], strict=True)]
    torch.testing.assert_close(torch.stack(of_tokens).mean(), two.sequences_scores[0], atol=1e-4, rtol=0)


def test_sampling_draws_as_from_the_masked_prompt():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        with prune(model, Letters(), QUESTION, keep=20) as pruning:
            drawn.append(generated(model, inputs, do_sample=True))
    assert torch.equal(drawn[0].sequences, drawn[1].sequences)
    masked = masked_logits(model, inputs, drawn[0].sequences, pruning.plans)
    assert largest_difference(masked, drawn[0].logits) < 5e-5


def test_without_a_cache_every_step_is_pruned_anew():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    replies = []
    for use_cache in (True, False):
        with prune(model, Letters(), QUESTION, keep=20):
            replies.append(generated(model, inputs, use_cache=use_cache))
    assert largest_difference(replies[0].logits, replies[1].logits) < 1e-4


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_a_plain_call_is_pruned_too(kernel):
    """Without `generate`, and whatever computes the attention: no attention map is asked for."""
    model = random_model(VOXTRAL)
    model.set_attn_implementation(kernel)
    inputs = random_inputs(VOXTRAL, model)
    with torch.no_grad(), prune(model, Letters(), QUESTION, keep=20) as pruning:
        logits = model(**inputs).logits
    assert logits.shape[1] == inputs["input_ids"].shape[1] - pruning.plans[0].total + 20
    ids = torch.cat([inputs["input_ids"], inputs["input_ids"][:, :STEPS]], dim=1)  # the last 4 steps begin at the end
    masked = masked_logits(model, inputs, ids, pruning.plans)
    assert (masked[0] - logits[:, -1]).abs().max() < 5e-5


def test_kept_counts():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model, windows=3)  # 1,125 audio tokens
    kept = {}
    for options in ({"keep": 600}, {"keep": 1000}, {"rate": 0.2}, {"rate": 0.8}, {"keep": 7, "method": "original"}):
        with prune(model, Letters(), QUESTION, **options) as pruning:
            generated(model, inputs)
        kept[str(options)] = len(pruning.plans[0].keep)
    assert list(kept.values()) == [600, 1000, 600, 150, 7]


def test_more_than_there_is_is_said():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    with prune(model, Letters(), QUESTION, keep=600), pytest.warns(UserWarning, match="600 audio tokens .* has 375"):
        generated(model, inputs)


def test_windows_in_several_spans_must_be_meant():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model, windows=2)
    ids = inputs["input_ids"].clone()
    place = (ids[0] == placeholder_id(model, family_of(model))).nonzero()[375, 0]
    text = torch.tensor([[8, 9]])
    ids = torch.cat([ids[:, :place], text, ids[:, place:]], dim=1)
    inputs |= {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with prune(model, Letters(), QUESTION, keep=20), pytest.raises(ValueError, match="2 audio spans, expected one"):
        generated(model, inputs)
    with prune(model, Letters(), QUESTION, keep=20, windows=True) as pruning:
        generated(model, inputs)
    assert pruning.plans[0].total == 750


class Foreign(Letters):
    """A processor of another model: its audio token has another number."""

    audio_token = "<audio>"
    tokenizer = property(lambda self: self)

    def convert_tokens_to_ids(self, token):
        return 7


class Large(Letters):
    def __call__(self, text, add_special_tokens=True):
        return {"input_ids": [10_000]}


REFUSED = {
    "wrong processor": ({"processor": Foreign()}, "numbers '<audio>' 7, the model expects 300"),
    "larger vocabulary": ({"processor": Large()}, "token 10000, the model knows 320"),
    "no tokenizer": ({"processor": object()}, "processor is a object, expected the model's processor"),
    "empty question": ({"question": " "}, "expected text to compare the audio with"),
    "question longer than the context": ({"question": "who " * 3000}, "has 12000 tokens, the model reads 8192 in all"),
    "no questions": ({"question": []}, "expected text to compare the audio with"),
    "nothing kept": ({"keep": 0}, "keep is 0, expected at least one"),
    "no dial": ({"keep": None}, "got keep=None and rate=None"),
    "two dials": ({"rate": 0.2}, "got keep=20 and rate=0.2"),
    "bad rate": ({"keep": None, "rate": 1.0}, "must lie in"),
    "unknown method": ({"method": "best"}, "there is no method 'best'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_requests_are_refused_before_anything_runs(case):
    changes, message = REFUSED[case]
    options = {"processor": Letters(), "question": QUESTION, "keep": 20} | changes
    with pytest.raises((ValueError, TypeError), match=message), prune(model_of(VOXTRAL), **options):
        raise AssertionError("it began")


def test_bad_prompts_are_refused():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    silent = {"input_ids": torch.tensor([[5, 6, 7]])}
    with prune(model, Letters(), QUESTION, keep=20):
        with pytest.raises(ValueError, match=r"the prompt \(row 0\) has no audio"):
            model.generate(**silent, max_new_tokens=2)
        with pytest.raises(ValueError, match="got no input_ids"):
            model(inputs_embeds=torch.zeros(1, 3, 32))
        with pytest.raises(ValueError, match="a prepared attention mask cannot be cut"):
            model.generate(**inputs, max_new_tokens=2, cache_implementation="static")
        with pytest.raises(ValueError, match="already being pruned"), prune(model, Letters(), QUESTION, keep=20):
            pass
    with prune(model, Letters(), ["a", "b"], keep=20), pytest.raises(ValueError, match="2 questions for a batch of 1"):
        generated(model, inputs)


def test_a_second_turn_with_audio_is_refused():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    with torch.no_grad(), prune(model, Letters(), QUESTION, keep=20):
        cache = model(**inputs, use_cache=True).past_key_values
        with pytest.raises(ValueError, match="audio came after a cached beginning"):
            model(**inputs, past_key_values=cache)


class Whisper(torch.nn.Module):
    pass


class Unheard(torch.nn.Module):
    pass


def test_models_without_an_audio_span_are_refused_with_the_reason():
    Whisper.__name__ = "WhisperForConditionalGeneration"
    with pytest.raises(ValueError, match="cannot be pruned: it is an encoder-decoder"):
        family_of(Whisper())
    with pytest.raises(ValueError, match=r"Unheard is not known, .* register_model\(Unheard, tokens_per_second"):
        family_of(Unheard())


def test_a_mamba_first_layer_has_no_phase_2():
    mamba = torch.nn.Module()
    mamba.layers = torch.nn.ModuleList([torch.nn.Module()])
    with pytest.raises(ValueError, match=r"no query and key projections \(NoneType; Mamba layers have none\)"):
        first_attention(mamba)


def test_a_quantized_first_layer_has_no_signs():
    model = random_model(VOXTRAL)
    attention = model.get_decoder().layers[0].self_attn
    packed = torch.nn.Parameter(torch.zeros(4, 1, dtype=torch.uint8), requires_grad=False)
    attention.q_proj.weight = packed
    with pytest.raises(ValueError, match="stored as torch.uint8"):
        first_attention(model.get_decoder())


def test_first_attention_of_every_family(name):
    """Heads and shapes; the fused projection of Phi-4 is cut as its own forward cuts it."""
    model = model_of(name)
    attention = first_attention(model.get_decoder())
    assert (attention.query_heads, attention.key_heads) == (4, 2)
    assert attention.query_weight.shape == (32, 32) and attention.key_weight.shape == (16, 32)
    assert attention.normalize(torch.randn(3, 32)).shape == (3, 32)


def test_phi4s_fused_projection_is_cut_as_its_layer_cuts_it():
    model = model_of("Phi4MultimodalForCausalLM")
    layer = model.get_decoder().layers[0].self_attn
    hidden, attention = torch.randn(3, 32), first_attention(model.get_decoder())
    qkv = layer.qkv_proj(hidden)  # the layer's forward: queries, then keys, then values
    torch.testing.assert_close(hidden @ attention.query_weight.T, qkv[:, :32])
    torch.testing.assert_close(hidden @ attention.key_weight.T, qkv[:, 32:48])


@pytest.fixture
def unknown(monkeypatch):
    """A class that nobody knows, as somebody else would write it, with its inputs: Voxtral under another name."""
    known = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, known)
    model = type("OurSpeechModel", (type(known),), {})(known.config).eval()
    model.load_state_dict(known.state_dict())
    monkeypatch.delitem(FAMILIES, VOXTRAL)
    yield model, inputs
    FAMILIES.pop("OurSpeechModel", None)


def test_a_class_of_ones_own(unknown):
    model, inputs = unknown
    with pytest.raises(ValueError, match="OurSpeechModel is not known"), prune(model, Letters(), QUESTION, keep=9):
        pass
    row = register_model(type(model), tokens_per_second=12.5)
    assert family_of(model) is row
    with prune(model, Letters(), QUESTION, keep=9) as pruning:
        ours = generated(model, inputs)
    assert len(pruning.plans[0].keep) == 9
    assert largest_difference(masked_logits(model, inputs, ours.sequences, pruning.plans), ours.logits) < 5e-5
    with pytest.raises(ValueError, match="already registered"):
        register_model("OurSpeechModel", tokens_per_second=12.5)


def test_bad_registrations_are_refused():
    with pytest.raises(ValueError, match="tokens_per_second is 0.0"):
        register_model("Nobody", tokens_per_second=0.0)
    model = model_of(VOXTRAL)
    family = FAMILIES[VOXTRAL]
    with pytest.raises(ValueError, match="has no nowhere.audio_token_id, so there is no audio span"):
        placeholder_id(model, type(family)("X", "", 1.0, "", audio_token_id="nowhere.audio_token_id"))


def test_a_pruner_with_options_of_its_own():
    model = model_of(VOXTRAL)
    inputs = random_inputs(VOXTRAL, model)
    with prune(model, Letters(), QUESTION, keep=20, method=get_method("phase1", temperature=0.1)) as pruning:
        generated(model, inputs)
    assert len(pruning.plans[0].keep) == 20


def test_a_prompt_of_qwen2_audios_first_release_is_refused():
    """One placeholder for the whole recording, which the model itself spreads out."""
    model = model_of(QWEN)
    inputs = random_inputs(QWEN, model)
    ids = inputs["input_ids"]
    first = (ids[0] == 300).nonzero()[0, 0]
    one = torch.cat([ids[:, : first + 1], ids[:, first + 750 :]], dim=1)
    inputs |= {"input_ids": one, "attention_mask": torch.ones_like(one)}
    grown = pytest.raises(ValueError, match=r"the prompt grew from \(1, 11\) to \(1, 760\) inside the model")
    with torch.no_grad(), prune(model, Letters(), QUESTION, keep=20), grown:
        model(**inputs)


def test_a_model_with_lora_is_pruned_inside_its_wrapper():
    peft = pytest.importorskip("peft")
    lora = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(random_model(VOXTRAL), lora).eval()
    inputs = random_inputs(VOXTRAL, wrapped.get_base_model())
    with prune(wrapped, Letters(), QUESTION, keep=20) as pruning:
        ours = generated(wrapped, inputs)
    masked = masked_logits(wrapped.get_base_model(), inputs, ours.sequences, pruning.plans)
    assert largest_difference(masked, ours.logits) < 5e-5


def test_a_model_that_also_talks_is_pruned_in_its_thinker():
    name = "Qwen2_5OmniThinkerForConditionalGeneration"
    talking = SimpleNamespace(thinker=model_of(name))
    with prune(talking, Letters(), QUESTION, keep=20) as pruning:
        generated(talking.thinker, random_inputs(name, talking.thinker))
    assert len(pruning.plans[0].keep) == 20

"""The adapter against the models' own forward passes and `generate`, on tiny random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import Qwen2AudioProcessor

from speechprune_lib.audio import AudioError, audio_tokens
from speechprune_lib.models.adapter import TransformersSpeechModel
from speechprune_lib.models.door import decoder_input
from speechprune_lib.plug_in import prune
from speechprune_lib.prompt import Plan, apply
from speechprune_lib.pruners import get_method

QUESTION = "What is it?"
INSTRUCTION = "Question: What is it?\nAnswer in a few words."


def prepared(model, audio, **options):
    return model.prepare(audio, QUESTION, instruction=INSTRUCTION, **options)


def every_other(prompt, positions):
    return apply(prompt, Plan(torch.arange(0, prompt.audio_tokens, 2), prompt.audio_tokens, positions))


@pytest.mark.parametrize("seconds", [0.5, 35.0, 61.3])
def test_keeping_everything_is_ordinary_generate(model, noise, seconds):
    """One, two and three windows; token for token and logit for logit, later steps' positions included."""
    options = {"max_new_tokens": 5, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}
    audio = noise(seconds)
    inputs = model.model_inputs(audio, INSTRUCTION)
    ordinary = model.model.generate(**inputs, **options)
    ours = model.model.generate(**model.decoder_inputs(prepared(model, audio)), **options)
    assert torch.equal(ordinary.sequences[:, inputs["input_ids"].shape[1] :], ours.sequences)
    assert all(torch.equal(a, b) for a, b in zip(ordinary.logits, ours.logits, strict=True))


def test_the_reply_is_ordinary_generate_decoded(model, noise):
    inputs = model.model_inputs(noise(1.0), INSTRUCTION)
    ids = model.model.generate(**inputs, max_new_tokens=6, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert model.generate(prepared(model, noise(1.0)), max_new_tokens=6) == model.decode(ids.tolist()).strip()


def test_next_logits_are_the_whole_models(model, noise):
    audio = noise(0.5)
    with torch.no_grad():
        whole = model.model(**model.model_inputs(audio, INSTRUCTION)).logits[0, -1]
    torch.testing.assert_close(model.next_logits(prepared(model, audio)), whole, atol=1e-5, rtol=0)


def test_pruning_with_original_positions_is_masking(model, noise):
    """Dropped tokens masked in the unpruned prompt: the same to a language model whose positions stay."""
    prompt = prepared(model, noise(1.0))
    pruned = every_other(prompt, "original")
    survives = ~prompt.is_audio
    survives[prompt.is_audio.nonzero()[::2, 0]] = True
    inputs = model.decoder_inputs(prompt) | {"attention_mask": survives.long()[None]}
    with torch.no_grad():
        masked = model.model(**inputs).logits[0, -1]
    torch.testing.assert_close(model.next_logits(pruned), masked, atol=1e-5, rtol=0)
    renumbered = model.next_logits(every_other(prompt, "renumbered"))
    assert (renumbered - masked).abs().max() > 1e-3


def test_pruned_generation_is_masked_generation(model, noise):
    prompt = prepared(model, noise(1.0))
    survives = ~prompt.is_audio
    survives[prompt.is_audio.nonzero()[::2, 0]] = True
    inputs = model.decoder_inputs(prompt) | {"attention_mask": survives.long()[None]}
    masked = model.model.generate(**inputs, max_new_tokens=6, do_sample=False)[0]
    assert model.generate(every_other(prompt, "original"), 6) == model.decode(masked.tolist()).strip()


@pytest.mark.parametrize("positions", ["original", "renumbered"])
def test_option_scores_are_those_of_separate_full_passes(model, noise, positions):
    options = ["Yes", "No, a dog", "x", "a much longer option than these"]
    prompt = every_other(prepared(model, noise(1.0)), positions)
    ours = model.option_scores(prompt, options)
    assert ours.shape == (4,)
    torch.testing.assert_close(ours, torch.stack([_score(model, prompt, o) for o in options]), atol=1e-5, rtol=0)
    torch.testing.assert_close(model.option_scores(prompt, ["x"]), ours[2:3], atol=1e-5, rtol=0)


def _score(model, prompt, option):
    """One option, one forward pass over prompt and option, no cache, no padding."""
    ids = torch.tensor(model.token_ids(option))
    steps = torch.arange(1, len(ids) + 1)
    embeddings = torch.cat([prompt.embeddings, model.model.get_input_embeddings()(ids)])
    positions = torch.cat([prompt.position_ids, prompt.position_ids[-1] + steps])
    with torch.no_grad():
        logits = model.model(
            inputs_embeds=embeddings[None],
            position_ids=positions[None],
            attention_mask=torch.ones(1, len(embeddings), dtype=torch.long),
            use_cache=False,
        ).logits[0, -len(ids) - 1 : -1]
    return logits.log_softmax(-1)[torch.arange(len(ids)), ids].mean()


def test_empty_options_are_refused(model, noise):
    prompt = prepared(model, noise(0.2))
    with pytest.raises(ValueError, match="not empty"):
        model.option_scores(prompt, ["yes", ""])
    with pytest.raises(ValueError, match="not empty"):
        model.option_scores(prompt, [])


@pytest.mark.parametrize("samples", [1, 320, 321, 640, 961, 16_000, 480_000, 480_001, 480_320, 480_321, 1_000_000])
def test_prompt_and_clock_agree_on_the_number_of_audio_tokens(model, noise, samples):
    prompt = prepared(model, noise(samples / 16_000))
    assert prompt.audio_tokens == audio_tokens(samples)
    assert bool(torch.diff(prompt.is_audio.nonzero()[:, 0]).eq(1).all())


def test_one_token_keeps_the_positions_of_its_neighbours(model, noise):
    one, two = prepared(model, noise(0.03)), prepared(model, noise(0.08))
    step = 0.15 if model.name == "mini" else 1
    torch.testing.assert_close(one.position_ids[-1].float(), two.position_ids[-1].float() - step)


def test_windows_are_encoded_apart_and_joined_in_order(model, noise):
    audio = noise(31.0)
    parts = [prepared(model, piece).audio for piece in (audio[:480_000], audio[480_000:])]
    torch.testing.assert_close(prepared(model, audio).audio, torch.cat(parts), atol=1e-5, rtol=0)


def test_the_encoder_does_not_hear_the_padding(qwen, noise):
    """What the extractor pads with is masked inside the encoder, not only dropped behind it."""
    inputs = qwen.model_inputs(noise(1.0), INSTRUCTION)
    with decoder_input(qwen.model) as clean, torch.no_grad():
        qwen.model(**inputs)
    loud = inputs | {"input_features": inputs["input_features"].clone()}
    loud["input_features"][..., 104:] += 5.0  # beyond the first convolution's reach into the padding
    with decoder_input(qwen.model) as disturbed, torch.no_grad():
        qwen.model(**loud)
    torch.testing.assert_close(disturbed["inputs_embeds"], clean["inputs_embeds"])


def test_spans_number_every_window(qwen, noise):
    spans = TransformersSpeechModel(qwen.row, qwen.model, qwen.tokenizer, qwen.extractor, "tiny", "spans")
    ids = spans.model_inputs(noise(31.0), INSTRUCTION)["input_ids"][0].tolist()
    text = qwen.tokenizer.decode(ids).replace("<|AUDIO|>", "")
    assert "Audio 1: <|audio_bos|><|audio_eos|>\nAudio 2: <|audio_bos|><|audio_eos|>\nQuestion:" in text
    prompt = prepared(spans, noise(31.0))
    assert prompt.audio_tokens == 775
    torch.testing.assert_close(prompt.audio, prepared(qwen, noise(31.0)).audio)


def test_inputs_are_those_of_transformers_own_processor(qwen, noise):
    processor = Qwen2AudioProcessor(qwen.extractor, qwen.tokenizer)
    turn = [{"role": "user", "content": [{"type": "audio", "audio_url": "x"}, {"type": "text", "text": INSTRUCTION}]}]
    template = processor.default_chat_template
    text = processor.apply_chat_template(turn, chat_template=template, add_generation_prompt=True, tokenize=False)
    theirs = processor(text=text, audio=[noise(12.345)], sampling_rate=16_000, return_tensors="pt")
    ours = qwen.model_inputs(noise(12.345), INSTRUCTION)
    assert int((ours["input_ids"] == qwen.model.config.audio_token_id).sum()) == 309
    assert set(ours) == set(theirs)
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
    with decoder_input(qwen.model) as arguments, torch.no_grad():
        qwen.model(**theirs)
    assert torch.equal(arguments["inputs_embeds"][0], prepared(qwen, noise(12.345)).embeddings)


def test_audio_tower_runs_once_a_prompt_and_the_decoder_never(model, noise):
    calls = {"tower": 0, "layer": 0}
    hooks = [
        model.model.model.audio_tower.register_forward_hook(lambda *_: calls.update(tower=calls["tower"] + 1)),
        model.model.get_decoder().layers[0].register_forward_hook(lambda *_: calls.update(layer=calls["layer"] + 1)),
    ]
    prompt = prepared(model, noise(61.0))
    assert calls == {"tower": 1, "layer": 0}
    model.next_logits(prompt)
    assert calls == {"tower": 1, "layer": 1}
    for hook in hooks:
        hook.remove()


def test_hooks_are_gone_even_after_an_error(model, noise):
    decoder = model.model.get_decoder()
    prepared(model, noise(0.2))
    with pytest.raises(RuntimeError, match="unrelated"), decoder_input(model.model):
        raise RuntimeError("unrelated")
    too_short = model.model_inputs(noise(0.2), INSTRUCTION)
    too_short["input_features"] = too_short["input_features"][..., :1000]
    with pytest.raises(ValueError, match="3000"), decoder_input(model.model):
        model.model(**too_short)
    assert not decoder._forward_pre_hooks


def test_without_audio_the_prompt_is_the_text(model):
    prompt = prepared(model, None)
    row = model.row
    text = row.before + row.after.replace("{instruction}", INSTRUCTION)
    assert prompt.audio_tokens == 0 and len(prompt.embeddings) == len(model.token_ids(text))
    assert torch.equal(prompt.position_ids.float(), torch.arange(len(prompt.embeddings)).float())
    assert isinstance(model.generate(prompt, 3), str)


def test_transcript_stands_where_the_audio_would(model):
    prompt = prepared(model, None, transcript="It is a dog.")
    spoken = model.row.transcript_span.replace("{transcript}", "It is a dog.")
    text = model.row.before + spoken + model.row.after.replace("{instruction}", INSTRUCTION)
    table = model.model.get_input_embeddings().weight
    assert torch.equal(prompt.embeddings, table[model.token_ids(text)].detach())
    assert prompt.audio_tokens == 0


def test_question_is_the_bare_text(model, noise):
    prompt = prepared(model, noise(0.2))
    assert torch.equal(prompt.question, model.model.get_input_embeddings().weight[model.token_ids(QUESTION)])


def test_first_attention_with_grouped_queries(model, noise):
    attention = prepared(model, noise(0.2)).first_attention()
    layer = model.model.get_decoder().layers[0]
    assert attention.query_weight.shape == (32, 32) and attention.key_weight.shape == (16, 32)
    assert (attention.query_heads, attention.key_heads) == (4, 2)
    x = torch.randn(5, 32)
    rms = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(attention.normalize(x), rms * layer.input_layernorm.weight, atol=1e-4, rtol=1e-3)
    assert not attention.query_weight.requires_grad and not attention.normalize(x).requires_grad


def test_bad_prompts_say_what_to_do(model, noise):
    with pytest.raises(ValueError, match="question is empty"):
        model.prepare(noise(0.2), "  ", instruction=INSTRUCTION)
    with pytest.raises(ValueError, match="has 12000 tokens, .* reads 8192 in all"):
        model.prepare(noise(0.2), "who " * 3000, instruction=INSTRUCTION)
    with pytest.raises(ValueError, match="at most one"):
        prepared(model, noise(0.2), transcript="both")
    with pytest.raises(ValueError, match="placeholder"):
        model.prepare(noise(0.2), "What?", instruction=f"What is {model.row.audio_token}?")
    with pytest.raises(AudioError, match="0 samples"):
        prepared(model, np.zeros(0, np.float32))
    with pytest.raises(AudioError, match="NaN"):
        prepared(model, np.full(1000, np.nan, np.float32))


def test_silence_is_answered(model):
    assert isinstance(model.generate(prepared(model, np.zeros(8000, np.float32)), 3), str)


def test_reaching_beyond_the_known_positions_warns(model, noise):
    prompt = prepared(model, noise(0.2))
    far = replace(prompt, position_ids=prompt.position_ids + 8192)
    with pytest.warns(UserWarning, match="8192 positions"):
        model.next_logits(far)


def test_a_tokenizer_of_another_model_is_refused(qwen, mini):
    with pytest.raises(ValueError, match="load both from one place"):
        TransformersSpeechModel(mini.row, qwen.model, qwen.tokenizer, qwen.extractor, "tiny")


def test_generation_ignores_a_checkpoints_sampling(qwen, noise, capfd):
    """Qwen2-Audio's own generation config samples; ours must not, nor warn about it."""
    prompt, config = prepared(qwen, noise(0.2)), qwen.model.generation_config
    plain = qwen.generate(prompt, 6)
    config.update(do_sample=True, temperature=0.7, top_p=0.5, top_k=20, repetition_penalty=1.1)
    try:
        assert qwen.generate(prompt, 6) == plain
    finally:
        config.update(do_sample=None, temperature=None, top_p=None, top_k=None, repetition_penalty=None)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("positions", ["original", "renumbered"])
def test_the_plug_in_and_the_adapter_agree(model, noise, positions):
    """The same audio tokens cut in the prompt, and inside the model's own generate; fractional positions too."""
    audio = noise(31.0)
    pruner = get_method("speechprune", budget=400, positions=positions)
    prompt = prepared(model, audio)
    plan = pruner.plan(prompt, 0.5)
    with prune(model.model, model.tokenizer, QUESTION, rate=0.5, method=pruner) as pruning:
        inputs = model.model_inputs(audio, INSTRUCTION)
        ids = model.model.generate(**inputs, max_new_tokens=6, do_sample=False)
    assert torch.equal(pruning.plans[0].keep, plan.keep)
    new = ids[0, inputs["input_ids"].shape[1] :].tolist()
    assert model.decode(new).strip() == model.generate(apply(prompt, plan), 6)


@pytest.mark.parametrize("seconds", [0.02, 1.0, 61.3])
@pytest.mark.parametrize("long_audio", ["joined", "spans"])
def test_what_was_heard_can_be_asked_again_without_encoding_it(model, noise, seconds, long_audio, monkeypatch):
    """The same prompt as prepared anew, to the bit: embeddings, positions, marks, question."""
    monkeypatch.setattr(model, "long_audio", long_audio)
    audio, heard = noise(seconds), prepared(model, noise(seconds))
    expected = model.prepare(audio, "And who?", instruction="And who is it, then?")
    if seconds > 0.02:  # one token, see `_windows`
        monkeypatch.setattr(model, "_features", None)
    again = model.ask_again(heard, audio, "And who?", instruction="And who is it, then?")
    for name in ("embeddings", "position_ids", "is_audio", "question"):
        assert torch.equal(getattr(again, name), getattr(expected, name)), name
    with pytest.raises(ValueError, match="one of another"):
        model.ask_again(heard, noise(5.0), "And who?", instruction="And who is it, then?")


def test_a_text_alone_is_embedded_as_a_question_is(model, noise):
    assert torch.equal(model.embed(QUESTION), prepared(model, noise(0.5)).question)


def test_the_first_layers_own_queries_and_keys(model, noise):
    """Against the eager kernel's map: among audio tokens, of those that a token can see, the same shares."""
    prompt = prepared(model, noise(1.0))
    config = model.model.get_decoder().config
    kept, config._attn_implementation = config._attn_implementation, "eager"
    try:
        with torch.no_grad():
            maps = model.model.get_decoder()(**model.decoder_inputs(prompt), output_attentions=True).attentions[0][0]
    finally:
        config._attn_implementation = kept
    theirs = maps[:, prompt.is_audio][:, :, prompt.is_audio]
    queries, keys = prompt.first_attention().project(prompt.audio, prompt.position_ids[prompt.is_audio])
    scores = queries @ keys.mT / queries.shape[-1] ** 0.5
    seen = torch.ones(scores.shape[1:], dtype=torch.bool).tril()
    ours = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    torch.testing.assert_close(ours, theirs / theirs.sum(-1, keepdim=True), atol=1e-5, rtol=0)


def test_the_vocabularys_mean_is_of_all_its_tokens(model):
    table = model.model.get_input_embeddings().weight.detach()
    torch.testing.assert_close(model.vocabulary_mean(), table.mean(0), atol=1e-6, rtol=0)


def test_options_of_several_prompts_in_one_pass(model, noise):
    options = ["Yes", "No, a dog", "x"]
    prompts = [prepared(model, noise(seconds)) for seconds in (0.5, 3.0)]
    prompts.append(every_other(prompts[1], "original"))
    alone = torch.stack([model.option_scores(prompt, options) for prompt in prompts])
    torch.testing.assert_close(model.option_scores_of(prompts, options), alone, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        model.option_scores_of(prompts, ["x"]), model.next_logits_of(prompts).log_softmax(-1)[:, model.token_ids("x")],
        atol=1e-5, rtol=0,
    )  # fmt: skip
    with pytest.raises(ValueError, match="got no prompts"):
        model.option_scores_of([], options)


def test_four_options_cost_at_most_half_more_than_one(model, noise):
    """Floating-point operations, at the length of a pruned prompt: the prompt is read once for all of them."""
    from torch.utils.flop_counter import FlopCounterMode

    options = ["In the old mill by the river", "At noon", "A blue teapot, of all places", "Thirty thousand"]
    prompt = prepared(model, noise(24.0))
    costs = []
    for asked in (options[:1], options):
        with FlopCounterMode(display=False) as counter:
            model.option_scores(prompt, asked)
        costs.append(counter.get_total_flops())
    assert 1.0 < costs[1] / costs[0] <= 1.5


def test_several_prompts_in_one_pass(model, noise):
    """Of unequal lengths, pruned and whole."""
    prompts = [prepared(model, noise(seconds)) for seconds in (0.5, 31.0)]
    prompts.append(every_other(prompts[1], "original"))
    together = model.next_logits_of(prompts)
    alone = torch.stack([model.next_logits(prompt) for prompt in prompts])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="got no prompts"):
        model.next_logits_of([])

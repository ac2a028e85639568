"""DiVA with tiny random weights, against a plain restatement of the published forward pass."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, WhisperConfig, WhisperFeatureExtractor, WhisperModel

from speechprune_lib.cli import _joined
from speechprune_lib.evidence import evidence_recall
from speechprune_lib.models.diva import QUERIES, DivaModel, load_diva, read_connector
from speechprune_lib.prompt import Plan, apply
from speechprune_lib.pruners import METHODS, get_method

QUESTION = "Who is it?"
INSTRUCTION = "Who is it?\nAnswer in a few words."
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n\n{{ message['content'] }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n\n{% endif %}"
)
WIDTH, HIDDEN = 16, 32


@pytest.fixture(scope="module")
def words(tokenizer):
    """The tiny tokenizer with a template of Llama-3's form."""
    tokenizer.chat_template = TEMPLATE
    yield tokenizer
    tokenizer.chat_template = None


@pytest.fixture(scope="module")
def whisper():
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=WIDTH,
        num_mel_bins=8,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        vocab_size=320,
        init_std=0.5,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )
    return WhisperModel(config).eval()


@pytest.fixture(scope="module")
def llm(words):
    torch.manual_seed(1)
    shape = {"hidden_size": HIDDEN, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"num_key_value_heads": 2, "max_position_embeddings": 8192, "initializer_range": 0.2}
    ids = {"eos_token_id": 1, "pad_token_id": 1, "bos_token_id": 0}
    return LlamaForCausalLM(LlamaConfig(**shape, **ids, vocab_size=len(words))).eval()


@pytest.fixture(scope="module")
def state(whisper):
    """The published checkpoint's keys: the projection is stored transposed."""
    torch.manual_seed(2)
    decoder = {f"connector.{name}": value.clone() for name, value in whisper.decoder.state_dict().items()}
    return decoder | {
        "query_tokens": torch.randn(QUERIES, WIDTH),
        "projection.weight": torch.randn(WIDTH, HIDDEN),
        "projection.bias": torch.randn(HIDDEN),
    }


@pytest.fixture(scope="module")
def extractor8():
    return WhisperFeatureExtractor(feature_size=8)


def made(whisper, state, llm, words, extractor, **options):
    model = DivaModel(
        whisper.encoder, read_connector(dict(state), whisper.config), llm, words, extractor, "t", **options
    )
    model.end_token_ids = [words.convert_tokens_to_ids("<|im_end|>")]
    return model


@pytest.fixture(scope="module")
def diva(whisper, state, llm, words, extractor8):
    return made(whisper, state, llm, words, extractor8)


@torch.no_grad()
def published(whisper, state, llm, words, extractor, audio, text):
    """The forward pass of `modeling_diva.py` for one window, written out: logits behind the prompt."""
    features = extractor(audio, sampling_rate=16_000, return_tensors="pt").input_features
    hidden = whisper.encoder(input_features=features)["last_hidden_state"]
    connector = {
        name.removeprefix("connector."): value for name, value in state.items() if name.startswith("connector.")
    }
    whisper.decoder.load_state_dict(connector)
    queries = state["query_tokens"][None]
    read = whisper.decoder(inputs_embeds=queries, encoder_hidden_states=hidden)[0]
    virtual = torch.nn.functional.linear(read, state["projection.weight"].T, state["projection.bias"])[0]
    turn = [{"role": "user", "content": "PLACEHOLDER"}]
    prefix, suffix = words.apply_chat_template(turn, tokenize=False, add_generation_prompt=True).split("PLACEHOLDER")
    lines = [line for line in prefix.split("\n") if line.strip()]
    pieces = [lines[0] + "\n", text, "\n" + lines[-1] + "\n"]
    ids = [token for piece in pieces for token in words.encode(piece, add_special_tokens=False)]
    embed = llm.model.embed_tokens
    behind = embed(torch.tensor(words.encode(suffix, add_special_tokens=False)))
    prompt = torch.cat([embed(torch.tensor(ids)), virtual, behind])
    return prompt, llm(inputs_embeds=prompt[None]).logits[0, -1]


def prepared(model, audio, **options):
    return model.prepare(audio, QUESTION, instruction=INSTRUCTION, **options)


def test_the_forward_pass_is_the_published_one(diva, whisper, state, llm, words, extractor8, noise):
    theirs, logits = published(whisper, state, llm, words, extractor8, noise(12.0), INSTRUCTION)
    prompt = prepared(diva, noise(12.0))
    assert prompt.audio_tokens == QUERIES
    torch.testing.assert_close(prompt.embeddings, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(diva.next_logits(prompt), logits, atol=1e-4, rtol=0)


def test_the_reply_is_the_published_greedy_loop(diva, llm, noise):
    prompt = prepared(diva, noise(2.0))
    embeddings, cache, ids = prompt.embeddings[None], None, []
    with torch.no_grad():
        while len(ids) < 6 and (not ids or ids[-1] != diva.end_token_ids[0]):
            step = llm(inputs_embeds=embeddings, past_key_values=cache, use_cache=True)
            cache = step.past_key_values
            ids.append(int(step.logits[0, -1].argmax()))
            embeddings = llm.model.embed_tokens(torch.tensor([[ids[-1]]]))
    assert diva.generate(prompt, 6) == diva.decode(ids).strip()


def test_every_window_gives_its_448_tokens(diva, noise):
    audio = noise(65.0)
    whole, parts = prepared(diva, audio), [audio[:480_000], audio[480_000:960_000], audio[960_000:]]
    assert whole.audio_tokens == 3 * QUERIES
    apart = torch.cat([prepared(diva, part).audio for part in parts])
    torch.testing.assert_close(whole.audio, apart, atol=1e-5, rtol=1e-5)


def test_orders_of_the_prompt(whisper, state, llm, words, extractor8, noise):
    turned = made(whisper, state, llm, words, extractor8, order="audio-first")
    prompt = prepared(turned, noise(1.0))
    place = int(prompt.is_audio.nonzero()[0])
    embed = llm.model.embed_tokens
    behind = words.encode("\n\n", add_special_tokens=False) + turned.token_ids(INSTRUCTION)
    behind += turned.token_ids("<|im_end|><|im_start|>assistant\n\n")
    assert torch.equal(prompt.embeddings[:place], embed(torch.tensor(turned.token_ids("<|im_start|>user\n\n"))))
    assert torch.equal(prompt.embeddings[place + QUERIES :], embed(torch.tensor(behind)))
    with pytest.raises(ValueError, match="order is 'sideways'"):
        DivaModel.__init__.__wrapped__(
            turned, *[turned.encoder, turned.connector], llm, words, extractor8, "t", "sideways"
        )


def test_what_was_heard_can_be_asked_again(diva, noise, monkeypatch):
    audio = noise(31.0)
    heard = diva.prepare(audio, "Who?", instruction="Who is it?")
    expected = diva.prepare(audio, "And who?", instruction="And who is it, then?")
    monkeypatch.setattr(diva, "_frames", None)
    again = diva.ask_again(heard, audio, "And who?", instruction="And who is it, then?")
    for name in ("embeddings", "position_ids", "is_audio", "question", "clock"):
        assert torch.equal(getattr(again, name), getattr(expected, name)), name


def test_without_audio_and_with_a_transcript(diva):
    silent, told = prepared(diva, None), prepared(diva, None, transcript="It is Ann.")
    assert silent.audio_tokens == told.audio_tokens == 0
    assert len(told.embeddings) == len(silent.embeddings) + len(diva.token_ids("It is Ann."))


def test_the_attention_map_is_the_eager_kernels(whisper, state, noise):
    """Against the maps that transformers returns when asked for them."""
    connector = read_connector(dict(state), whisper.config)
    frames = torch.randn(2, 1500, WIDTH)
    ours = connector.attention(frames)
    connector.decoder.set_attn_implementation("eager")
    queries = connector.query_tokens.expand(2, -1, -1)
    with torch.no_grad():
        asked = connector.decoder(inputs_embeds=queries, encoder_hidden_states=frames, output_attentions=True)
    theirs = torch.stack(asked.cross_attentions).mean((0, 2))
    connector.decoder.set_attn_implementation("sdpa")
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    assert not any(layer.encoder_attn._forward_pre_hooks for layer in connector.decoder.layers)


def test_a_token_is_heard_where_it_looks_and_never_behind_the_end(diva, noise):
    prompt = prepared(diva, noise(35.0))
    times = prompt.clock
    assert times.shape == (2 * QUERIES, 2)
    torch.testing.assert_close(times[:, 1] - times[:, 0], torch.full((2 * QUERIES,), 0.02), atol=1e-5, rtol=0)
    first, second = times[:QUERIES, 0], times[QUERIES:, 0]
    assert 0 <= float(first.min()) and float(first.max()) < 30 <= float(second.min()) and float(second.max()) < 35.0
    frames = diva._frames([noise(35.0)[:480_000]])
    looked = diva.connector.attention(frames)[0]
    torch.testing.assert_close(first, looked.argmax(-1) * 0.02, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_prunes_it(diva, noise, name):
    prompt = prepared(diva, noise(61.0))
    plan = get_method(name).plan(prompt, 0.5)
    assert len(plan.keep) == (1344 if name == "everything" else 750 if name == "original" else 375)
    pruned = apply(prompt, plan)
    assert pruned.clock.shape == (len(plan.keep), 2)
    assert isinstance(diva.generate(pruned, 2), str)


def test_frames_are_groups_of_queries(diva, noise, whisper, state, llm, words, extractor8):
    prompt = prepared(diva, noise(1.0))
    assert prompt.frame_size(1.0) == 16 and prompt.tokens_per_second is None
    with pytest.raises(ValueError, match="group is 17, expected a divisor of the 448"):
        made(whisper, state, llm, words, extractor8, group=17)


def test_pruned_with_original_positions_is_masked(diva, llm, noise):
    prompt = prepared(diva, noise(1.0))
    plan = get_method("rap").plan(prompt, 0.6, seed=1)
    survives = ~prompt.is_audio
    survives[prompt.is_audio.nonzero()[plan.keep, 0]] = True
    with torch.no_grad():
        inputs = diva.decoder_inputs(prompt) | {"attention_mask": survives.long()[None]}
        masked = llm(**inputs).logits[0, -1]
    torch.testing.assert_close(diva.next_logits(apply(prompt, plan)), masked, atol=1e-4, rtol=0)


def test_evidence_and_spans_by_attention_times():
    """Four tokens, three of which listen to the key second; two of them are kept."""
    clock = torch.tensor([[5.0, 5.02], [1.0, 1.02], [5.5, 5.52], [5.02, 5.04]])
    plan = Plan(torch.tensor([0, 1, 3]), 4)
    assert evidence_recall(plan, [(5.0, 6.0)], clock) == pytest.approx(2 / 3)
    assert evidence_recall(plan, [(8.0, 9.0)], clock) is None
    assert plan.seconds(clock).tolist() == pytest.approx([5.0, 1.0, 5.02])
    assert plan.spans(clock, 0.001) == [pytest.approx((1.0, 1.02)), pytest.approx((5.0, 5.04))]
    stretches, gap = _joined(plan, clock)
    assert gap == 0.5 and [share for *_, share in stretches] == pytest.approx([1.0, 1.0])


@pytest.fixture
def folder(tmp_path, whisper, state, llm, words, extractor8):
    """A copy of the checkpoint as it lies on the hub, with the two models that its config names."""
    for name, parts in {"whisper": (whisper, extractor8), "llama": (llm, words)}.items():
        for part in parts:
            part.save_pretrained(tmp_path / name)
    references = {"reference_encoder": str(tmp_path / "whisper"), "reference_decoder": str(tmp_path / "llama")}
    (tmp_path / "config.json").write_text(json.dumps(references))
    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "model.safetensors")
    return tmp_path


def test_the_published_files_are_read(folder, diva, noise):
    loaded = load_diva("cpu", source=str(folder), dtype=torch.float32)
    assert (loaded.name, loaded.revision, loaded.dtype) == ("diva", "local", torch.float32)
    torch.testing.assert_close(prepared(loaded, noise(3.0)).embeddings, prepared(diva, noise(3.0)).embeddings)


def test_nothing_is_held_twice(state, whisper):
    state = dict(state)
    connector = read_connector(state, whisper.config)
    of_file = {value.untyped_storage().data_ptr() for value in state.values()}
    assert {weight.untyped_storage().data_ptr() for weight in connector.parameters()} <= of_file


def test_checkpoints_that_do_not_fit_are_named(folder, state, whisper):
    with pytest.raises(ValueError, match="would take 23 GB"):
        load_diva("cpu")
    lacking = {name: value for name, value in state.items() if name != "query_tokens"}
    with pytest.raises(ValueError, match="has no query_tokens"):
        read_connector(lacking, whisper.config)
    with pytest.raises(ValueError, match="query_tokens are"):
        read_connector(state | {"query_tokens": torch.zeros(448, 8)}, whisper.config)
    cut = {name: value for name, value in state.items() if "layers.1.fc1" not in name}
    with pytest.raises(ValueError, match=r"(?s)does not fit 16 dimensions of Whisper: .*layers\.1\.fc1"):
        read_connector(cut, whisper.config)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="lacks model.safetensors"):
        load_diva("cpu", source=str(folder))

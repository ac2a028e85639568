"""The kept audio is what the plan keeps, without clicks, and players carry it."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import soundfile
import torch

from speechprune_lib.audio import SAMPLES_PER_TOKEN, load
from speechprune_lib.listen import audio_pair, audio_player, check_writable, kept_audio, loudness, write_audio
from speechprune_lib.prompt import Plan

FADE = 80


def plan(*keep: int, total: int = 50) -> Plan:
    return Plan(torch.tensor(keep), total)


@pytest.fixture
def tone() -> np.ndarray:
    return np.sin(np.arange(32_000) / 20).astype(np.float32)


def test_everything_kept_is_the_recording(tone):
    kept = kept_audio(tone, plan(*range(50)))
    assert len(kept) == len(tone)
    np.testing.assert_allclose(kept[FADE:-FADE], tone[FADE:-FADE], atol=1e-6)


def test_kept_audio_is_as_long_as_its_tokens_and_the_same_inside(tone):
    kept = kept_audio(tone, plan(3, 4, 20))
    assert len(kept) == 3 * SAMPLES_PER_TOKEN and kept.dtype == np.float32
    first, second = kept[FADE : 1280 - FADE], kept[1280 + FADE : 1920 - FADE]
    np.testing.assert_allclose(first, tone[1920 + FADE : 3200 - FADE], atol=1e-6)
    np.testing.assert_allclose(second, tone[12_800 + FADE : 13_440 - FADE], atol=1e-6)


def test_cuts_fade_into_each_other():
    steps = np.repeat(
        np.arange(50, dtype=np.float32), SAMPLES_PER_TOKEN
    )  # a level a token: a bare cut would jump by 40
    kept = kept_audio(steps, plan(5, 45))
    inside = kept[FADE:-FADE]
    assert np.abs(np.diff(inside)).max() < 1.5
    assert inside[0] == 5 and inside[-1] == 45
    flat = kept_audio(np.ones(32_000, np.float32), plan(1, 9, 17))
    np.testing.assert_allclose(flat[FADE:-FADE], 1.0, atol=1e-6)  # the two sides of a fade add up to one


def test_a_last_token_beyond_the_recording_is_cut_off(tone):
    assert len(kept_audio(tone[:31_700], plan(48, 49))) == 640 + 340
    assert len(kept_audio(tone[:5], plan(0, total=1))) == 5


def test_sound_files_are_read_back(tone, tmp_path):
    for name in ("kept.wav", "kept.flac", "kept.ogg", "kept.mp3", "KEPT.WAV"):
        assert len(load(write_audio(tmp_path / name, tone))) == len(tone)
    with pytest.raises(ValueError, match=r"cannot write kept.txt: expected a name that ends in .wav"):
        check_writable(tmp_path / "kept.txt")
    with pytest.raises(FileNotFoundError, match="no folder .*make it first"):
        check_writable(tmp_path / "nowhere" / "kept.wav")


def test_a_player_carries_its_sound_and_its_name(tone):
    player = audio_player(tone, 16_000, 'The "kept" tokens & nothing else')
    page = player._repr_html_()
    assert "controls" in page and 'aria-label="The &quot;kept&quot; tokens &amp; nothing else"' in page
    found = re.search(r'src="data:audio/mpeg;base64,([^"]+)"', page)
    assert found is not None
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found[1])))
    assert rate == 16_000 and len(samples) == len(tone)
    assert len(base64.b64decode(found[1])) < 2 * 6_000  # two seconds
    assert len(repr(player)) < 100  # the text beside it in a notebook
    assert page == audio_player(tone, 16_000, player.label)._repr_html_()
    with pytest.raises(ValueError, match="no label"):
        audio_player(tone, 16_000, " ")


def test_what_is_said_stands_folded_beneath_the_player(tone):
    page = audio_player(tone[:1600], 16_000, "a tone", "Ahem & <so> on.").html
    assert "<details><summary>What is said</summary>Ahem &amp; &lt;so&gt; on.</details>" in page
    assert "<details>" not in audio_player(tone[:1600], 16_000, "a tone").html


def test_loudness_is_that_of_the_sound_and_not_of_its_silences(tone):
    """A sine's root mean square is its amplitude over the root of two, however much silence surrounds it."""
    assert loudness(tone) == pytest.approx(1 / np.sqrt(2), rel=0.01)
    silence = np.zeros(32_000, np.float32)
    assert loudness(np.concatenate([silence, 0.5 * tone, silence])) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    assert loudness(silence) == loudness(silence[:0]) == 0.0


def heard(page: str) -> list[np.ndarray]:
    return [soundfile.read(io.BytesIO(base64.b64decode(sound)))[0] for sound in re.findall(r"base64,([^\"]+)", page)]


def test_a_pair_is_equally_loud_and_never_clips(tone):
    pair = audio_pair((0.3 * tone, "before", "all"), (0.05 * tone[:8000], "after", "a part"))
    before, after = heard(pair.html)
    assert np.abs(after).max() == pytest.approx(np.abs(before).max(), rel=0.1)
    assert pair.html.count("<details>") == 2 and pair.label == "before / after"
    click = np.zeros(8000, np.float32)
    click[4000] = 0.5
    clipped = heard(audio_pair((tone, "before", ""), (click, "after", "")).html)[1]
    assert np.abs(clipped).max() <= 1.0
    silent = heard(audio_pair((tone, "before", ""), (0 * tone, "after", "")).html)[1]
    assert np.abs(silent).max() < 1e-3

"""An environment whose StyleTTS 2 is a stand-in; the worker and its process are real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from speechprune_lib.synthesis.speaking.engines import styletts2

SOURCE = """
import numpy as np
from pathlib import Path
class StyleTTS2:
    def inference(self, text, target_voice_path, output_sample_rate, diffusion_steps, embedding_scale):
        print("noise on stdout")
        if text == "bad":
            raise RuntimeError("no phonemes")
        assert (diffusion_steps, embedding_scale) == (5, 1.0)
        with (Path(__file__).parent / "references.txt").open("a") as references:
            references.write(target_voice_path + "\\n")
        return 0.3 * np.sin(np.arange(len(text) * output_sample_rate // 10) / 9)
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which it writes the reference recordings that it was given: a tenth of a second a letter is said."""
    (folder / "styletts2").mkdir(parents=True)
    (folder / "styletts2/__init__.py").write_text("")
    (folder / "styletts2/tts.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv(styletts2.PYTHON_VARIABLE, sys.executable)
    return folder / "styletts2/references.txt"

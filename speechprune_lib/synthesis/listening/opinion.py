"""Predicted mean opinion scores: how good listeners would find a recording, from 1 to 5, by a model's guess.

Every model has a scale of its own. Two numbers compare only if their `scale` is the same; the paper's is UTMOS-22.
"""

# pyright: basic
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...audio import SAMPLE_RATE_HZ, Waveform
from ...files import file_hash
from ...packages import needed

DNSMOS_SAMPLES = round(9.01 * SAMPLE_RATE_HZ)
"""What the model hears at a time; shorter sound is repeated."""

DNSMOS_OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""The polynomial that brings the network's third output onto the scale, as speechmos' `get_polyfit_val` has it."""


class Opinion(ABC):
    """A model that predicts mean opinion scores. `scale` goes wherever a score goes; `revision` names the weights."""

    @property
    @abstractmethod
    def scale(self) -> str: ...

    @property
    @abstractmethod
    def revision(self) -> str: ...

    @abstractmethod
    def score(self, waveform: Waveform) -> float:
        """The predicted score of 16 kHz mono speech."""


@dataclass(frozen=True)
class Utmos22(Opinion):
    """UTMOS-22's strong learner (arXiv 2204.02152), the paper's, through `utmos-pytorch`; weights from the hub.

    Raises RuntimeError where the hub is not reachable.
    """

    device: str = "cpu"

    @property
    def scale(self) -> str:
        return "UTMOS-22"

    @property
    def revision(self) -> str:
        return _utmos_weights().parent.name[:12]

    def score(self, waveform: Waveform) -> float:
        import torch

        return float(_utmos(self.device).score(torch.from_numpy(waveform).to(self.device)))


@dataclass(frozen=True)
class Dnsmos(Opinion):
    """DNSMOS P.835's overall score (arXiv 2110.01763) by the network that the package `speechmos` carries: offline.

    Made to judge noise suppression: it hears noise and distortion well, and an unnatural voice hardly. hop_s: seconds
    from window to window. speechmos' own `dnsmos.run` steps by 1 s but loses most windows of long sound to a rounding
    error, takes all cores and computes other scores too; where it hears the same windows its number is the same.
    """

    hop_s: int = 3

    @property
    def scale(self) -> str:
        return "DNSMOS P.835 overall"

    @property
    def revision(self) -> str:
        return f"{file_hash(_dnsmos_file())[:12]}-hop{self.hop_s}"

    def score(self, waveform: Waveform) -> float:
        heard = np.clip(waveform, -1.0, 1.0)
        while len(heard) < DNSMOS_SAMPLES:
            heard = np.concatenate([heard, heard])
        windows = np.lib.stride_tricks.sliding_window_view(heard, DNSMOS_SAMPLES)[:: self.hop_s * SAMPLE_RATE_HZ]
        # one at a time: a batch takes longer
        raw = [_dnsmos().run(None, {"input_1": window[None].astype(np.float32)})[0][0, 2] for window in windows]
        return float(np.mean(np.polyval(DNSMOS_OVERALL, np.array(raw, np.float64))))


@cache
def _utmos(device: str) -> Any:
    package = needed("utmos_pytorch", "UTMOS-22", "synthesis")
    return package.UTMOSScoreTorch(ckpt_path=str(_utmos_weights()), device=device)


@cache
def _utmos_weights() -> Path:
    try:
        return Path(needed("utmos_pytorch.utils", "UTMOS-22", "synthesis").download_utmos_ckpt())
    except OSError as error:
        raise RuntimeError(
            "UTMOS-22's weights are not reachable on the hub: connect, or use Dnsmos(), which is another scale"
        ) from error


@cache
def _dnsmos() -> Any:
    runtime = needed("onnxruntime", "DNSMOS", "synthesis")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # clips run side by side, not windows
    return runtime.InferenceSession(str(_dnsmos_file()), options, providers=["CPUExecutionProvider"])


def _dnsmos_file() -> Path:
    return Path(needed("speechmos", "DNSMOS", "synthesis").__file__).parent / "dnsmos_models" / "sig_bak_ovr.onnx"

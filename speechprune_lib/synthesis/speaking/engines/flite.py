"""The flite text-to-speech engine (Debian packages `flite`, `libflite1`), with exact word times.

Flite is called through its C library because only there does it tell when each word starts and ends. A rare unit
makes the C code call `exit`; callers that must survive that speak in a child process.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from ..speech import Speech, is_said, plain

VOICES = ("slt", "rms", "awb", "kal16")


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


def _shared(name: str) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise OSError(f"cannot load {name}: install flite (Debian: apt-get install flite libflite1)") from error


@cache
def _library() -> ctypes.CDLL:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library = _shared("libflite.so.1")
    for name in ("cmulex", "usenglish"):
        _shared(f"libflite_{name}.so.1")
    signatures = {
        "flite_synth_text": (pointer, [text, pointer]),
        "utt_wave": (pointer, [pointer]),
        "utt_relation": (pointer, [pointer, text]),
        "relation_head": (pointer, [pointer]),
        "item_next": (pointer, [pointer]),
        "ffeature_string": (text, [pointer, text]),
        "ffeature_float": (ctypes.c_float, [pointer, text]),
        "delete_utterance": (None, [pointer]),
        "feat_set_float": (None, [pointer, text, ctypes.c_float]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.flite_init()
    return library


@cache
def _voice(name: str) -> int:
    if name not in VOICES:
        raise ValueError(f"unknown flite voice {name!r}, expected one of {', '.join(VOICES)}")
    _library()
    register = getattr(_shared(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    return register(None)


def say(text: str, voice: str, stretch: float = 1.0) -> Speech:
    """Speak `text`; `stretch` > 1 is slower. The word times come from the engine itself, not from an alignment."""
    library, handle = _library(), _voice(voice)
    features = ctypes.cast(handle, ctypes.POINTER(_Voice)).contents.features
    library.feat_set_float(features, b"duration_stretch", stretch)
    utterance = library.flite_synth_text(plain(text, "flite").encode("ascii"), handle)
    if not utterance:
        raise ValueError(f"flite cannot say {text!r}: write it out in plain words")
    try:
        wave = ctypes.cast(library.utt_wave(utterance), ctypes.POINTER(_Wave)).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / 32768
        return Speech(samples, wave.sample_rate, tuple(_word_times(library, utterance, text)))
    finally:
        library.delete_utterance(utterance)


_FIRST = b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_LAST = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"


def _word_times(library: ctypes.CDLL, utterance: int, text: str) -> list[tuple[str, float, float]]:
    times = []
    item = library.relation_head(library.utt_relation(utterance, b"Token"))
    while item:
        times.append((library.ffeature_float(item, _FIRST), library.ffeature_float(item, _LAST)))
        item = library.item_next(item)
    words = text.split()
    if len(times) != len(words):
        raise ValueError(
            f"flite reports {len(times)} words for the {len(words)} of {text!r}: write it out in plain words"
        )
    said = [(word, start, end) for word, (start, end) in zip(words, times, strict=True) if is_said(word)]
    if silent := [word for word, start, end in said if end <= start]:
        raise ValueError(f"flite leaves {silent[0]!r} of {text!r} unsaid: write it out in plain words")
    return said

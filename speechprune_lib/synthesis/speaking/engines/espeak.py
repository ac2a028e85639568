"""The eSpeak NG engine (Debian package `libespeak-ng1`): formant voices, with exact word times.

A voice is one of eSpeak's names, with a variant after a plus sign, such as `en-us+f3`. It is called through its C
library, which tells at which sample every phoneme begins; a word lasts until its last phoneme, not until the pause
after it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..speech import Speech

WORDS_PER_MINUTE = 175
"""At `stretch` 1: eSpeak's own default."""
SLOWEST, FASTEST = 80, 450

_RETRIEVAL, _PHONEME_EVENTS, _CHARACTERS, _UTF8, _RATE = 1, 1, 1, 1, 1
_END, _WORD, _PHONEME = 0, 1, 7


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass
class _Heard:
    """What the library hands back while it speaks."""

    pieces: list[np.ndarray] = field(default_factory=list)
    events: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    """(kind, character of the text from 1, sample, phoneme)"""

    def take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self.pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        place = 0
        while events[place].type != _END:
            event = events[place]
            phoneme = event.id.string if event.type == _PHONEME else b""
            self.events.append((event.type, event.text_position, event.sample, phoneme))
            place += 1
        return 0


_heard = _Heard()
_callback = _Callback(lambda wave, count, events: _heard.take(wave, count, events))


@cache
def _library() -> tuple[ctypes.CDLL, int]:
    """The library, initialized, and its sampling rate. The process keeps it: it cannot be set up twice."""
    try:
        library = ctypes.CDLL("libespeak-ng.so.1")
    except OSError as error:
        raise OSError("cannot load libespeak-ng.so.1: install eSpeak NG (Debian: apt-get install espeak-ng)") from error
    rate_hz = library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS)
    library.espeak_SetSynthCallback(_callback)
    return library, rate_hz


def say(text: str, voice: str, stretch: float = 1.0) -> Speech:
    """Speak `text`; `stretch` > 1 is slower. The word times come from the engine itself, not from an alignment.

    Raises ValueError for an unknown voice, a tempo that eSpeak does not have, and text of which it leaves words unsaid.
    """
    library, rate_hz = _library()
    tempo = round(WORDS_PER_MINUTE / stretch)
    if not SLOWEST <= tempo <= FASTEST:
        raise ValueError(
            f"stretch {stretch} makes {tempo} words a minute, eSpeak has {SLOWEST} to {FASTEST}: choose a stretch from "
            f"{WORDS_PER_MINUTE / FASTEST:.2f} to {WORDS_PER_MINUTE / SLOWEST:.2f}"
        )
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"eSpeak NG has no voice {voice!r}: `espeak-ng --voices=en` and `--voices=variant` list them")
    library.espeak_SetParameter(_RATE, tempo, 0)
    _heard.pieces, _heard.events = [], []
    spoken = text.encode("utf8")
    library.espeak_Synth(spoken, len(spoken) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    samples = np.concatenate([*_heard.pieces, np.zeros(0, np.int16)]).astype(np.float32) / 32768
    return Speech(samples, rate_hz, tuple(_word_times(text, rate_hz, len(samples))))


def _word_times(text: str, rate_hz: int, samples: int) -> list[tuple[str, float, float]]:
    """A word of the text begins with its first phoneme and ends where the next word or a pause begins.

    eSpeak says some words in one go ("of the"): such a run's time is split by letters.
    """
    words, times = text.split(), []
    for run, (begin, end) in _runs(text, samples).items():
        letters = np.cumsum([0] + [len(words[i]) for i in run]) / sum(len(words[i]) for i in run)
        edges = (begin + letters * (end - begin)) / rate_hz
        times += [(words[i], float(edges[place]), float(edges[place + 1])) for place, i in enumerate(run)]
    if [word for word, _, _ in times] != words or any(end <= begin for _, begin, end in times):
        raise ValueError(
            f"eSpeak says {len(times)} of the {len(words)} words of {text!r} one after the other: "
            "write it out in plain words"
        )
    return times


def _runs(text: str, samples: int) -> dict[range, tuple[int, int]]:
    """Runs of the text's words (by number) that are said in one go, with their first and last sample."""
    run_of, runs, current = _run_of_character(text), {}, None
    for kind, character, sample, phoneme in [*_heard.events, (_PHONEME, 0, samples, b"_")]:
        if kind == _WORD:
            current = run_of.get(character, current)
            continue
        if kind != _PHONEME:
            continue
        if phoneme.startswith(b"_"):
            current = None
        for run, times in runs.items():
            if times[1] is None and run != current:
                times[1] = sample
        if current is not None:
            runs.setdefault(current, [sample, None])[1] = None
    return {run: (begin, end) for run, (begin, end) in runs.items()}


def _run_of_character(text: str) -> dict[int, range]:
    """Position in the text, from 1 as eSpeak counts -> the run there: a word that is announced, and those that are not."""
    at, word = {}, -1
    for place, character in enumerate(text):
        if not character.isspace():
            word += place == 0 or text[place - 1].isspace()
            at[place + 1] = word
    announced = {at[character] for kind, character, _, _ in _heard.events if kind == _WORD and character in at}
    borders = [*sorted(announced), word + 1]
    runs = {w: range(first, stop) for first, stop in pairwise(borders) for w in range(first, stop)}
    return {place: runs[w] for place, w in at.items() if w in runs}

"""The Festival engine (Debian package `festival` and its voices), with exact word times.

A process of Festival's holds the voices; texts go in as Scheme, word times come out as lines and speech as a file.
"""

from __future__ import annotations

import atexit
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import soundfile

from ..speech import Speech, is_said, plain

VOICES = {
    "kal": ("voice_kal_diphone", "festvox-kallpc16k"),
    "ked": ("voice_ked_diphone", "festvox-kdlpc16k"),
    "slt-hts": ("voice_cmu_us_slt_arctic_hts", "festvox-us-slt-hts"),
}
"""Voice -> (what Festival calls it, its Debian package)."""
UNSTRETCHED = ("slt-hts",)
"""Voices whose tempo Festival cannot set."""
SCRIPT = Path(__file__).with_name("festival.scm")


def say(text: str, voice: str, stretch: float = 1.0) -> Speech:
    """Speak `text`; `stretch` > 1 is slower. The word times come from the engine itself, not from an alignment.

    Raises ValueError for an unknown voice, a stretch that it cannot have, and text of which it leaves words unsaid.
    """
    if voice not in VOICES:
        raise ValueError(f"unknown Festival voice {voice!r}, expected one of {', '.join(VOICES)}")
    if stretch != 1.0 and voice in UNSTRETCHED:
        raise ValueError(f"Festival's {voice} speaks at its own pace, got stretch {stretch}: leave it at 1")
    spoken = plain(text, "Festival")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        lines = _ask(f"(speechprune_say {VOICES[voice][0]} {stretch} {_quoted(spoken)} {_quoted(str(out))})")
        if not out.exists():
            raise ValueError(
                f"Festival cannot say {text!r} with {voice} (Debian: apt-get install {VOICES[voice][1]}); "
                "if the voice is there, write the text out in plain words"
            )
        samples, rate_hz = soundfile.read(out, dtype="float32")
    return Speech(samples, rate_hz, tuple(_word_times(text, lines)))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ask(command: str) -> list[str]:
    """What Festival prints for a command. A process that ends is noticed, and the next call starts another."""
    festival = _process()
    assert festival.stdin is not None and festival.stdout is not None
    try:
        festival.stdin.write(f'{command}\n(format t "\\nasked\\n")\n(fflush nil)\n')
        festival.stdin.flush()
    except OSError:
        pass  # it has ended: reading says so
    lines: list[str] = []
    while (line := festival.stdout.readline().strip()) != "asked":
        if not line and festival.poll() is not None:
            _process.cache_clear()
            raise RuntimeError(f"Festival's process ended at {command}; run it by hand to see why")
        lines.append(line)
    return lines


@cache
def _process() -> subprocess.Popen[str]:
    try:
        process = subprocess.Popen(
            ["festival", "--pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except FileNotFoundError as error:
        raise OSError("Festival is not installed (Debian: apt-get install festival)") from error
    atexit.register(end_process)
    assert process.stdin is not None
    process.stdin.write(f"(load {_quoted(str(SCRIPT))})\n")
    return process


def end_process() -> None:
    """End the process, if there is one; the next `say` starts another."""
    if _process.cache_info().currsize:
        _process().kill()
        _process().communicate()
    _process.cache_clear()


def _word_times(text: str, lines: list[str]) -> list[tuple[str, float, float]]:
    """A piece of the text lasts from its first spoken word to its last: "1999" is three."""
    said: dict[int, list[tuple[float, float]]] = {}
    for line in lines:
        kind, *facts = line.split()[:4] or [""]
        if kind == "word" and float(facts[2]) > float(facts[1]):  # punctuation is a word of no length
            said.setdefault(int(facts[0]), []).append((float(facts[1]), float(facts[2])))
    words = {place: word for place, word in enumerate(text.split()) if is_said(word)}
    if [*said] != [*words]:
        raise ValueError(
            f"Festival says {len(said)} of the {len(words)} words of {text!r}: write it out in plain words"
        )
    return [(word, said[i][0][0], said[i][-1][1]) for i, word in words.items()]

"""The house, drawn from the table of the page on architecture: a floor a layer, a door a room.

Narrow, so that it reads on a phone; coloured by the theme's variables, so that it reads in the dark.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

WIDTH, MARGIN, GAP = 400, 10, 5
LETTER, LINE, ROOM = 6.1, 14, 20
"""Width of a monospaced letter at 10 px, height of a floor's title, height of a room."""
FLOORS = {0: "words", 1: "parts", 2: "uses", 3: "shows", 4: "door"}
SAYS = {
    0: "the vocabulary that everybody shares",
    1: "never import each other",
    2: "ask, measure, build",
    3: "figures, sound and the book",
    4: "the command line and the public names",
}
FLOW = (
    ("waveform", "models/"),
    ("SpeechPrompt", "pruners/"),
    ("Plan", "prompt.apply"),
    ("shorter SpeechPrompt", "models/"),
    ("reply", ""),
)
STYLE = """
.house { max-width: 640px; width: 100%; height: auto; display: block; margin: 1rem auto; }
.house text { fill: var(--pst-color-text-base, #222); font: 10px sans-serif; }
.house .room, .house .step { font: 10px monospace; }
.house .floor { fill: var(--pst-color-surface, #f3f4f5); stroke: var(--pst-color-border, #ccc); }
.house .door { fill: var(--pst-color-background, #fff); stroke: var(--pst-color-primary, #176d84); }
.house .arrow { stroke: var(--pst-color-text-muted, #555); fill: none; }
.house .name { font-weight: bold; }
"""


def rooms(app: Sphinx) -> dict[int, list[str]]:
    """The rooms of every floor, as the page's table lists them."""
    found: dict[int, list[str]] = {}
    for line in (Path(app.srcdir) / "book" / "architecture.md").read_text("utf8").splitlines():
        row = re.match(r"\|\s*(\d)[^|]*\|([^|]*)\|", line)
        if row:
            found.setdefault(int(row[1]), []).extend(re.findall(r"`([^`]+)`", row[2]))
    return found


def drawn(app: Sphinx, words: str) -> str:
    """The picture as raw HTML: what flows through on top, then the floors, the door first."""
    parts, below = _flow(14)
    for number, names in sorted(rooms(app).items(), reverse=True):
        floor, below = _floor(number, names, below + GAP)
        parts += floor
    title = "What flows through the library, and its rooms by layers: " + "; ".join(
        f"{FLOORS[number]}: {', '.join(names)}" for number, names in sorted(rooms(app).items())
    )
    svg = f'<svg class="house" viewBox="0 0 {WIDTH} {below + MARGIN}" role="img" aria-label="{escape(title, quote=True)}">'
    return f"```{{raw}} html\n<style>{STYLE}</style>\n{svg}{''.join(parts)}</svg>\n```"


def _flow(top: float) -> tuple[list[str], float]:
    """What is handed on, from the top down, and by whom."""
    parts: list[str] = []
    for thing, by in FLOW:
        parts.append(f'<text class="name" x="{WIDTH / 2}" y="{top}" text-anchor="middle">{thing}</text>')
        if by:
            parts.append(f'<path class="arrow" d="M{WIDTH / 2} {top + 4}v14m-3 -4l3 4l3 -4"/>')
            parts.append(f'<text class="step" x="{WIDTH / 2 + 8}" y="{top + 14}">{by}</text>')
            top += 31
    return parts, top + 6


def _floor(number: int, names: list[str], top: float) -> tuple[list[str], float]:
    left, right, doors = 2 * MARGIN, WIDTH - 2 * MARGIN, []
    x, y = left, top + LINE + 8
    for name in names:
        width = LETTER * len(name) + 10
        if x + width > right:
            x, y = left, y + ROOM + GAP
        doors.append(f'<rect class="door" x="{x}" y="{y}" width="{width:.1f}" height="{ROOM}" rx="4"/>')
        doors.append(f'<text class="room" x="{x + 5}" y="{y + 14}">{escape(name)}</text>')
        x += width + GAP
    bottom = y + ROOM + 8
    frame = f'<rect class="floor" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{bottom - top}" rx="6"/>'
    title = f'<text x="{left}" y="{top + LINE}"><tspan class="name">{number} {FLOORS[number]}</tspan>: {SAYS[number]}</text>'
    return [frame, title, *doors], bottom

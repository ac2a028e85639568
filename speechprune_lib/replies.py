"""Which option does a free reply name? Strict on purpose: a reply that can be read two ways names none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

# A letter that stands alone. "a" and "i" are words: in lower case they count only where a bracket or a stop marks
# them as labels, and in upper case not in front of a word, unless it is one that follows a name.
_AFTER_A_NAME = r"(?:is|was|or|and|but|nor|because|since|as|for|seems|fits|matches|would|should|must)\b"
_LETTER = (
    rf"(?<![\w'’])(?:(?P<upper>[B-HJ-Z])|(?P<word>[AI])(?![ \t]+(?!{_AFTER_A_NAME})\w)|\((?P<bracketed>[a-z])\))"
    r"(?![\w'’])"
)
_LABEL = re.compile(r"^[\s*_#>\-\"'\[]*\(?(?P<label>[A-Za-z])[*_]*\s*[.):\]](?!\w)", re.MULTILINE)
_LONE = re.compile(r"[\W_]*([A-Za-z])[\W_]*")
_POINTER = r"(?:answers?|options?|choices?|letters?|choose|pick|select|is|be|it[’']s|that[’']s)"
_STATED = re.compile(
    rf"(?i:\b{_POINTER})(?:\s+(?i:is|be|was|option|choice|letter))*\s*[:=\-]?\s*[*_\"'“\[]*"
    rf"(?:{_LETTER}|(?P<lower>[b-hj-z])(?![\w'’]))"
)
_RIGHT = re.compile(rf"{_LETTER}[*_\"'”\])]*\s+(?i:is|was|must\s+be)\s+(?i:the\s+)?(?i:correct|right|true|answer|best)")
_BARE = re.compile(_LETTER)

_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|wrong|incorrect|false|unlike|except|rather\s+than|instead\s+of|"
    r"eliminate\w*|exclude\w*|rules?\s+out|ruled\s+out|\w+n[’']t)\b",
    re.IGNORECASE,
)
# "C, not B" and "C rather than B" deny what comes after, "B is not right" what comes before.
_CLAUSES = re.compile(
    r"[,;!?\n]|\.(?=\s|$)|\b(?i:but|although|though|while|whereas|because|so)\b"
    r"|(?=\b(?i:not|rather\s+than|instead\s+of)\s+\W*(?:(?i:option|choice)\s+)?\W*[A-Z]\b)"
)


def parse_letter(reply: str, choices: Sequence[str]) -> int | None:
    """Index of the option that a reply names, or None if it names none or more than one.

    In this order: the reply is one letter; a letter labels it ("C. 30,000") or it states one ("the answer is C"); one
    letter stands alone in it; it holds the text of one option. What it denies ("B is wrong") does not count.
    """
    if not choices:
        raise ValueError("got no choices, expected those that the reply can name")
    valid = ascii_uppercase[: len(choices)]
    if lone := _LONE.fullmatch(reply):
        return _only({lone[1].upper()}, valid)
    rest, texts = _without_texts(reply, choices)
    clauses = [clause for clause in _CLAUSES.split(rest) if not _NEGATION.search(clause)]
    affirmed = "\n".join(clauses)
    labels = {found["label"].upper() for found in _LABEL.finditer(rest) if not _denied(rest, found.end())}
    for letters in (labels | _named(_STATED, affirmed) | _named(_RIGHT, affirmed), _named(_BARE, affirmed)):
        if letters & set(valid):
            return _only(letters, valid)
    return texts.pop() if len(texts) == 1 else None


def _only(letters: set[str], valid: str) -> int | None:
    named = letters & set(valid)
    return valid.index(named.pop()) if len(named) == 1 else None


def _named(pattern: re.Pattern[str], text: str) -> set[str]:
    return {next(filter(None, found.groups())).upper() for found in pattern.finditer(text)}


def _denied(text: str, start: int) -> bool:
    """Whether the first clause from `start` on denies."""
    return bool(_NEGATION.search(_CLAUSES.split(text[start:].lstrip(" "), maxsplit=1)[0]))


def _without_texts(reply: str, choices: Sequence[str]) -> tuple[str, set[int]]:
    """The reply without the options' texts, in which letters could stand ("Vitamin C"), and whose texts it affirmed."""
    affirmed: set[int] = set()
    for index in sorted(range(len(choices)), key=lambda index: -len(choices[index])):
        words = re.findall(r"\w+", choices[index])
        if len("".join(words)) < 2:
            continue
        pattern = re.compile(r"(?<!\w)" + r"\W+".join(map(re.escape, words)) + r"(?!\w)", re.IGNORECASE)
        if any(not _text_denied(reply, found) for found in pattern.finditer(reply)):
            affirmed.add(index)
        reply = pattern.sub(" … ", reply)
    return reply, affirmed


def _text_denied(reply: str, found: re.Match[str]) -> bool:
    """Whether a denial stands in the same clause as the text: at most three words before it, or right behind it."""
    before = _CLAUSES.split(reply[: found.start()])[-1].split()[-3:]
    behind = re.match(r"\W*(?:is|was|are|were|would\s+be)\s+(?:not|wrong|incorrect|false)\b", reply[found.end() :])
    return bool(_NEGATION.search(" ".join(before)) or behind)

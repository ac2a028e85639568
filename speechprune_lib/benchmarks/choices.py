"""Multiple-choice options as benchmarks print them ("B. Green") -> bare texts and the index of the right one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from string import ascii_uppercase

_LABELLED = re.compile(r"\s*\(?([A-Za-z])\s*[.):]\s*(.+?)\s*", re.DOTALL)
_BRACKETED = re.compile(r"\(([A-Z])\)")
_LETTER_ALONE = re.compile(r"\s*\(?([A-Za-z])\s*[.):]?\s*")


def strip_labels(choices: Sequence[str]) -> tuple[str, ...]:
    """The texts without "A. ", "b) ", "(C) " or "D: ", if all choices carry one and together they are A, B, C, ...

    Otherwise nothing but outer white space goes: "A. Lincoln" among unlabelled names is a name.
    """
    return tuple(text for _, text in _labels_and_texts(choices))


def answer_index(choices: Sequence[str], correct_answer: str) -> int:
    """Index of the correct answer among the choices as printed: the same string, the bare text, or the letter alone.

    Raises ValueError unless exactly one choice fits.
    """
    pairs = _labels_and_texts(choices)
    printed = correct_answer.strip()
    labelled = _LABELLED.fullmatch(correct_answer)
    letter = _LETTER_ALONE.fullmatch(correct_answer)
    forms = (
        ([choice.strip() for choice in choices], printed),
        ([text for _, text in pairs], printed),
        ([f"{label}. {text}" for label, text in pairs], f"{labelled[1].upper()}. {labelled[2]}" if labelled else ""),
        ([label for label, _ in pairs], letter[1].upper() if letter else ""),
    )
    for candidates, wanted in forms:
        if candidates.count(wanted) == 1:
            return candidates.index(wanted)
    raise ValueError(f"the correct answer {correct_answer!r} is not exactly one of the choices {list(choices)}")


def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """A question with its options in one text ("When? (A) Today; (B) Tomorrow.") -> "When?", ("(A) Today;", ...).

    Where an option starts each line, brackets within lines are text. Raises ValueError unless the options' letters are
    A, B, ... in this order.
    """
    found = list(_BRACKETED.finditer(text))
    leading = [match for match in found if not text[: match.start()].rpartition("\n")[2].strip()]
    markers = leading or found
    letters = "".join(match[1] for match in markers)
    if len(letters) < 2 or not ascii_uppercase.startswith(letters):
        raise ValueError(f"no options (A), (B), ... in this order in {text!r}, found {letters or 'none'}")
    starts = [match.start() for match in markers]
    printed = [text[start:end].strip() for start, end in pairwise([*starts, len(text)])]
    return text[: starts[0]].strip(), tuple(printed)


def _labels_and_texts(choices: Sequence[str]) -> list[tuple[str, str]]:
    expected = list(ascii_uppercase[: len(choices)])
    matches = [match for choice in choices if (match := _LABELLED.fullmatch(choice))]
    if len(matches) == len(choices) and sorted(match[1].upper() for match in matches) == expected:
        return [(match[1].upper(), match[2]) for match in matches]
    return list(zip(expected, (choice.strip() for choice in choices), strict=True))

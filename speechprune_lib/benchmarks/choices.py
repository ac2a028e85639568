"""Multiple-choice options as benchmarks print them ("B. Green") -> bare texts and the index of the right one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

_LABELLED = re.compile(r"\s*\(?([A-Za-z])\s*[.):]\s*(.+?)\s*", re.DOTALL)
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


def _labels_and_texts(choices: Sequence[str]) -> list[tuple[str, str]]:
    expected = list(ascii_uppercase[: len(choices)])
    matches = [match for choice in choices if (match := _LABELLED.fullmatch(choice))]
    if len(matches) == len(choices) and sorted(match[1].upper() for match in matches) == expected:
        return [(match[1].upper(), match[2]) for match in matches]
    return list(zip(expected, (choice.strip() for choice in choices), strict=True))

"""How right is a free reply? Three measures against the forms in which an answer may be put, the best form counting."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

MEASURES = ("contains", "exact", "f1")

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_BETWEEN = re.compile(r"[-–—/]")
_MARKS = re.compile(f"[{re.escape(string.punctuation)}‘’“”…]")


def score_reply(reply: str, references: Sequence[str]) -> dict[str, float]:
    """`MEASURES` by name, each from 0 to 1. Raises ValueError for no references, or one that has no words.

    exact: reply and reference are the same words. f1: harmonic mean of the shares of words that they have in common,
    as often as both have them. contains: the reference's words stand in the reply, one after the other; it is what
    counts as right, since a model that says more than it was asked still knows. "not" in front of them is not seen.
    """
    if not references or not all(words(reference) for reference in references):
        raise ValueError(f"got the references {list(references)}, expected one or more texts to compare the reply with")
    said = words(reply)
    return {
        name: max(scores) for name, scores in zip(MEASURES, zip(*_scores(said, references), strict=True), strict=True)
    }


def words(text: str) -> list[str]:
    """Words as SQuAD compares them (arXiv 1606.05250, section 6): small letters, no punctuation, no articles.

    Unlike there, hyphens part words ("twenty-one"), since speech has none, and letters lose their accents.
    """
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _ARTICLES.sub(" ", _MARKS.sub("", _BETWEEN.sub(" ", plain))).split()


def _scores(said: list[str], references: Sequence[str]) -> Iterator[tuple[float, float, float]]:
    for reference in map(words, references):
        shared = (Counter(said) & Counter(reference)).total()
        f1 = 2 * shared / (len(said) + len(reference))
        places = range(len(said) - len(reference) + 1)
        contains = any(said[place : place + len(reference)] == reference for place in places)
        yield float(contains), float(said == reference), f1

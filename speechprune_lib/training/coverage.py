"""Which of a benchmark's content words the training speech holds, and how often they are heard rightly."""

# pyright: basic
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import jiwer
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from .corpus import Corpus
from .reading import Reading, plain

BINS = ((0, 0), (1, 9), (10, 99), (100, 10**9))
"""How often a word was spoken in training: (fewest, most)."""


def spoken_words(corpus: Corpus) -> Counter[str]:
    """Of all clips but those held out."""
    counts: Counter[str] = Counter()
    for shard in corpus.spoken():
        for clip in corpus.clips(shard):
            if not corpus.is_held_out(clip):
                counts.update(plain(" ".join(s["sentence"] for s in clip["sentences"])).split())
    return counts


def coverage(read: Sequence[Reading], spoken: Counter[str]) -> list[dict[str, float | int | None]]:
    """A row a bin: content words said (of all occurrences), their share, and the share of them that was heard."""
    said = [(word, heard) for one in read for word, heard in _content_words(one)]
    rows = []
    for fewest, most in BINS:
        within = [heard for word, heard in said if fewest <= spoken[word] <= most]
        rows.append(
            {
                "spoken_at_least": fewest,
                "words": len(within),
                "share": len(within) / len(said),
                "heard": sum(within) / len(within) if within else None,
            }
        )
    return rows


def _content_words(one: Reading) -> Iterable[tuple[str, bool]]:
    """Every content word that was said, with whether it was read at its place."""
    words = one.said.split()
    heard = [False] * len(words)
    for chunk in jiwer.process_words(one.said, one.smoothed).alignments[0]:
        for place in range(chunk.ref_start_idx, chunk.ref_end_idx):
            heard[place] = chunk.type == "equal"
    return [(word, ok) for word, ok in zip(words, heard, strict=True) if word not in ENGLISH_STOP_WORDS]

"""The encoded windows of a corpus with the token that every frame speaks."""

# pyright: basic
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from ..audio import WINDOW_TOKENS
from .corpus import ENCODED, Corpus
from .labels import BLANK, frame_labels, timed_tokens


@dataclass(frozen=True)
class Labelled:
    """Every encoded window with its labels: class 0 is blank, class i is `token_ids[i - 1]`, -100 is not heard."""

    windows: list[tuple[int, int]]
    classes: np.ndarray
    token_ids: np.ndarray
    held_out: list[int]  # windows that are never trained on
    passages: list[int]  # the other windows of passages


def label(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, known: np.ndarray | None = None, suffix: str = ENCODED
) -> Labelled:
    """known: ids of tokens that the vocabulary holds, spoken here or not. suffix: of the file that a shard must have."""
    windows, rows, held_out, passages = [], [], [], []
    for shard in tqdm(corpus.encoded(suffix), desc="shards labelled"):
        frames = corpus.frames(shard)
        for clip in corpus.clips(shard):
            words = [tuple(w) for s in clip["sentences"] for w in s["words"]]
            labels = frame_labels(timed_tokens(words, tokenizer), clip["windows"] * WINDOW_TOKENS).reshape(
                -1, WINDOW_TOKENS
            )
            for window, row in zip(corpus.windows(clip), labels, strict=True):
                row[frames[window] :] = -100
                if "questions" in clip:
                    (held_out if corpus.is_held_out(clip) else passages).append(len(windows))
                windows.append((shard, window))
                rows.append(row)
    if not held_out:
        raise ValueError(
            f"no passages among the encoded shards of {corpus.root}, so nothing is held out: speak all shards"
        )
    ids = np.stack(rows)
    token_ids = np.union1d(ids[ids >= 0], np.zeros(0, np.int64) if known is None else known)
    classes = np.where(ids >= 0, np.searchsorted(token_ids, ids) + 1, np.where(ids == BLANK, 0, -100))
    return Labelled(windows, classes, token_ids, held_out, passages)

"""What the frames say of themselves: the connector's own reading of passages that no stage trains on."""

# pyright: basic
from __future__ import annotations

import re

import jiwer
import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ..models.mini.connector import VocabularyProjector
from ..models.mini.smoothing import smooth
from .corpus import Corpus


def word_error_rates(
    corpus: Corpus, projector: VocabularyProjector, tokenizer: PreTrainedTokenizerBase, device: str = "cpu"
) -> dict[str, float]:
    """Word error rates on the held-out passages, with the connector's smoothing and without, and the words that it
    puts in for every word said (insertions, smoothed); case and punctuation do not count."""
    said, smoothed, framewise = zip(*_readings(corpus, projector.to(device), tokenizer, device), strict=True)
    counted = jiwer.process_words(list(said), list(smoothed))
    words = counted.hits + counted.substitutions + counted.deletions
    return {
        "smoothed": counted.wer,
        "smoothed_insertions": counted.insertions / words,
        "frame_by_frame": jiwer.wer(list(said), list(framewise)),
    }


@torch.inference_mode()
def _readings(corpus: Corpus, projector: VocabularyProjector, tokenizer, device: str):
    """(what was said, what was read with smoothing, and without) of every held-out passage."""
    for shard in corpus.encoded():
        features, frames = np.load(corpus.file(shard, "features.npy"), mmap_mode="r"), corpus.frames(shard)
        for clip in filter(corpus.is_held_out, corpus.clips(shard)):
            heard, windows = corpus.heard(clip, frames), torch.from_numpy(features[corpus.windows(clip)])
            probability, classes = projector.candidates(windows.to(device).float())
            of_frame = classes.flatten(0, 1)[:heard]
            texts = [" ".join(word for s in clip["sentences"] for word, _, _ in s["words"])]
            for weights in (smooth(probability, classes), probability):
                ids = projector.reading(weights.flatten(0, 1)[:heard], of_frame)
                texts.append(tokenizer.decode(ids))
            yield tuple(map(_plain, texts))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())

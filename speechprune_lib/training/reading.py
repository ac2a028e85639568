"""What the frames say of themselves: the connector's own reading of passages that no stage trains on."""

# pyright: basic
from __future__ import annotations

import re

import jiwer
import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ..models.mini.connector import VocabularyProjector
from ..models.mini.smoothing import SWITCH
from .corpus import Corpus


def word_error_rates(
    corpus: Corpus, projector: VocabularyProjector, tokenizer: PreTrainedTokenizerBase, device: str = "cpu"
) -> dict[str, float]:
    """Word error rates on the held-out passages, with the connector's smoothing and without; case and punctuation
    do not count."""
    rates = {}
    for name, switch in (("smoothed", SWITCH), ("frame by frame", 1.0)):
        said, read = zip(*_readings(corpus, projector.to(device), tokenizer, device, switch), strict=True)
        rates[name] = jiwer.wer(list(said), list(read))
    return rates


@torch.inference_mode()
def _readings(corpus: Corpus, projector: VocabularyProjector, tokenizer, device: str, switch: float):
    """(what was said, what was read) of every held-out passage."""
    for shard in corpus.encoded():
        features = np.load(corpus.file(shard, "features.npy"), mmap_mode="r")
        for clip in filter(corpus.is_held_out, corpus.clips(shard)):
            heard, windows = corpus.heard(shard, clip), torch.from_numpy(features[corpus.windows(clip)])
            named = (part.flatten(0, 1)[:heard] for part in projector.posterior(windows.to(device).float(), switch))
            said = " ".join(word for s in clip["sentences"] for word, _, _ in s["words"])
            yield _plain(said), _plain(tokenizer.decode(projector.reading(*named)))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split())

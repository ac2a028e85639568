"""A corpus in miniature: two shards of sentences and one of passages, random features, a word-level tokenizer."""

import json

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from speechprune_lib.training.corpus import Corpus

WORDS = [
    "The",
    "cat",
    "sat",
    "on",
    "a",
    "red",
    "mat",
    ".",
    "Anna",
    "has",
    "three",
    "dogs",
    "Who",
    "has",
    "How",
    "many",
    "does",
    "have",
    "?",
    "Three",
    "Two",
    "Repeat",
    "what",
    "was",
    "said",
]
FEATURES = 12
QUESTION = {"question": "How many dogs does Anna have?", "options": ["Three dogs", "Two dogs", "A cat", "A mat"]}


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {w: i for i, w in enumerate(["[UNK]", "\n", "<|im_end|>", *dict.fromkeys(WORDS)])}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Punctuation()]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="[UNK]")
    fast.add_special_tokens({"additional_special_tokens": ["<|im_end|>"]})
    return fast


def _sentence(text: str, start: float, question: str = "", answer: str = "") -> dict:
    words = [[w, start + 0.4 * i, start + 0.4 * i + 0.36] for i, w in enumerate(text.split())]
    return {"sentence": text, "question": question, "answer": answer, "voice": "slt", "words": words}


def _features(clip: dict) -> np.ndarray:
    """Every word sounds like a vector of its own, in noise: something that a classifier can learn."""
    rng = np.random.default_rng(clip["first_window"])
    features = 0.3 * rng.standard_normal((750, FEATURES))
    for sentence in clip["sentences"]:
        for word, start, end in sentence["words"]:
            sound = np.random.default_rng(sum(map(ord, word))).standard_normal(FEATURES)
            features[round(start * 25) : round(end * 25)] += 2 * sound
    return features.astype(np.float16)


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    corpus = Corpus(tmp_path / "speech")
    corpus.root.mkdir()
    for shard in range(3):
        clips = []
        for window in range(8):
            start, sentences = 0.3, []
            while start < 26:
                sentences.append(_sentence("The cat sat on a red mat.", start))
                sentences.append(
                    _sentence("Anna has three dogs.", start + 3.2, "How many dogs does Anna have?", "three")
                )
                start += 5.5
            clips.append({"first_window": window, "windows": 1, "samples": 480_000, "sentences": sentences})
            if shard == 2:
                clips[-1]["questions"] = [QUESTION]
        corpus.file(shard, "json").write_text(json.dumps(clips))
        np.save(corpus.file(shard, "features.npy"), np.stack([_features(c) for c in clips]))
        np.save(corpus.file(shard, "frames.npy"), np.full(len(clips), 750))
    return corpus

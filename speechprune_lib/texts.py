"""What the audio may be compared with besides the question: its content words, or the question with its options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from jaxtyping import Float
from torch import Tensor

from .models.base import SpeechModel
from .prompt import SpeechPrompt, Text

FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "i",
        "me",
        "my",
        "mine",
        "we",
        "us",
        "our",
        "ours",
        "you",
        "your",
        "yours",
        "he",
        "him",
        "his",
        "she",
        "her",
        "hers",
        "it",
        "its",
        "they",
        "them",
        "their",
        "theirs",
        "one",
        "someone",
        "somebody",
        "anyone",
        "anybody",
        "everyone",
        "everybody",
        "something",
        "anything",
        "everything",
        "who",
        "whom",
        "whose",
        "which",
        "what",
        "when",
        "where",
        "why",
        "how",
        "am",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "being",
        "do",
        "does",
        "did",
        "done",
        "doing",
        "have",
        "has",
        "had",
        "having",
        "will",
        "would",
        "shall",
        "should",
        "can",
        "could",
        "may",
        "might",
        "must",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "by",
        "with",
        "about",
        "into",
        "onto",
        "over",
        "under",
        "between",
        "through",
        "during",
        "before",
        "after",
        "against",
        "and",
        "or",
        "but",
        "if",
        "because",
        "while",
        "as",
        "than",
        "so",
        "not",
        "no",
        "nor",
        "there",
        "here",
        "then",
    ]
)
"""The closed classes of English: articles, pronouns, question words, auxiliaries, prepositions, conjunctions."""


def content_words(text: str) -> str:
    """The text without its function words; all of it, if it has nothing else."""
    kept = [word for word in text.split() if _bare(word) not in FUNCTION_WORDS]
    return " ".join(kept) or text


def with_texts(model: SpeechModel, prompt: SpeechPrompt, question: str, choices: Sequence[str]) -> SpeechPrompt:
    """The prompt, carrying whatever pruners may compare its audio with; each text is embedded when first asked for."""

    @cache
    def embedded(text: Text) -> Float[Tensor, "words dim"]:
        if text == "question":
            return prompt.question
        return model.embed(content_words(question) if text == "content" else "\n".join([question, *choices]))

    return replace(prompt, texts=embedded)


def _bare(word: str) -> str:
    """Without punctuation around it, and without what stands behind an apostrophe ("who's")."""
    return re.sub(r"^\W+|\W+$", "", word).lower().partition("'")[0]

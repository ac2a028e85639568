"""A multiple-choice answer out of a model: by letter, by a generated reply, or by how likely each option's text is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import get_args

from jaxtyping import Float
from torch import Tensor

from .models.base import Scoring, SpeechModel
from .prompt import SpeechPrompt
from .replies import parse_letter

__all__ = ["Choice", "best", "choose", "choose_each", "letter_ids", "minus_no_audio", "parse_letter"]


@dataclass(frozen=True)
class Choice:
    """What a model chose.

    `index` is None where a generated reply named no option or several: no answer, which counts as wrong. `scores` has
    one number an option, the higher the likelier, and is empty for "generate", the only scoring with a `reply`.
    """

    index: int | None
    scores: tuple[float, ...] = ()
    reply: str | None = None


def choose(
    model: SpeechModel,
    prompt: SpeechPrompt,
    choices: Sequence[str],
    scoring: Scoring,
    baseline: Sequence[float] | None = None,
) -> Choice:
    """Read the model's answer out of a (pruned) prompt whose instruction was made for the same scoring.

    "letter": log-probability that the reply begins with A, B, ... (see `letter_ids`). "likelihood": mean token
    log-likelihood of each option's text as the reply. "likelihood-minus-no-audio": the same minus `baseline`, which is
    the "likelihood" of the same question without audio. Ties: the earliest option. Raises ValueError for fewer than
    two choices, an unknown scoring, a missing baseline and scores that are NaN.
    """
    if scoring != "likelihood-minus-no-audio":
        return choose_each(model, [prompt], [choices], scoring)[0]
    if baseline is None:
        raise ValueError(f"{scoring} needs baseline=, the likelihood scores of the prompt without audio")
    scores = minus_no_audio(choose_each(model, [prompt], [choices], "likelihood")[0].scores, baseline)
    return Choice(best(scores), scores)


def choose_each(
    model: SpeechModel, prompts: Sequence[SpeechPrompt], choices: Sequence[Sequence[str]], scoring: Scoring
) -> list[Choice]:
    """`choose` for several prompts, each with its choices; letters and likelihoods are read in one pass of the model.

    The same answers as one by one; scores may differ as sums of floats in another order do. Raises ValueError as
    `choose` does, and for "likelihood" of unequal choices.
    """
    _check(choices, scoring)
    if scoring == "generate":
        replies = [model.generate(prompt) for prompt in prompts]
        return [Choice(parse_letter(r, shown), reply=r) for r, shown in zip(replies, choices, strict=True)]
    scores = [tuple(row.tolist()) for row in _scores(model, prompts, choices, scoring)]
    return [Choice(best(row), row) for row in scores]


def best(scores: Sequence[float]) -> int:
    """Index of the highest score; ties: the earliest. Raises ValueError for NaN, which nothing is higher than."""
    if not scores or any(math.isnan(score) for score in scores):
        raise ValueError(f"the options' scores are {list(scores)}, expected numbers: check the audio and the dtype")
    return max(range(len(scores)), key=scores.__getitem__)


def minus_no_audio(scores: Sequence[float], baseline: Sequence[float]) -> tuple[float, ...]:
    """What the audio adds to each option's likelihood: takes out that some texts are likely whatever was said."""
    return tuple(score - without for score, without in zip(scores, baseline, strict=True))


def letter_ids(model: SpeechModel, count: int) -> list[int]:
    """The tokens that name the first `count` options.

    Every template here ends where the reply starts on a fresh line, so a letter is read as the bare "A" if the
    tokenizer has a single token for each. One that has none (it may only know words with the space before them) is
    read at " A". Raises ValueError if neither form is one token a letter.
    """
    if not 2 <= count <= len(ascii_uppercase):
        raise ValueError(f"{count} options, expected 2 to {len(ascii_uppercase)}, one a letter")
    for space in ("", " "):
        ids = [model.token_ids(space + letter) for letter in ascii_uppercase[:count]]
        if all(len(tokens) == 1 for tokens in ids) and len({tokens[0] for tokens in ids}) == count:
            return [tokens[0] for tokens in ids]
    raise ValueError(f"{model.name}'s tokenizer has no single tokens for A, B, ...: use another scoring than 'letter'")


def _check(choices: Sequence[Sequence[str]], scoring: Scoring) -> None:
    for shown in choices:
        if len(shown) < 2:
            raise ValueError(f"got the choices {list(shown)}, expected two or more to choose from")
    if scoring not in get_args(Scoring):
        raise ValueError(f"unknown scoring {scoring!r}, expected one of {', '.join(get_args(Scoring))}")
    if scoring == "open":
        raise ValueError("scoring 'open' chooses nothing: generate a reply, and compare it by `score_reply`")


def _scores(
    model: SpeechModel, prompts: Sequence[SpeechPrompt], choices: Sequence[Sequence[str]], scoring: Scoring
) -> Iterator[Float[Tensor, " options"]]:
    if scoring == "letter":
        for row, shown in zip(model.next_logits_of(prompts).log_softmax(-1), choices, strict=True):
            yield row[letter_ids(model, len(shown))]
        return
    if any(list(shown) != list(choices[0]) for shown in choices):
        raise ValueError(
            f"got the choices {choices}, expected the same for prompts whose likelihoods are read together"
        )
    yield from model.option_scores_of(prompts, choices[0])

"""The numbers against loops written from their definitions; the maps against what a map must do."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from fake_model import FakeModel, make_examples
from scipy.spatial.distance import cosine

from speechprune_lib import neighbourhood
from speechprune_lib.neighbourhood import (
    measures,
    neighbourhoods,
    over_recordings,
    silhouette_on_map,
    token_map,
    token_space,
    ways_to_map,
)
from speechprune_lib.prompt import FirstAttention, Plan, SpeechPrompt


def prompt_of(audio: torch.Tensor, question: torch.Tensor) -> SpeechPrompt:
    attention = FirstAttention(torch.eye(audio.shape[1]), torch.eye(audio.shape[1]), 1, 1, lambda x: x)
    return SpeechPrompt(
        audio, torch.arange(len(audio)), torch.ones(len(audio)).bool(), question, 25.0, lambda: attention
    )


def cloud(tokens: int, dim: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(tokens, dim, generator=torch.Generator().manual_seed(seed))


def two_clouds() -> tuple[SpeechPrompt, Plan]:
    """Forty tokens about the question's direction, kept, and eighty about another, dropped."""
    one, other = torch.eye(6)[0] * 5, torch.eye(6)[1] * 5
    audio = torch.cat([one + 0.2 * cloud(40), other + 0.2 * cloud(80, seed=1)])
    return prompt_of(audio, one + 0.1 * cloud(3, seed=2)), Plan(torch.arange(40), 120)


def test_the_measures_are_what_they_are_defined_as() -> None:
    audio, text = cloud(30).double(), cloud(4, seed=1).double()
    keep = [0, 3, 4, 11, 17, 25, 29]
    told = measures(token_space(prompt_of(audio.float(), text.float())), Plan(torch.tensor(keep), 30))
    # the tokens went through single precision
    near = [min(cosine(audio[token], word) for word in text) for token in keep]
    assert told["distance"] == pytest.approx(np.mean(near), abs=1e-6)
    shares = []
    for word in text:
        order = sorted(range(30), key=lambda token: cosine(audio[token], word))
        shares.append(len(set(order[: neighbourhood.NEIGHBOURS]) & set(keep)) / neighbourhood.NEIGHBOURS)
    assert told["kept_near_text"] == pytest.approx(np.mean(shares))
    assert told["silhouette"] == pytest.approx(slow_silhouette(audio.numpy(), set(keep)), abs=1e-6)


def slow_silhouette(points: np.ndarray, kept: set[int]) -> float:
    """Rousseeuw's (b - a) / max(a, b), token by token."""
    scores = []
    for token in range(len(points)):
        own = [other for other in range(len(points)) if other != token and (other in kept) == (token in kept)]
        others = [other for other in range(len(points)) if (other in kept) != (token in kept)]
        a, b = (np.mean([cosine(points[token], points[one]) for one in group]) for group in (own, others))
        scores.append((b - a) / max(a, b))
    return float(np.mean(scores))


def test_tokens_kept_about_the_question_are_near_it_and_apart() -> None:
    prompt, plan = two_clouds()
    told = measures(token_space(prompt), plan)
    dropped = measures(token_space(prompt), Plan(torch.arange(40, 120), 120))
    assert told["distance"] < 0.1 and dropped["distance"] > 0.8
    assert told["kept_near_text"] == 1.0 and dropped["kept_near_text"] == 0.0
    assert told["silhouette"] > 0.8
    assert math.isnan(measures(token_space(prompt), Plan(torch.arange(120), 120))["silhouette"])


def test_lengths_of_vectors_do_not_count() -> None:
    prompt, plan = two_clouds()
    longer = prompt_of(prompt.audio * torch.linspace(0.1, 9, 120)[:, None], prompt.question * 7)
    assert measures(token_space(longer), plan) == pytest.approx(measures(token_space(prompt), plan), abs=1e-6)


@pytest.mark.parametrize("how", ways_to_map())
def test_a_map_keeps_two_clouds_apart_and_repeats(how: neighbourhood.How) -> None:
    prompt, plan = two_clouds()
    space = token_space(prompt)
    drawn, again = (token_map(space, how, seed=3, perplexity=15.0) for _ in range(2))
    assert drawn.audio.shape == (120, 2) and drawn.text.shape == (3, 2)
    assert np.array_equal(drawn.audio, again.audio) and np.array_equal(drawn.text, again.text)
    assert silhouette_on_map(drawn, plan) > 0.5
    middles = [drawn.audio[part].mean(0) for part in (slice(0, 40), slice(40, 120))]
    to_kept, to_dropped = (np.linalg.norm(drawn.text.mean(0) - middle) for middle in middles)
    assert to_kept < to_dropped
    assert 0.5 < drawn.faithfulness <= 1.0


def test_pca_is_the_singular_vectors_projection() -> None:
    space = token_space(two_clouds()[0])
    vectors = np.concatenate([space.audio, space.text])
    centred = vectors - vectors.mean(0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    drawn = token_map(space, "pca")
    np.testing.assert_allclose(np.abs(drawn.audio), np.abs(centred @ directions.T)[:120], atol=1e-9)


def table(distances: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"example": place, "method": method, "seed": 0, "distance": value, "kept_near_text": 0.5, "silhouette": 0.1}
        for method, values in distances.items()
        for place, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def test_intervals_are_over_recordings_and_differences_are_paired() -> None:
    """Every recording differs by 0.1 exactly, however much the recordings differ among themselves."""
    spread = [0.1, 0.5, 0.9, 0.3]
    told = over_recordings(table({"speechprune": spread, "rap": [value + 0.1 for value in spread]}))
    row = told[(told["method"] == "speechprune") & (told["measure"] == "distance")].iloc[0]
    assert row["mean"] == pytest.approx(np.mean(spread)) and row["low"] < row["mean"] < row["high"]
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((-0.1, -0.1))
    assert row["recordings"] == 4
    own = told[(told["method"] == "rap") & (told["measure"] == "distance")].iloc[0]
    assert own["difference"] == own["difference_low"] == own["difference_high"] == 0.0


def test_seeds_of_one_recording_are_averaged_first() -> None:
    one = table({"rap": [0.2, 0.4]})
    many = pd.concat([one, one.assign(seed=1, distance=one["distance"] + 0.2)])
    told = over_recordings(many)
    assert told["mean"].iloc[0] == pytest.approx(0.4)
    assert told["recordings"].iloc[0] == 2


def test_a_row_for_every_recording_method_and_seed(tmp_path) -> None:
    told = neighbourhoods(
        FakeModel(), make_examples(tmp_path, 2), ["speechprune", "rap"], 0.6, seeds=(0, 1), progress=False
    )
    assert sorted(told["method"]) == ["rap"] * 4 + ["speechprune"] * 2
    assert told["share_kept"].between(0, 1).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda space: measures(space, Plan(torch.arange(3), 7)), "plan is for 7 audio tokens, the prompt has 120"),
        (lambda space: token_map(space, "mds"), "cannot map by 'mds', expected one of tsne, pca, umap"),
        (
            lambda space: token_map(space, perplexity=123.0),
            "perplexity is 123.0, expected more than 1 and less than the 123",
        ),
        (lambda space: over_recordings(table({"rap": [0.1]})), "at least two of them, got 1"),
        (lambda space: over_recordings(table({"rac": [0.1, 0.2]})), r"'rap' is not among the methods \['rac'\]"),
        (lambda space: token_space(prompt_of(cloud(3), cloud(0))), "3 audio and 0 question tokens"),
    ],
)
def test_what_is_refused_says_why(wrong, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wrong(token_space(two_clouds()[0]))

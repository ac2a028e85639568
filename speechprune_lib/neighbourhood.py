"""Where kept audio tokens lie among all of a prompt's tokens and the question's: numbers first, then maps.

Fig. 2 of the paper is one t-SNE map of one recording, and no number. The numbers here are taken in the model's own space,
by cosine, before anything is flattened; a map can then be held against them.
"""

# scikit-learn and scipy leave their results undeclared.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64
from scipy.stats import bootstrap
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.metrics import silhouette_score
from tqdm import tqdm

from .benchmarks import Example
from .conditions import conditions, label
from .models.base import SpeechModel
from .packages import needed
from .prompt import Plan, SpeechPrompt
from .pruners import Pruner

How = Literal["tsne", "pca", "umap"]
NEIGHBOURS = 10
"""Audio tokens nearest to a text token that count as its neighbours; also those that `faithfulness` looks at."""
MAPPED_DIMS = 50
"""Principal components that t-SNE and UMAP get, as in van der Maaten and Hinton's own experiments (they took 30)."""
MEASURES = ("distance", "kept_near_text", "silhouette")
"""What `measures` tells of a plan."""


@dataclass(frozen=True)
class TokenSpace:
    """The audio and question tokens of one prompt as unit vectors, so that their dot products are cosines."""

    audio: Float64[np.ndarray, "audio dim"]
    text: Float64[np.ndarray, "words dim"]


@dataclass(frozen=True)
class TokenMap:
    """The same tokens as points of a plane. `faithfulness` is near 1 where neighbours on the map are neighbours."""

    audio: Float[np.ndarray, "audio 2"]
    text: Float[np.ndarray, "words 2"]
    how: str
    faithfulness: float


def token_space(prompt: SpeechPrompt) -> TokenSpace:
    """Raises ValueError for a prompt without audio or without a question."""
    if prompt.audio_tokens == 0 or len(prompt.question) == 0:
        raise ValueError(
            f"the prompt has {prompt.audio_tokens} audio and {len(prompt.question)} question tokens, expected some of each"
        )
    parts = (prompt.audio.detach().double().cpu().numpy(), prompt.question.detach().double().cpu().numpy())
    audio, text = (
        part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), np.finfo(float).tiny) for part in parts
    )
    return TokenSpace(audio, text)


def measures(space: TokenSpace, plan: Plan) -> dict[str, float]:
    """How near to the question's tokens a plan's audio tokens lie, and whether they lie together.

    distance: 1 - cosine from a kept token to the nearest text token, averaged over the kept (0 to 2). kept_near_text: of
    the `NEIGHBOURS` audio tokens nearest to each text token, the share that is kept; a plan that does not look keeps
    its overall share of them. silhouette: of kept against dropped tokens, by cosine (Rousseeuw 1987): 1 two clouds far
    apart, 0 none, negative: nearer to the others than to their own; NaN if all are kept. Raises ValueError for a plan
    over another number of tokens.
    """
    if plan.total != len(space.audio):
        raise ValueError(f"the plan is for {plan.total} audio tokens, the prompt has {len(space.audio)}")
    kept, cosines = _kept(plan), space.audio @ space.text.T
    nearest = np.argsort(-cosines, axis=0, kind="stable")[:NEIGHBOURS]
    return {
        "distance": float(1 - cosines[kept].max(1).mean()),
        "kept_near_text": float(kept[nearest].mean()),
        "silhouette": _silhouette(space.audio, kept, "cosine"),
    }


def neighbourhoods(
    model: SpeechModel,
    examples: Sequence[Example],
    methods: Sequence[str | Pruner],
    rate: float,
    seeds: Sequence[int] = (0,),
    progress: bool = True,
) -> pd.DataFrame:
    """`measures` of every method's plan for every recording: columns example, method, seed, share_kept, `MEASURES`."""
    rows: list[dict[str, Any]] = []
    for example in tqdm(examples, disable=None if progress else True):
        instruction = model.instruction(example.question, example.choices, model.default_scoring)
        prompt = model.prepare(example.waveform(), example.question, instruction=instruction)
        space = token_space(prompt)
        for condition in conditions(methods, [rate], seeds):
            plan = condition.plan(prompt)
            named = {"example": example.id, "method": label(condition.method, condition.options)}
            share = {"seed": condition.seed, "share_kept": len(plan.keep) / plan.total}
            rows.append(named | share | measures(space, plan))
    return pd.DataFrame(rows)


def over_recordings(table: pd.DataFrame, against: str = "rap", draws: int = 9999, seed: int = 0) -> pd.DataFrame:
    """Means over recordings with 95 % bootstrap intervals, and of the difference from the method `against`, paired.

    table: of `neighbourhoods`; a recording's seeds are averaged first, since they are not independent. A row a method and
    measure: mean, low, high, difference, difference_low, difference_high. Raises ValueError for fewer than two
    recordings, and if `against` is not among the methods.
    """
    means = table.groupby(["method", "example"], sort=False)[list(MEASURES)].mean()
    methods, recordings = list(dict.fromkeys(map(str, table["method"]))), table["example"].nunique()
    if recordings < 2:
        raise ValueError(f"an interval over recordings needs at least two of them, got {recordings}")
    if against not in methods:
        raise ValueError(f"{against!r} is not among the methods {methods}")
    rows: list[dict[str, Any]] = []
    for method in methods:
        for measure in MEASURES:
            own, other = (means.loc[name, measure] for name in (method, against))
            mean, difference = (
                _interval(values.to_numpy(), draws, seed) for values in (own, own - other.loc[own.index])
            )
            row = dict(zip(("mean", "low", "high"), mean, strict=True))
            row |= dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True))
            rows.append({"method": method, "measure": measure, "recordings": recordings, **row})
    return pd.DataFrame(rows)


def ways_to_map() -> list[How]:
    """The ways that this installation has: UMAP comes with the extra `book`."""
    return [how for how in get_args(How) if how != "umap" or find_spec("umap") is not None]


def token_map(space: TokenSpace, how: str = "tsne", seed: int = 0, perplexity: float = 30.0) -> TokenMap:
    """Audio and text tokens in one plane; the same arguments give the same map on one machine.

    perplexity: about how many neighbours t-SNE keeps near, and what UMAP calls n_neighbors; PCA has none. Raises
    ValueError for an unknown way and for a perplexity that the number of tokens does not allow, ModuleNotFoundError
    without UMAP's package.
    """
    tokens = len(space.audio) + len(space.text)
    if how not in get_args(How):
        raise ValueError(f"cannot map by {how!r}, expected one of {', '.join(get_args(How))}")
    if not 1 < perplexity < tokens:
        raise ValueError(f"perplexity is {perplexity}, expected more than 1 and less than the {tokens} tokens")
    vectors = np.concatenate([space.audio, space.text])
    points = _mapped(vectors, how, seed, perplexity)
    faithful = float(trustworthiness(vectors, points, n_neighbors=min(NEIGHBOURS, (tokens - 1) // 2), metric="cosine"))
    return TokenMap(points[: len(space.audio)], points[len(space.audio) :], how, faithful)


def silhouette_on_map(drawn: TokenMap, plan: Plan) -> float:
    """The silhouette of kept against dropped tokens as the map shows them: what the eye sees, as a number."""
    return _silhouette(drawn.audio, _kept(plan), "euclidean")


def _mapped(vectors: Float64[np.ndarray, "tokens dim"], how: str, seed: int, perplexity: float) -> Any:
    if how == "pca":
        return PCA(2, svd_solver="full").fit_transform(vectors)
    reduced = PCA(min(MAPPED_DIMS, *vectors.shape), svd_solver="full").fit_transform(vectors)
    if how == "tsne":
        return TSNE(perplexity=perplexity, init="pca", random_state=seed, max_iter=500).fit_transform(reduced)
    with warnings.catch_warnings():  # that it could do more if TensorFlow were there
        warnings.simplefilter("ignore", ImportWarning)
        umap = needed("umap", "a UMAP map", "book")
    return umap.UMAP(n_neighbors=round(perplexity), random_state=seed, n_jobs=1).fit_transform(reduced)


def _kept(plan: Plan) -> Bool[np.ndarray, " audio"]:
    kept = np.zeros(plan.total, bool)
    kept[plan.keep.numpy()] = True
    return kept


def _silhouette(points: Any, kept: Bool[np.ndarray, " audio"], metric: str) -> float:
    return float("nan") if kept.all() else float(silhouette_score(points, kept, metric=metric))


def _interval(values: Any, draws: int, seed: int) -> tuple[float, float, float]:
    """Mean and 95 % percentile bootstrap interval; the values themselves where they do not vary."""
    mean = float(np.mean(values))
    if np.isnan(values).any() or np.ptp(values) == 0:
        return mean, mean, mean
    drawn = bootstrap((values,), np.mean, n_resamples=draws, method="percentile", rng=np.random.default_rng(seed))
    return mean, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)

"""Stage 3, `align`: train the connector to name, frame by frame, the token being spoken.

Plain frame-wise cross-entropy against the engine's exact word times; a sampled softmax (the batch's tokens and a few
thousand others) because the whole vocabulary on every frame would cost more than the rest of the network. A sitting
may begin with an earlier one's connector, on other speech: what either has spoken is in the vocabulary.
"""

# pyright: basic
from __future__ import annotations

import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from ..audio import WINDOW_TOKENS
from ..models.mini.connector import FrameClassifier
from .corpus import Corpus
from .count import count_transitions
from .labels import BLANK, frame_labels, timed_tokens
from .loop import note, rate_factor, save, smoothed
from .spelled import SpelledClassifier, exported


@dataclass(frozen=True)
class AlignSettings:
    dim: int = 384
    depth: int = 4
    steps: int = 800
    since: int = 0  # the step at which the learning rate begins its course (anew, for what has grown since)
    windows_per_step: int = 8
    rate: float = 2e-3
    warmup: int = 50
    negatives: int = 1500
    frame_share: float = 0.4
    smoothing: float = 0.05
    passage_weight: int = 2  # how often an epoch meets a window of a passage, which speaks as people do
    seed: int = 0


@dataclass(frozen=True)
class Labelled:
    """Every encoded window with its labels: class 0 is blank, class i is `token_ids[i - 1]`, -100 is not heard."""

    windows: list[tuple[int, int]]
    classes: np.ndarray
    token_ids: np.ndarray
    held_out: list[int]  # windows that are never trained on
    passages: list[int]  # the other windows of passages


def label(corpus: Corpus, tokenizer: PreTrainedTokenizerBase, known: np.ndarray | None = None) -> Labelled:
    """known: ids of tokens that the vocabulary holds, spoken here or not."""
    windows, rows, held_out, passages = [], [], [], []
    for shard in tqdm(corpus.encoded(), desc="shards labelled"):
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


class Features:
    """Random access to the cached features of all windows."""

    def __init__(self, corpus: Corpus, windows: list[tuple[int, int]]) -> None:
        self._windows = windows
        self._shards = {s: np.load(corpus.file(s, "features.npy"), mmap_mode="r") for s in {s for s, _ in windows}}

    def __call__(self, rows: list[int], device: str) -> Tensor:
        picked = [self._shards[shard][window] for shard, window in (self._windows[r] for r in rows)]
        return torch.from_numpy(np.stack(picked)).to(device).float()


def align(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    settings: AlignSettings,
    device: str = "cpu",
    start: Path | None = None,
) -> None:
    """Train, or go on from `out/align.pt`; ends with `align.pt` and `align.jsonl` (the learning curve).

    start: an exported `connector.safetensors`, whose weights this run begins with.
    """
    out.mkdir(parents=True, exist_ok=True)
    saved = _saved(out / "align.pt", start)
    data = label(corpus, tokenizer, None if saved is None else saved["token_ids"].numpy())
    features = Features(corpus, data.windows)
    train = sorted({*range(len(data.windows))} - {*data.held_out}) + data.passages * (settings.passage_weight - 1)
    torch.manual_seed(settings.seed)
    width = features(train[:1], "cpu").shape[-1]
    net = SpelledClassifier(width, settings.dim, settings.depth, data.token_ids, tokenizer).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.01, betas=(0.9, 0.98))
    done, since = 0, settings.since
    if saved is None:
        sample = features(train[:40], device).flatten(0, 1)
        net.net.mean.copy_(sample.mean(0))
        net.net.deviation.copy_(sample.std(0) + 1e-3)
    else:
        done = saved["step"]
        if net.take(saved) and "optimizer" in saved:
            optimizer.load_state_dict(saved["optimizer"])
    if since > done:
        raise ValueError(
            f"the rate's course shall begin at step {since}, but only {done} are done: train up to it first"
        )
    transitions = count_transitions(data.classes, data.held_out, len(data.token_ids))
    began, running = time.time(), math.nan
    for step in (bar := tqdm(range(done, settings.steps), initial=done, total=settings.steps, desc="align")):
        torch.manual_seed(settings.seed * 1_000_003 + step)  # so that a resumed run draws what the whole run would
        rows = _rows(train, settings, step)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * rate_factor(step - since, settings.steps - since, settings.warmup, floor=0.03)
        loss = _loss(net, features(rows, device), torch.from_numpy(data.classes[rows]).to(device), settings)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        running = smoothed(running, loss.item())
        bar.set_postfix(loss=f"{running:.3f}")
        if (step + 1) % 50 == 0 or step + 1 == settings.steps:
            accuracy = evaluate(net, features, data, data.held_out, device)
            entry = {"step": step + 1, "loss": running, "held_out": accuracy, "seconds": time.time() - began}
            note(out / "align.jsonl", entry)
            state = {"token_ids": torch.from_numpy(data.token_ids), "step": step + 1}
            state |= {"net": net.net.state_dict(), "spelling": net.spelling.state_dict(), "folded": net.folded()}
            state |= {"optimizer": optimizer.state_dict(), "settings": asdict(settings)}
            save(out / "align.pt", state | {"transitions": transitions.state_dict()})


def _saved(checkpoint: Path, start: Path | None) -> dict[str, Any] | None:
    """What a run begins with: its own checkpoint if there is one."""
    if checkpoint.exists():
        return torch.load(checkpoint, weights_only=True)
    return None if start is None else exported(start)


def _rows(train: list[int], settings: AlignSettings, step: int) -> list[int]:
    """The windows of a step: epochs without replacement, the same after a resume."""
    count = settings.windows_per_step
    per_epoch = len(train) // count
    epoch, index = divmod(step, per_epoch)
    order = random.Random(settings.seed * 1000 + epoch).sample(train, len(train))
    return order[index * count : (index + 1) * count]


def _loss(net: SpelledClassifier, features: Tensor, classes: Tensor, settings: AlignSettings) -> Tensor:
    heard = (classes >= 0) & (torch.rand(classes.shape, device=classes.device) < settings.frame_share)
    hidden, target = net.net.hidden(features)[heard], classes[heard]
    others = torch.randint(1, net.net.output.out_features, (settings.negatives,), device=target.device)
    sampled, inverse = torch.unique(torch.cat([target, target.new_zeros(1), others]), return_inverse=True)
    logits = functional.linear(hidden, net.rows(sampled), net.net.output.bias[sampled])
    return functional.cross_entropy(logits, inverse[: len(target)], label_smoothing=settings.smoothing)


@torch.inference_mode()
def evaluate(net: SpelledClassifier, features: Features, data: Labelled, rows: list[int], device: str) -> float:
    """Share of held-out frames whose most probable class (of all) is the right one."""
    plain = FrameClassifier(
        net.net.mean.shape[0], net.net.norm.normalized_shape[0], len(net.net.blocks), len(net.token_ids)
    )
    plain.load_state_dict(net.folded())
    plain.to(device).eval()
    right = total = 0
    for row in rows:
        target = torch.from_numpy(data.classes[row]).to(device)
        heard = target >= 0
        guess = plain(features([row], device))[0].argmax(-1)
        right += int((guess == target)[heard].sum())
        total += int(heard.sum())
    return right / total

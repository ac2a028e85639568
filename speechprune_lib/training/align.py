"""Stage 3, `align`: train the connector to name, frame by frame, the token being spoken.

Plain frame-wise cross-entropy against the engine's exact word times; a sampled softmax (the batch's tokens and a few
thousand others) because the whole vocabulary on every frame would cost more than the rest of the network.
"""

# pyright: basic
from __future__ import annotations

import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from ..audio import WINDOW_TOKENS
from ..models.mini.connector import FrameClassifier
from .corpus import Corpus
from .labels import BLANK, frame_labels, timed_tokens
from .loop import note, rate_factor, save, smoothed


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


def label(corpus: Corpus, tokenizer: PreTrainedTokenizerBase) -> Labelled:
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
    token_ids = np.unique(ids[ids >= 0])
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
) -> None:
    """Train, or go on from `out/align.pt`; ends with `align.pt` and `align.jsonl` (the learning curve)."""
    out.mkdir(parents=True, exist_ok=True)
    data = label(corpus, tokenizer)
    features = Features(corpus, data.windows)
    train = sorted({*range(len(data.windows))} - {*data.held_out}) + data.passages * (settings.passage_weight - 1)
    torch.manual_seed(settings.seed)
    width = features(train[:1], "cpu").shape[-1]
    net = FrameClassifier(width, settings.dim, settings.depth, len(data.token_ids)).to(device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.01, betas=(0.9, 0.98))
    done, since = _resume(out / "align.pt", net, optimizer, data.token_ids), settings.since
    if since > done:
        raise ValueError(
            f"the rate's course shall begin at step {since}, but only {done} are done: train up to it first"
        )
    if done == 0:
        sample = features(train[:40], device).flatten(0, 1)
        net.mean.copy_(sample.mean(0))
        net.deviation.copy_(sample.std(0) + 1e-3)
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
            state |= {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "settings": asdict(settings)}
            save(out / "align.pt", state)


def _rows(train: list[int], settings: AlignSettings, step: int) -> list[int]:
    """The windows of a step: epochs without replacement, the same after a resume."""
    count = settings.windows_per_step
    per_epoch = len(train) // count
    epoch, index = divmod(step, per_epoch)
    order = random.Random(settings.seed * 1000 + epoch).sample(train, len(train))
    return order[index * count : (index + 1) * count]


def _loss(net: FrameClassifier, features: Tensor, classes: Tensor, settings: AlignSettings) -> Tensor:
    heard = (classes >= 0) & (torch.rand(classes.shape, device=classes.device) < settings.frame_share)
    hidden, target = net.hidden(features)[heard], classes[heard]
    others = torch.randint(1, net.output.out_features, (settings.negatives,), device=target.device)
    sampled, inverse = torch.unique(torch.cat([target, target.new_zeros(1), others]), return_inverse=True)
    logits = functional.linear(hidden, net.output.weight[sampled], net.output.bias[sampled])
    return functional.cross_entropy(logits, inverse[: len(target)], label_smoothing=settings.smoothing)


@torch.inference_mode()
def evaluate(net: FrameClassifier, features: Features, data: Labelled, rows: list[int], device: str) -> float:
    """Share of held-out frames whose most probable class (of all) is the right one."""
    net.eval()
    right = total = 0
    for row in rows:
        target = torch.from_numpy(data.classes[row]).to(device)
        heard = target >= 0
        guess = net(features([row], device))[0].argmax(-1)
        right += int((guess == target)[heard].sum())
        total += int(heard.sum())
    net.train()
    return right / total


def _resume(path: Path, net: FrameClassifier, optimizer, token_ids: np.ndarray) -> int:
    """Steps done, as of a checkpoint if there is one.

    Tokens that the corpus has gained since the checkpoint start fresh, and blocks that the network has gained start as
    the identity; the optimizer then starts fresh too.
    """
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    weights = saved["net"]
    old = np.concatenate([[0], np.searchsorted(token_ids, saved["token_ids"].numpy()) + 1])
    blocks = cast(list[Any], net.blocks)  # pyright knows a ModuleList's items as tensors or modules
    grown = [block for i, block in enumerate(blocks) if f"blocks.{i}.mix.weight" not in weights]
    if len(old) == net.output.out_features and not grown:
        net.load_state_dict(weights)
        optimizer.load_state_dict(saved["optimizer"])
        return saved["step"]
    output = {name: weights.pop(f"output.{name}") for name in ("weight", "bias")}
    fresh = {name: value for name, value in net.state_dict().items() if name not in weights}
    net.load_state_dict(fresh | weights)
    with torch.no_grad():
        net.output.weight[torch.from_numpy(old)] = output["weight"]
        net.output.bias[torch.from_numpy(old)] = output["bias"]
    for block in grown:
        block.silence()
    return saved["step"]

"""Stage 3, `align`: train the connector to name, frame by frame, the token being spoken.

Plain frame-wise cross-entropy against the engine's exact word times (`losses`). A sitting may begin with an earlier one's
connector, on other speech: what either has spoken is in the vocabulary. The encoder stays as it is, but for the upper
layers that the settings unfreeze (`upper`).
"""

# pyright: basic
from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase, Qwen2AudioEncoder

from .corpus import Corpus
from .count import count_transitions, spoken_runs, text_runs
from .features import Features
from .labelled import Labelled, label
from .loop import arithmetic, note, rate_factor, save, smoothed
from .losses import frame_loss
from .spelled import SpelledClassifier, exported
from .upper import UnfrozenFeatures, UpperLayers, below, features_of_windows

CHECK_EVERY = 200


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
    bf16: bool = False  # matrix products in bfloat16
    unfreeze: int = 0  # upper layers of the encoder that learn too
    sequence: float = 0.0  # weight of the loss of the tokens in order (CTC), beside that of every frame
    upper_rate: float = 0.1  # their rate, as a share of the connector's: they have learnt to hear already


def align(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    settings: AlignSettings,
    device: str = "cpu",
    start: Path | None = None,
    texts: Sequence[str] = (),
    encoder: Qwen2AudioEncoder | None = None,
) -> None:
    """Train, or go on from `out/align.pt`; ends with `align.pt` and `align.jsonl` (the learning curve).

    start: an exported `connector.safetensors`, whose weights this run begins with. texts: sentences that tell, beside
    what is spoken, which token follows which; none that is held out. encoder: whose upper layers learn
    too, where the settings unfreeze some; it stays as it is. Raises ValueError for a course of the rate that begins at a step
    not done yet, and for layers to unfreeze without an encoder.
    """
    out.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(corpus, tokenizer, settings, device, _saved(out / "align.pt", start), texts, encoder)
    began, running = time.time(), math.nan
    for step in (bar := tqdm(range(trainer.done, settings.steps), initial=trainer.done, total=settings.steps)):
        running = smoothed(running, trainer.step(step))
        bar.set_postfix(loss=f"{running:.3f}")
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == settings.steps:
            accuracy = evaluate(trainer.net, trainer.features, trainer.data, trainer.data.held_out, device)
            entry = {"step": step + 1, "loss": running, "held_out": accuracy, "seconds": time.time() - began}
            note(out / "align.jsonl", entry)
            save(out / "align.pt", trainer.state(step + 1))


def _saved(checkpoint: Path, start: Path | None) -> dict[str, Any] | None:
    """What a run begins with: its own checkpoint if there is one."""
    if checkpoint.exists():
        return torch.load(checkpoint, weights_only=True)
    return None if start is None else exported(start)


class _Trainer:
    """The labelled speech, the network and the optimizer of one run, with `done` steps behind it."""

    def __init__(
        self,
        corpus,
        tokenizer,
        settings: AlignSettings,
        device: str,
        saved: dict[str, Any] | None,
        texts: Sequence[str],
        encoder: Qwen2AudioEncoder | None,
    ) -> None:
        self.settings, self.device, self.done = settings, device, 0 if saved is None else saved["step"]
        if settings.since > self.done:
            raise ValueError(
                f"the rate's course shall begin at step {settings.since}, but only {self.done} are done: "
                "train up to it first"
            )
        known = None if saved is None else saved["token_ids"].numpy()
        self.data = data = label(corpus, tokenizer, known, below(settings.unfreeze))
        self.upper = _unfrozen(encoder, settings.unfreeze, device)
        self.features = features_of_windows(corpus, data.windows, self.upper)
        extra = data.passages * (settings.passage_weight - 1)
        self.train = sorted({*range(len(data.windows))} - {*data.held_out}) + extra
        runs = chain(spoken_runs(data.classes, data.held_out), text_runs(texts, tokenizer, data.token_ids))
        self.transitions = count_transitions(runs, len(data.token_ids))
        torch.manual_seed(settings.seed)
        sample = self._sample(1 if saved is not None else 40)
        width = sample.shape[-1]
        self.net = SpelledClassifier(width, settings.dim, settings.depth, data.token_ids, tokenizer).to(device)
        groups = [{"params": [*self.net.parameters()], "share": 1.0}]
        if self.upper is not None:
            groups.append({"params": [*self.upper.parameters()], "share": settings.upper_rate})
        self.optimizer = torch.optim.AdamW(groups, lr=settings.rate, weight_decay=0.01, betas=(0.9, 0.98))
        if saved is None:
            self.net.standardize(sample)
        elif self.net.take(saved):
            self.optimizer.load_state_dict(saved["optimizer"])
        if self.upper is not None and saved is not None and "upper" in saved:
            self.upper.load_state_dict(saved["upper"])

    @torch.no_grad()
    def _sample(self, windows: int) -> Tensor:
        return torch.cat([self.features([row], self.device) for row in self.train[:windows]])

    def step(self, step: int) -> float:
        """The step's loss."""
        settings, since = self.settings, self.settings.since
        torch.manual_seed(settings.seed * 1_000_003 + step)  # so that a resumed run draws what the whole run would
        rows = _rows(self.train, settings, step)
        for group in self.optimizer.param_groups:
            course = rate_factor(step - since, settings.steps - since, settings.warmup, floor=0.03)
            group["lr"] = settings.rate * group["share"] * course
        classes = torch.from_numpy(self.data.classes[rows]).to(self.device)
        with arithmetic(self.device, settings.bf16):
            loss = frame_loss(
                self.net,
                self.features(rows, self.device),
                classes,
                negatives=settings.negatives,
                share=settings.frame_share,
                smoothing=settings.smoothing,
                sequence=settings.sequence,
            )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], 1.0)
        self.optimizer.step()
        return loss.item()

    def state(self, step: int) -> dict[str, Any]:
        """What a checkpoint holds; `folded` and `transitions` are what is exported."""
        net = self.net
        return {
            "step": step,
            "settings": asdict(self.settings),
            "token_ids": torch.from_numpy(self.data.token_ids),
            "net": net.net.state_dict(),
            "spelling": net.spelling.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "folded": net.folded(),
            "transitions": self.transitions.state_dict(),
        } | ({} if self.upper is None else {"upper": self.upper.state_dict()})


def _unfrozen(encoder: Qwen2AudioEncoder | None, layers: int, device: str) -> UpperLayers | None:
    if not layers:
        return None
    if encoder is None:
        raise ValueError(f"{layers} layers shall be unfrozen: hand over their encoder too")
    return UpperLayers(encoder, layers).to(device)


def _rows(train: list[int], settings: AlignSettings, step: int) -> list[int]:
    """The windows of a step: epochs without replacement, the same after a resume."""
    count = settings.windows_per_step
    per_epoch = len(train) // count
    epoch, index = divmod(step, per_epoch)
    order = random.Random(settings.seed * 1000 + epoch).sample(train, len(train))
    return order[index * count : (index + 1) * count]


@torch.inference_mode()
def evaluate(
    net: SpelledClassifier, features: Features | UnfrozenFeatures, data: Labelled, rows: list[int], device: str
) -> float:
    """Share of held-out frames whose most probable class (of all) is the right one."""
    plain = net.plain().to(device).eval()
    right = total = 0
    for row in rows:
        target = torch.from_numpy(data.classes[row]).to(device)
        heard = target >= 0
        guess = plain(features([row], device))[0].argmax(-1)
        right += int((guess == target)[heard].sum())
        total += int(heard.sum())
    return right / total

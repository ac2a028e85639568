"""Stage 4, `tune`: LoRA teaches the text LLM to read audio tokens, from tasks that need no human labels.

Whole audio only: no frame is ever dropped in training, so that pruning meets a model that never saw pruned input, as
in the paper. The connector stays frozen, but for its vector of "no word here".
"""

# pyright: basic
from __future__ import annotations

import json
import math
import random
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..audio import TOKENS_PER_SECOND, WINDOW_TOKENS
from ..models.mini.connector import VocabularyProjector
from ..models.mini.modeling import AUDIO_STEP
from ..models.rows import MINI
from .align import Features
from .corpus import Corpus


@dataclass(frozen=True)
class TuneSettings:
    steps: int = 250
    examples_per_step: int = 2
    rate: float = 5e-4
    warmup: int = 20
    rank: int = 16
    span_seconds: tuple[tuple[float, float, float], ...] = (
        (0.6, 4.0, 9.0),
        (0.27, 9.0, 20.0),
        (0.08, 20.0, 45.0),
        (0.05, 45.0, 80.0),
    )
    held_out: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Example:
    """A stretch of consecutive sentences, what is asked of it, and the reply. Frames are relative to the clip."""

    shard: int
    first_window: int
    frames: tuple[int, int]
    instruction: str
    reply: str


def tune(
    corpus: Corpus,
    projector: VocabularyProjector,
    llm: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    settings: TuneSettings,
    device: str = "cpu",
) -> None:
    """Train, or go on from `out/tune.pt`; ends with the `adapter/` folder, `blank` in the projector, and the curve."""
    torch.manual_seed(settings.seed)
    trainer = _Trainer(corpus, projector.to(device), _moved(llm, device), tokenizer, settings, device)
    done = trainer.resume(out / "tune.pt")
    began, running = time.time(), math.nan
    for step in (bar := tqdm(range(done, settings.steps), initial=done, total=settings.steps, desc="tune")):
        loss = trainer.step(step)
        running = loss if math.isnan(running) else 0.95 * running + 0.05 * loss
        bar.set_postfix(loss=f"{running:.3f}")
        if (step + 1) % 60 == 0 or step + 1 == settings.steps:
            entry = {"step": step + 1, "loss": running, "held_out": trainer.held_out(), "seconds": time.time() - began}
            with (out / "tune.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            trainer.save(out / "tune.pt", step + 1)
    trainer.llm.save_pretrained(str(out / "adapter"))


def _moved(llm: Any, device: str) -> PreTrainedModel:  # transformers' own annotation of `to` cannot be called
    return llm.to(device)


class _Trainer:
    """The frozen parts, the trained parts and the optimizer of one run."""

    def __init__(self, corpus, projector, llm, tokenizer, settings: TuneSettings, device: str) -> None:
        self.settings, self.device, self.tokenizer = settings, device, tokenizer
        self.examples = ExampleMaker(corpus, settings)
        self.features = Features(corpus, self.examples.windows)
        self.projector = projector.eval().requires_grad_(False)
        with torch.no_grad():  # start "no word here" at a line break: a token that says little
            newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
            projector.blank.copy_(llm.get_input_embeddings().weight[newline])
        projector.blank.requires_grad_(True)
        lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear")
        self.llm = get_peft_model(llm, lora)
        trained = [p for p in self.llm.parameters() if p.requires_grad] + [projector.blank]
        self.trained = trained
        self.optimizer = torch.optim.AdamW(trained, lr=settings.rate, weight_decay=0.0, betas=(0.9, 0.98))

    def step(self, step: int) -> float:
        settings, total = self.settings, 0.0
        progress = step / settings.steps
        factor = min(1.0, (step + 1) / settings.warmup) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * factor
        for index in range(settings.examples_per_step):
            example = self.examples.draw(random.Random(f"{settings.seed}/{step}/{index}"))
            loss = self.loss(example) / settings.examples_per_step
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return total

    def loss(self, example: Example) -> Tensor:
        """Mean cross-entropy of the reply's tokens, given the audio and the instruction."""
        table = self.llm.get_input_embeddings().weight
        audio = self.audio_tokens(example, table)
        reply = self.ids(example.reply + "<|im_end|>")
        after = MINI.after.replace("{instruction}", example.instruction)
        texts = [self.ids(MINI.before), self.ids(after), reply[:-1]]
        embeddings = torch.cat([table[texts[0]], audio, table[texts[1]], table[texts[2]]])
        steps = torch.ones(len(embeddings), device=self.device)
        steps[len(texts[0]) : len(texts[0]) + len(audio)] = AUDIO_STEP
        positions = steps.cumsum(0) - steps
        logits = self.llm(
            inputs_embeds=embeddings[None],
            # Without a mask transformers would take fractional positions for the borders of packed sequences.
            attention_mask=torch.ones(1, len(embeddings), dtype=torch.long, device=self.device),
            position_ids=positions[None],
            logits_to_keep=len(reply),
            use_cache=False,
        ).logits[0]
        return functional.cross_entropy(logits.float(), reply)

    def audio_tokens(self, example: Example, table: Tensor) -> Tensor:
        first, last = example.frames
        rows = range(first // WINDOW_TOKENS, (last - 1) // WINDOW_TOKENS + 1)
        windows = [self.examples.row[example.shard, example.first_window + r] for r in rows]
        features = self.features(windows, self.device)
        with torch.no_grad():
            probability, classes = self.projector.posterior(features)
        part = slice(first - rows[0] * WINDOW_TOKENS, last - rows[0] * WINDOW_TOKENS)
        return self.projector.mix(probability.flatten(0, 1)[part], classes.flatten(0, 1)[part], table)

    def ids(self, text: str) -> Tensor:
        return torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"], device=self.device)

    @torch.no_grad()
    def held_out(self) -> float:
        """Mean loss of fixed examples from clips that training never draws."""
        self.llm.eval()
        count = self.settings.held_out
        losses = [self.loss(self.examples.draw(random.Random(f"held/{i}"), held=True)).item() for i in range(count)]
        self.llm.train()
        return sum(losses) / count

    def save(self, path: Path, step: int) -> None:
        state = {"trained": [p.detach() for p in self.trained], "optimizer": self.optimizer.state_dict(), "step": step}
        torch.save(state | {"settings": asdict(self.settings)}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self, path: Path) -> int:
        if not path.exists():
            return 0
        saved = torch.load(path, weights_only=True)
        with torch.no_grad():
            for parameter, value in zip(self.trained, saved["trained"], strict=True):
                parameter.copy_(value)
        self.optimizer.load_state_dict(saved["optimizer"])
        return saved["step"]


class ExampleMaker:
    """Draws tasks from the corpus' clips; every 30th clip is held out."""

    def __init__(self, corpus: Corpus, settings: TuneSettings) -> None:
        self._spans = settings.span_seconds
        self._clips = [(s, c, _heard(corpus, s, c)) for s in corpus.encoded() for c in corpus.clips(s)]
        self.windows = [(s, c["first_window"] + w) for s, c, _ in self._clips for w in range(c["windows"])]
        self.row = {window: index for index, window in enumerate(self.windows)}

    def draw(self, rng: random.Random, held: bool = False) -> Example:
        while True:
            index = rng.randrange(len(self._clips))
            if (index % 30 == 0) == held and (example := self._from(rng, *self._clips[index])):
                return example

    def _from(self, rng: random.Random, shard: int, clip: dict, heard: float) -> Example | None:
        sentences = [s for s in clip["sentences"] if s["words"][-1][2] < heard]
        if not sentences:
            return None
        _, shortest, longest = rng.choices(self._spans, [w for w, _, _ in self._spans])[0]
        length = rng.uniform(shortest, longest)
        first = rng.randrange(len(sentences))
        start = sentences[first]["words"][0][1]
        span = [s for s in sentences[first:] if s["words"][-1][2] - start <= length] or sentences[first : first + 1]
        task = rng.choices((_ask, _recall, _continue, _define, _repeat), (0.5, 0.18, 0.12, 0.1, 0.1))[0]
        asked = task(rng, span)
        if asked is None:
            return None
        if task is _repeat:
            span = span[:3]
        frames = (
            int(max(0.0, start - 0.2) * TOKENS_PER_SECOND),
            int((span[-1]["words"][-1][2] + 0.2) * TOKENS_PER_SECOND),
        )
        frames = (frames[0], min(frames[1], clip["windows"] * WINDOW_TOKENS))
        return Example(shard, clip["first_window"], frames, *asked)


def _heard(corpus: Corpus, shard: int, clip: dict) -> float:
    """Seconds of the clip that were encoded: all, unless its end was cut in the encode stage."""
    frames = np.load(corpus.file(shard, "frames.npy"))
    last = clip["first_window"] + clip["windows"] - 1
    return ((clip["windows"] - 1) * WINDOW_TOKENS + int(frames[last])) / TOKENS_PER_SECOND


def _ask(rng: random.Random, span: list[dict]) -> tuple[str, str] | None:
    """A question about one of the invented facts, in the words that the evaluation uses."""
    asked = [s for s in span if s["question"]]
    unique = [s for s in asked if sum(t["question"] == s["question"] for t in asked) == 1]
    if not unique:
        return None
    fact = rng.choice(unique)
    return _open(fact["question"]), fact["answer"][0].upper() + fact["answer"][1:]


def _open(question: str) -> str:
    return MINI.instructions(question, (), "likelihood")


def _recall(rng: random.Random, span: list[dict]) -> tuple[str, str] | None:
    """What was said about a word that only one sentence of the span holds."""
    target = rng.choice(span)["sentence"]
    elsewhere = " ".join(s["sentence"] for s in span if s["sentence"] != target).lower()
    words = [w for w in re.findall(r"[a-z]{5,}", target.lower()) if w not in elsewhere]
    return (f'What was said about "{rng.choice(words)}"?', target) if words else None


def _continue(rng: random.Random, span: list[dict]) -> tuple[str, str] | None:
    words = rng.choice(span)["sentence"].split()
    if len(words) < 6:
        return None
    cut = rng.randint(2, min(5, len(words) - 3))
    return f'What was said after "{" ".join(words[:cut])}"?', " ".join(words[cut:])


def _define(rng: random.Random, span: list[dict]) -> tuple[str, str] | None:
    found = [m for s in span if (m := re.fullmatch(r"([A-Z][a-z ]+) means (.+)\.", s["sentence"]))]
    if not found:
        return None
    word, meaning = rng.choice(found).groups()
    return _open(f"What does {word.lower()} mean?"), meaning[0].upper() + meaning[1:]


def _repeat(rng: random.Random, span: list[dict]) -> tuple[str, str] | None:
    return "Repeat what was said.", " ".join(s["sentence"] for s in span[:3])

"""Stage 4, `tune`: LoRA teaches the text LLM to read audio tokens (see `lessons` for what it is asked).

Whole audio only, by default: no frame is ever dropped in training, so that pruning meets a model that never saw pruned
input, as in the paper. The connector stays frozen, but for its vector of "no word here". With `lose`, a second adapter
goes on from the first one on audio of which frames are lost at random, with the first one's vector; the book compares both.

All questions of a lesson share its audio, but where they stand before it: the audio runs through the LLM once, and every
question with each of its options continues from the cache, side by side, gradients included.
"""

# pyright: basic
from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..audio import WINDOW_TOKENS
from ..models.mini.connector import VocabularyProjector
from ..models.mini.modeling import AUDIO_STEP
from ..models.rows import MINI, MINI_QUESTION_FIRST
from .corpus import Corpus
from .features import Features
from .lessons import Asked, Lesson, LessonMaker, LessonPlan, Span
from .loop import arithmetic, note, rate_factor, save, smoothed
from .lora import exported_adapter

END = "<|im_end|>"
CHECK_EVERY = 60

Reply = tuple[Asked, str]
"""One of the replies that a question has, right or wrong."""


@dataclass(frozen=True)
class TuneSettings:
    steps: int = 250
    lessons_per_step: int = 1
    rate: float = 3e-4
    warmup: int = 15
    rank: int = 16
    comparing: float = 1.0  # weight of telling the right option from the wrong ones, beside saying it
    held_out: int = 6  # passages asked at every check; all of them at the end
    seed: int = 0
    bf16: bool = False  # matrix products in bfloat16
    question_first: bool = False  # the question before the audio, in place of after it
    distil: float = 0.0  # weight of agreeing with itself reading the text, on the right replies, beside saying them
    lose: float = 0.0  # up to this share of a lesson's frames is lost, a share drawn anew for every lesson
    lessons: LessonPlan = field(default_factory=LessonPlan)

    def __post_init__(self) -> None:
        if not 0 <= self.lose < 1:
            raise ValueError(f"lose is {self.lose}, expected a share from 0 up to, not including, 1")


def tune(
    corpus: Corpus,
    projector: VocabularyProjector,
    llm: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    settings: TuneSettings,
    device: str = "cpu",
    start: Path | None = None,
    adapter: str = "adapter",
) -> None:
    """Train, or go on from `out/{adapter}.pt`; ends with the `{adapter}/` folder, and the curve `{adapter}.jsonl`.

    start: a checkpoint of an earlier run, or an exported adapter's folder, whose weights this run begins with. Raises
    ValueError for a `lose` without a `start`.
    """
    if settings.lose and start is None:
        raise ValueError("an adapter that loses frames goes on from one of whole audio: name its checkpoint as start")
    torch.manual_seed(settings.seed)
    trainer = _Trainer(corpus, projector.to(device), _moved(llm, device), tokenizer, settings, device)
    done = trainer.resume(out / f"{adapter}.pt")
    if start is not None and done == 0:
        trainer.begin_with(start)
    began, running = time.time(), {"heard": math.nan, "read": math.nan}
    for step in (bar := tqdm(range(done, settings.steps), initial=done, total=settings.steps, desc="tune")):
        for kind, loss in trainer.step(step):
            running[kind] = smoothed(running[kind], loss)
        bar.set_postfix({kind: f"{loss:.3f}" for kind, loss in running.items()})
        last = step + 1 == settings.steps
        if (step + 1) % CHECK_EVERY == 0 or last:
            checked = trainer.check(None if last else settings.held_out)
            entry = {
                "step": step + 1,
                **{f"loss_{k}": v for k, v in running.items()},
                **checked,
                "seconds": time.time() - began,
            }
            note(out / f"{adapter}.jsonl", entry)
            trainer.save(out / f"{adapter}.pt", step + 1)
    trainer.llm.save_pretrained(str(out / adapter))


def _moved(llm: Any, device: str) -> PreTrainedModel:  # transformers' own annotation of `to` cannot be called
    return llm.to(device)


class Losses(NamedTuple):
    """Of one lesson, each the mean over its questions."""

    saying: Tensor
    """Cross-entropy of the right reply's tokens."""
    comparing: Tensor
    """Cross-entropy of the right option among the options, by mean log-likelihood per token as in the evaluation."""
    diverging: Tensor
    """KL(p || q) per token of the right reply (Hinton et al. 2015, at temperature 1): q is predicted by the LLM that hears,
    p by the same LLM that reads. Only q learns."""
    right: list[bool]
    """Which questions with options are answered rightly."""

    def weighed(self, settings: TuneSettings) -> Tensor:
        return self.saying + settings.comparing * self.comparing + settings.distil * self.diverging


class _Trainer:
    """The frozen parts, the trained parts and the optimizer of one run."""

    def __init__(self, corpus, projector, llm, tokenizer, settings: TuneSettings, device: str) -> None:
        self.settings, self.device, self.tokenizer = settings, device, tokenizer
        self.lessons = LessonMaker(corpus, settings.lessons)
        windows = [(s, w) for s in corpus.encoded() for c in corpus.clips(s) for w in corpus.windows(c)]
        self.features, self.row = Features(corpus, windows), {window: index for index, window in enumerate(windows)}
        self.projector = projector.eval().requires_grad_(False)
        with torch.no_grad():  # start "no word here" at a line break: a token that says little
            newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
            projector.blank.copy_(llm.get_input_embeddings().weight[newline])
        projector.blank.requires_grad_(settings.lose == 0)
        lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear")
        self.llm: Any = get_peft_model(llm, lora)
        self.trained = [p for p in self.llm.parameters() if p.requires_grad] + [projector.blank]
        self.optimizer = torch.optim.AdamW(self.trained, lr=settings.rate, weight_decay=0.0, betas=(0.9, 0.98))

    def step(self, step: int) -> list[tuple[str, float]]:
        """The losses of the step's lessons, each with how it was taught: heard as audio, or read as text."""
        settings, losses = self.settings, []
        torch.manual_seed(settings.seed * 1_000_003 + step)  # so that a resumed run loses what the whole run would
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate * rate_factor(step, settings.steps, settings.warmup, floor=0.05)
        for index in range(settings.lessons_per_step):
            lesson = self.lessons.draw(random.Random(f"{settings.seed}/{step}/{index}"))
            with arithmetic(self.device, settings.bf16):
                loss = self.losses(lesson).weighed(settings)
            (loss / settings.lessons_per_step).backward()
            losses.append(("heard" if lesson.spans else "read", loss.item()))
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return losses

    def losses(self, lesson: Lesson) -> Losses:
        replies = [(asked, reply) for asked in lesson.asked for reply in (asked.reply, *asked.wrong)]
        predicted = iter(self.predicted(lesson, replies))
        read = self.read(lesson) if self.settings.distil and lesson.spans else None
        saying, comparing, diverging, right = [], [], [], []
        for index, asked in enumerate(lesson.asked):
            options = [(next(predicted), reply) for reply in (asked.reply, *asked.wrong)]
            scores = [self.of_reply(*option) for option in options]
            saying.append(-scores[0].mean())
            if asked.wrong:  # without the reply's end, which the evaluation does not count
                means = torch.stack([score[:-1].mean() for score in scores])
                comparing.append(-means.log_softmax(0)[0])
                right.append(bool(means.argmax() == 0))
            if read is not None:
                of_right = options[0][0]
                diverging.append(functional.kl_div(of_right, read[index], reduction="batchmean", log_target=True))
        return Losses(_mean(saying), _mean(comparing), _mean(diverging), right)

    @torch.no_grad()
    def read(self, lesson: Lesson) -> list[Tensor]:
        """What the LLM, as far as it is, predicts of the right replies when it reads the lesson's text."""
        return self.predicted(replace(lesson, spans=()), [(asked, asked.reply) for asked in lesson.asked])

    def of_reply(self, predicted: Tensor, reply: str) -> Tensor:
        """Log-likelihood of every token of a reply, its end included."""
        return predicted.gather(-1, self.ids(reply + END)[:, None]).squeeze(-1)

    def predicted(self, lesson: Lesson, replies: Sequence[Reply]) -> list[Tensor]:
        """Of every reply, the log-probabilities of all tokens where each of its own stands, its end included."""
        if not self.settings.question_first:
            return self.continued(lesson, MINI.before, replies)
        # Each question stands before the audio, which is then heard anew for each.
        of_each = (
            self.continued(lesson, MINI_QUESTION_FIRST.before.replace("{instruction}", asked.instruction), [*its])
            for asked, its in groupby(replies, key=lambda reply: reply[0])
        )
        return [one for some in of_each for one in some]

    def continued(self, lesson: Lesson, before: str, replies: Sequence[Reply]) -> list[Tensor]:
        """As `predicted`, of replies that follow one beginning, the text `before` and the lesson."""
        after = (MINI_QUESTION_FIRST if self.settings.question_first else MINI).after
        decoder, table = self.llm.get_base_model().model, self.llm.get_input_embeddings().weight
        embeddings, positions = self.shared(lesson, before, table)
        # With a mask: without one transformers would take fractional positions for the borders of packed sequences.
        cache = decoder(
            inputs_embeds=embeddings[None],
            attention_mask=embeddings.new_ones(1, len(embeddings), dtype=torch.long),
            position_ids=positions[None, :-1],
            use_cache=True,
        ).past_key_values
        asked = [self.ids(after.replace("{instruction}", one.instruction)) for one, _ in replies]
        targets = [self.ids(reply + END) for _, reply in replies]
        rows = [torch.cat([a, t[:-1]]) for a, t in zip(asked, targets, strict=True)]
        hidden = decoder(
            inputs_embeds=table[torch.cat(rows)][None],
            attention_mask=_side_by_side([len(row) for row in rows], embeddings),
            position_ids=torch.cat([positions[-1] + torch.arange(len(row), device=self.device) for row in rows])[None],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[0]
        split = zip(hidden.split([len(row) for row in rows]), asked, strict=True)
        logits = functional.linear(torch.cat([row[len(a) - 1 :] for row, a in split]), table).float()
        return list(logits.log_softmax(-1).split([len(t) for t in targets]))

    def shared(self, lesson: Lesson, before: str, table: Tensor) -> tuple[Tensor, Tensor]:
        """What the replies follow: embeddings, and their positions with the next one at the end."""
        text = table[self.ids(before + ("" if lesson.spans else lesson.text))]
        audio = [self.audio_tokens(span, table) for span in lesson.spans]
        steps = torch.ones(len(text), device=self.device)
        heard = torch.full((sum(map(len, audio)),), AUDIO_STEP, device=self.device)
        positions = torch.cat([steps.new_zeros(1), torch.cat([steps, heard]).cumsum(0)])
        return self.without_the_lost(torch.cat([text, *audio]), positions, len(text))

    def without_the_lost(self, embeddings: Tensor, positions: Tensor, before: int) -> tuple[Tensor, Tensor]:
        """In training, with `lose`: fewer frames, each at its own position still; what comes `before` them stays."""
        if not self.llm.training or self.settings.lose == 0:
            return embeddings, positions
        share = self.settings.lose * torch.rand(())
        stays = torch.rand(len(embeddings), device=self.device) >= share
        stays[:before] = True
        return embeddings[stays], positions[torch.cat([stays, stays.new_ones(1)])]

    def audio_tokens(self, span: Span, table: Tensor) -> Tensor:
        rows = range(span.start // WINDOW_TOKENS, (span.stop - 1) // WINDOW_TOKENS + 1)
        features = self.features([self.row[span.shard, span.first_window + r] for r in rows], self.device)
        with torch.no_grad():
            probability, classes = self.projector.posterior(features)
        part = slice(span.start - rows[0] * WINDOW_TOKENS, span.stop - rows[0] * WINDOW_TOKENS)
        return self.projector.mix(probability.flatten(0, 1)[part], classes.flatten(0, 1)[part], table)

    def ids(self, text: str) -> Tensor:
        return torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"], device=self.device)

    @torch.no_grad()
    def check(self, passages: int | None) -> dict[str, float | int]:
        """Loss of the right replies and share of questions answered rightly, on passages that no stage trains on."""
        self.llm.eval()
        with arithmetic(self.device, self.settings.bf16):
            results = [self.losses(lesson) for lesson in self.lessons.held_out()[:passages]]
        self.llm.train()
        right = [r for losses in results for r in losses.right]
        loss = sum(losses.saying.item() for losses in results) / len(results)
        return {"held_out": loss, "held_out_accuracy": sum(right) / len(right), "held_out_questions": len(right)}

    def save(self, path: Path, step: int) -> None:
        state = {"trained": [p.detach() for p in self.trained], "optimizer": self.optimizer.state_dict(), "step": step}
        save(path, state | {"settings": asdict(self.settings)})

    def resume(self, path: Path) -> int:
        if not path.exists():
            return 0
        saved = self.load(path)
        self.optimizer.load_state_dict(saved["optimizer"])
        return saved["step"]

    def begin_with(self, start: Path) -> None:
        if not start.is_dir():
            self.load(start)
            return
        lora, blank = exported_adapter(start, self.settings.rank)
        wrong = set_peft_model_state_dict(self.llm, lora).unexpected_keys
        if wrong:
            raise ValueError(f"{start} adapts other layers than this run does: {', '.join(wrong[:3])} ...")
        with torch.no_grad():
            self.projector.blank.copy_(blank)

    def load(self, path: Path) -> dict[str, Any]:
        saved = torch.load(path, weights_only=True)
        with torch.no_grad():
            for parameter, value in zip(self.trained, saved["trained"], strict=True):
                parameter.copy_(value)
        return saved


def _mean(losses: list[Tensor]) -> Tensor:
    """0 of none."""
    return torch.stack(losses).mean() if losses else torch.zeros(())


def _side_by_side(lengths: Sequence[int], shared: Tensor) -> Tensor:
    """The attention mask of texts in one row, (1, 1, tokens, shared + tokens): each sees what is shared and itself."""
    causal = torch.block_diag(*(torch.ones(length, length).tril() for length in lengths)).to(shared)
    allowed = torch.cat([shared.new_ones(len(causal), len(shared)), causal], dim=1)
    return torch.where(allowed > 0, 0.0, torch.finfo(shared.dtype).min)[None, None]

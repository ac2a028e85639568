"""The command line's benchmarks: fetch one, or build one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .cli_errors import plain_errors
from .models import load_model
from .pipeline import Synthesized, synthesize
from .synthesis.listening.opinion import Dnsmos
from .synthesis.listening.recognizers import WhisperTinyEn, WhisperTransformers
from .synthesis.listening.report_table import table, voice_table
from .synthesis.speaking.voices import CAST, read_cast
from .synthesis.writing.cost import Prices, estimate_cost
from .synthesis.writing.plan import TranscriptPlan
from .synthesis.writing.transcripts import write_benchmark
from .synthesis.writing.writers import Writer
from .synthesis.writing.writers.local_writer import load_local
from .synthesis.writing.writers.openai_writer import OpenAIWriter

app = typer.Typer()

RECOGNIZERS = {"tiny.en": WhisperTinyEn, "large-v3": WhisperTransformers}


@app.command()
def fetch(
    benchmark: Annotated[str, typer.Argument(help="spiral")],
    folder: Annotated[Path | None, typer.Option(help="where to; the user's cache if not given")] = None,
    archive: Annotated[Path | None, typer.Option(help="the authors' recordings as downloaded, to unpack")] = None,
) -> None:
    """Get SPIRAL's annotations, say how to get its recordings, and check what is there."""
    with plain_errors():
        if benchmark != "spiral":
            raise ValueError(f"{benchmark!r} cannot be fetched, expected spiral; its errors say where the others are")
        from .benchmarks.fetch import fetch_spiral  # what downloads is slow to load

        typer.echo(str(fetch_spiral(folder, archive)))


@app.command("synthesize")
def synthesize_command(
    out: Annotated[Path, typer.Argument(help="the benchmark's folder; scripts in its texts/ are spoken")],
    scripts: Annotated[Path | None, typer.Option(help="hand-written scripts, a .jsonl file or a folder")] = None,
    cast: Annotated[Path | None, typer.Option(help="JSON list of speakers; SPIRAL-mini's if not given")] = None,
    workers: Annotated[int, typer.Option(min=1, help="processes")] = os.cpu_count() or 1,
    asr: Annotated[str, typer.Option(help=f"measures the speech: {', '.join(RECOGNIZERS)}, none")] = "tiny.en",
    model: Annotated[str, typer.Option(help="answers blind, for the checks: mini, ..., none")] = "mini",
    allow_unfair: Annotated[bool, typer.Option("--allow-unfair", help="end with 0 though a check fails")] = False,
) -> None:
    """Speak scripts into a benchmark, measure the speech, and check what the questions give away.

    Goes on where it was stopped. Ends with 1 if something failed, or if the questions can be answered without listening.
    """
    with plain_errors():
        if asr != "none" and asr not in RECOGNIZERS:
            raise ValueError(f"--asr got {asr!r}, expected {', '.join(RECOGNIZERS)} or none")
        done = synthesize(
            out,
            scripts,
            cast=CAST if cast is None else read_cast(cast),
            workers=workers,
            recognizer=None if asr == "none" else RECOGNIZERS[asr](),
            opinion=None if asr == "none" else Dnsmos(),
            model=None if model == "none" else load_model(model),
        )
    _tell(done)
    if done.failed or (done.unfair and not allow_unfair):
        raise typer.Exit(1)


@app.command("write")
def write_command(
    out: Annotated[Path, typer.Argument(help="the benchmark's folder")],
    model: Annotated[str, typer.Option(help="as the endpoint names it, or a local chat model with --local")],
    items: Annotated[list[str], typer.Option(help="split=number, such as test=96; repeat it")] = ["test=12"],  # noqa: B006 - typer's way
    base_url: Annotated[str | None, typer.Option(help="an OpenAI-compatible endpoint, up to /v1")] = None,
    local: Annotated[bool, typer.Option("--local", help="run the model here, by transformers")] = False,
    prices: Annotated[str, typer.Option(help="USD of a million prompt,completion tokens")] = "2.5,10",
    yes: Annotated[bool, typer.Option("--yes", help="begin without asking whether the price is right")] = False,
) -> None:
    """Have a language model write the scripts of a benchmark; `synthesize` then speaks them."""
    with plain_errors():
        plan = TranscriptPlan(splits=tuple(_split(item) for item in items))
        prompt, completion = (float(price) for price in prices.split(","))
        typer.echo("free of charge" if local else str(estimate_cost(plan, Prices(prompt, completion))))
        if not (local or yes):
            typer.confirm("Begin?", abort=True)
        writer: Writer = load_local(model) if local else OpenAIWriter(model, base_url)
        written = write_benchmark(writer, out, plan)
    typer.echo(f"{written.items} scripts in {written.texts}")
    if written.failures:
        typer.echo(f"failed, see {out / 'failures.jsonl'}: {', '.join(written.failures)}")
        raise typer.Exit(1)


def _split(item: str) -> tuple[str, int]:
    name, equals, number = item.partition("=")
    if not equals or not number.isdigit():
        raise ValueError(f"--items got {item!r}, expected split=number, such as test=96")
    return name, int(number)


def _tell(done: Synthesized) -> None:
    built = done.built
    typer.echo(f"{built.spoken} recordings spoken, {built.found} found done, {len(built.failed)} failed")
    for split, report in done.reports.items():
        typer.echo(f"\n{split}\n{table(report).T.to_string(na_rep='')}\n\n{voice_table(report).round(3).to_string()}")
    for split, checks in done.checks.items():
        typer.echo(f"\n{split}\n{checks.drop(columns='named').round(3).to_string(index=False, na_rep='')}")
    for what, why in done.failed.items():
        typer.echo(f"failed: {what}: {why}", err=True)
    for check in done.unfair:
        typer.echo(f"gives something away: {check}", err=True)

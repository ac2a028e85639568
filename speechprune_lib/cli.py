"""The command line: ask one recording a question, or a benchmark all of its questions.

Bad input ends with one line on stderr and exit code 2; a traceback would be a bug of ours.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import soundfile
import typer

from . import audio as sound
from .benchmarks import BENCHMARKS, load_benchmark
from .conditions import WITHOUT_AUDIO
from .evaluate import evaluate, open_store
from .models import MODELS, load_model
from .models.base import SHOWS_CHOICES, SpeechModel
from .prompt import apply
from .pruners import METHODS, get_method
from .scoring import choose
from .summary import summarize

app = typer.Typer(help="SpeechPrune: prune a speech LLM's audio tokens.", no_args_is_help=True, rich_markup_mode=None)

GAP_SECONDS = 0.5
"""Kept spans closer than this are shown as one."""
MOST_SPANS = 12

Model = Annotated[str, typer.Option(help=f"auto, {', '.join(MODELS)}")]
Seed = Annotated[int, typer.Option(help="for methods that draw at random")]


@app.callback(invoke_without_command=True)
def main(show: Annotated[bool, typer.Option("--version", help="print the version and end")] = False) -> None:
    if show:
        typer.echo(version("speechprune-lib"))
        raise typer.Exit


@app.command()
def ask(
    audio: Annotated[Path, typer.Argument(help="a recording of any length, in any common format")],
    question: Annotated[str, typer.Argument(help="what to ask about it")],
    choices: Annotated[list[str] | None, typer.Option(help="an option to choose from; give two or more")] = None,
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "speechprune",
    rate: Annotated[float, typer.Option(help="share of 750 tokens (30 s) removed: 0.2 keeps 600")] = 0.2,
    model: Model = "auto",
    seed: Seed = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="length of a free reply")] = 32,
    save_audio: Annotated[Path | None, typer.Option(help="write the kept audio to this file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Answer a question about a recording, and tell which part of it the answer was read from."""
    with _plain_errors():
        if choices is not None and len(choices) < 2:
            raise ValueError(f"got one choice, {choices[0]!r}, expected none or at least two: repeat --choices")
        pruner = get_method(method)
        pruner.count(1, rate)  # a bad rate is told before the model is loaded
        if not question.strip():
            raise ValueError("the question is empty: ask something about the recording")
        waveform = sound.load(audio)
        speech_model = load_model(model)
        start = time.perf_counter()
        scoring = speech_model.default_scoring if choices else "generate"
        instruction = speech_model.instruction(question, choices or (), scoring)
        prompt = speech_model.prepare(waveform, question, instruction=instruction)
        plan = pruner.plan(prompt, rate, seed)
        pruned = apply(prompt, plan)
        if choices:
            answer = _chosen(speech_model, question, choices, pruned, instruction)
        else:
            answer = speech_model.generate(pruned, max_new_tokens)
        seconds = time.perf_counter() - start
        spans = plan.spans(prompt.tokens_per_second)
        if save_audio is not None:
            soundfile.write(save_audio, sound.kept_audio(waveform, spans), sound.SAMPLE_RATE_HZ)
    told = {
        "answer": answer,
        "model": speech_model.name,
        "method": method,
        "rate": rate if pruner.uses_rate else None,
        "tokens_before": plan.total,
        "tokens_after": len(plan.keep),
        "seconds_of_audio": round(len(waveform) / sound.SAMPLE_RATE_HZ, 2),
        "seconds_kept": round(len(plan.keep) / prompt.tokens_per_second, 2),
        "spans": [[round(a, 2), round(b, 2)] for a, b in plan.spans(prompt.tokens_per_second, GAP_SECONDS)],
        "seconds_taken": round(seconds, 2),
    }
    typer.echo(json.dumps(told) if as_json else _readable(told))


@app.command("evaluate")
def evaluate_command(
    out: Annotated[Path, typer.Option(help="the .sqlite file that grows; a rerun computes what it lacks")],
    model: Model = "auto",
    benchmark: Annotated[str, typer.Option(help=", ".join(BENCHMARKS))] = "spiral-mini",
    split: Annotated[str, typer.Option(help="of the benchmark")] = "test",
    root: Annotated[Path | None, typer.Option(help="folder of a benchmark that is not shipped")] = None,
    methods: Annotated[str, typer.Option(help=f"comma-separated: {', '.join((*METHODS, *WITHOUT_AUDIO))}")] = (
        "no-audio,original,everything,rap,rac,speechprune,phase1,phase2,transcript"
    ),
    rates: Annotated[str, typer.Option(help="comma-separated")] = "0.2,0.4,0.6,0.8",
    seeds: Annotated[str, typer.Option(help="comma-separated")] = "0",
    scoring: Annotated[str | None, typer.Option(help="the model's own unless given")] = None,
    limit: Annotated[int | None, typer.Option(help="only the first examples")] = None,
    export: Annotated[Path | None, typer.Option(help="write sorted .jsonl rows and their card, for committing")] = None,
    stale: Annotated[str, typer.Option(help="answers of another run in --out: refuse, keep or discard")] = "refuse",
) -> None:
    """Ask a benchmark's questions under every method, rate and seed; resumes after a kill."""
    with _plain_errors():
        examples = load_benchmark(benchmark, split, root)
        speech_model = load_model(model)
        draws = [int(seed) for seed in seeds.split(",")]
        shares = [float(rate) for rate in rates.split(",") if rate]
        with open_store(out, speech_model, benchmark, examples, draws, stale) as store:  # type: ignore[arg-type]
            rows = evaluate(
                speech_model,
                examples[:limit],
                methods.split(","),
                shares,
                draws,
                scoring,
                store,  # type: ignore[arg-type]
            )
            if export is not None:
                store.export_jsonl(export)
    columns = ["method", "rate", "n", "accuracy", "low", "high", "evidence_recall", "tokens_kept"]
    typer.echo(summarize(rows)[columns].round(3).to_string(index=False))


@app.command()
def methods() -> None:
    """List the pruning methods."""
    for name, pruner in METHODS.items():
        typer.echo(f"{name:12} {(pruner.__doc__ or '').split(chr(10))[0]}")


@app.command()
def models() -> None:
    """List the models."""
    for name in MODELS:
        typer.echo(name)


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        typer.secho(f"speechprune: {error}", fg="red", err=True)
        raise typer.Exit(2) from error


def _chosen(model: SpeechModel, question: str, choices: list[str], pruned, instruction: str) -> str:
    baseline = None
    if model.default_scoring not in SHOWS_CHOICES:
        baseline = model.option_scores(model.prepare(None, question, instruction=instruction), choices).tolist()
    chosen = choose(model, pruned, choices, model.default_scoring, baseline)
    return "none of the choices" if chosen.index is None else choices[chosen.index]


def _readable(told: dict) -> str:
    spans = [f"{start:.1f}-{end:.1f}" for start, end in told["spans"]]
    more = f" and {len(spans) - MOST_SPANS} more" if len(spans) > MOST_SPANS else ""
    return "\n".join(
        [
            told["answer"],
            f"  {told['tokens_after']} of {told['tokens_before']} audio tokens ({told['method']}"
            + (f", rate {told['rate']:g})" if told["rate"] is not None else ")"),
            f"  {told['seconds_kept']} s of {told['seconds_of_audio']} s kept, at {', '.join(spans[:MOST_SPANS])}{more} s",
            f"  {told['model']}, {told['seconds_taken']} s",
        ]
    )


if __name__ == "__main__":
    app()

"""The command line: ask one recording a question, or a benchmark all of its questions."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from .audio import SAMPLE_RATE_HZ, Waveform, load
from .benchmarks import BENCHMARKS, load_benchmark
from .book.commands import app as book_app
from .cli_benchmarks import app as benchmarks_app
from .cli_errors import plain_errors
from .cli_evaluate import app as evaluate_app
from .cli_measure import app as measure_app
from .cli_models import app as models_app
from .free_replies import score_reply
from .giveaways import fairness
from .listen import check_writable, kept_audio, write_audio
from .models import MODELS, load_model
from .models.base import Scoring, SpeechModel
from .prompt import WINDOW_TOKENS, Clock, Plan, SpeechPrompt, apply, kept_count
from .provenance import installed_version
from .pruners import METHODS, Pruner, parse_method
from .results import read_rows
from .scoring import choose
from .texts import with_texts

GAPS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Kept spans closer than this are shown as one: the first gap that leaves no more than `MOST_SPANS` lines."""
MOST_SPANS = 12

app = typer.Typer(
    help="Prune a speech LLM's audio tokens, and ask it what is left.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.add_typer(evaluate_app)
app.add_typer(benchmarks_app)
app.add_typer(measure_app)
app.add_typer(models_app)
app.add_typer(book_app, name="book")

Model = Annotated[str, typer.Option(help=f"auto, {', '.join(MODELS)}, or hub/name of a speech LLM of transformers")]


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        typer.echo(installed_version("speechprune_lib"))
        raise typer.Exit


@app.command()
def ask(
    audio: Annotated[Path, typer.Argument(help="a recording of any length, in any common format")],
    question: Annotated[str, typer.Argument(help="what to ask about it")],
    choices: Annotated[list[str] | None, typer.Option(help="an option to choose from; give two or more")] = None,
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "speechprune",
    rate: Annotated[float, typer.Option(help="share of 750 audio tokens (30 s) removed: 0.2 keeps 600")] = 0.2,
    model: Model = "auto",
    seed: Annotated[int, typer.Option(help="for methods that draw at random")] = 0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="length of a free reply")] = 32,
    save_audio: Annotated[Path | None, typer.Option(help="write the kept audio to this file")] = None,
    reference: Annotated[
        list[str] | None, typer.Option(help="a form of the right answer, to score a free reply by; may be repeated")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Answer a question about a recording, and tell which part of it the answer was read from."""
    with plain_errors():
        # whatever can be refused at once is refused before a model is loaded
        pruner = _checked(question, choices, method, rate)
        if reference:
            score_reply("", reference)
        if save_audio is not None:
            check_writable(save_audio)
        waveform = load(audio)
        speech_model = load_model(model)
        heard, told = _ask(speech_model, waveform, question, choices or [], pruner, (rate, seed), max_new_tokens)
        if save_audio is not None:
            write_audio(save_audio, kept_audio(waveform, *heard))
        if reference:
            told["measures"] = score_reply(told["answer"], reference)
    typer.echo(json.dumps(told) if as_json else _for_people(told, *heard))


@app.command()
def check(
    benchmark: Annotated[str, typer.Option(help=", ".join(BENCHMARKS))] = "spiral-mini",
    split: Annotated[str, typer.Option(help="of the benchmark")] = "test",
    root: Annotated[Path | None, typer.Option(help="folder of a benchmark that is not shipped")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="of `evaluate`: no-audio and the first 30 s are checked too")
    ] = None,
) -> None:
    """What a benchmark's questions give away to a reader who never listens; ends with 1 if a check fails."""
    with plain_errors():
        rows = None if answers is None else read_rows(answers)
        checks = fairness(load_benchmark(benchmark, split, root, need_audio=False), rows)
    typer.echo(checks.drop(columns="named").round(3).to_string(index=False, na_rep=""))
    for name, named in zip(checks["check"], checks["named"], strict=True):
        if named:
            typer.echo(f"{name}: {', '.join(named)}")
    if False in checks["fair"].tolist():
        raise typer.Exit(1)


@app.command()
def methods() -> None:
    """List the pruning methods."""
    for name, method in METHODS.items():
        typer.echo(f"{name:12} {(method.__doc__ or '').splitlines()[0]}")


def _checked(question: str, choices: list[str] | None, method: str, rate: float) -> Pruner:
    if not question.strip():
        raise ValueError("the question is empty: ask something about the recording")
    if choices and (len(choices) < 2 or len(set(choices)) < len(choices) or not all(map(str.strip, choices))):
        raise ValueError(f"got the choices {choices}, expected two or more different ones, or none: repeat --choices")
    kept_count(WINDOW_TOKENS, rate)
    return parse_method(method)


def _ask(
    model: SpeechModel,
    waveform: Waveform,
    question: str,
    choices: list[str],
    pruner: Pruner,
    draw: tuple[float, int],
    max_new_tokens: int,
) -> tuple[tuple[Plan, Clock], dict[str, Any]]:
    """The plan with the clock of its tokens, and everything to be told of the answer; `draw` is rate and seed."""
    marks = [time.perf_counter()]
    scoring: Scoring = model.default_scoring if choices else "generate"
    instruction = model.instruction(question, choices, scoring)
    prompt = with_texts(model, model.prepare(waveform, question, instruction=instruction), question, choices)
    marks.append(time.perf_counter())
    plan = pruner.plan(prompt, *draw)
    pruned = apply(prompt, plan)
    marks.append(time.perf_counter())
    if choices:
        answer = _chosen(model, pruned, question, choices, scoring, instruction)
    else:
        answer = {"answer": model.generate(pruned, max_new_tokens)}
    marks.append(time.perf_counter())
    spans = plan.spans(prompt.clock)
    steps = zip(("encode", "prune", "answer"), marks, marks[1:], strict=False)
    return (plan, prompt.clock), answer | {
        "model": model.name,
        "model_revision": model.revision,
        "method": pruner.name,
        "rate": draw[0] if pruner.uses_rate else None,
        "seed": draw[1] if pruner.uses_seed else None,
        "tokens_total": plan.total,
        "tokens_kept": len(plan.keep),
        "seconds_total": round(len(waveform) / SAMPLE_RATE_HZ, 2),
        "seconds_kept": round(sum(end - start for start, end in spans), 2),
        "spans": [[round(edge, 3) for edge in span] for span in spans],
        "seconds_taken": {step: round(end - start, 3) for step, start, end in steps},
    }


def _chosen(
    model: SpeechModel, prompt: SpeechPrompt, question: str, choices: list[str], scoring: Scoring, instruction: str
) -> dict[str, Any]:
    baseline = None
    if scoring == "likelihood-minus-no-audio":
        unheard = model.prepare(None, question, instruction=instruction)
        baseline = choose(model, unheard, choices, "likelihood").scores
    choice = choose(model, prompt, choices, scoring, baseline)
    text = f"(none of the choices: {choice.reply!r})" if choice.index is None else choices[choice.index]
    return {"answer": text, "choice": choice.index, "scoring": scoring, "scores": list(choice.scores)}


def _for_people(told: dict[str, Any], plan: Plan, clock: Clock) -> str:
    rate = "" if told["rate"] is None else f" at rate {told['rate']:g}"
    seconds = f"{told['seconds_kept']:.1f} s of {told['seconds_total']:.1f} s kept"
    spans, gap = _joined(plan, clock)
    times = " + ".join(f"{step} {taken:.1f} s" for step, taken in told["seconds_taken"].items())
    lines = [
        f"{told['answer']}\n",
        *([", ".join(f"{name} {value:.2f}" for name, value in told["measures"].items())] if "measures" in told else []),
        f"{told['method']}{rate}: {len(plan.keep)} of {plan.total} audio tokens, {seconds}",
        f"kept between (gaps up to {gap:g} s joined):",
        *(f"  {_clock(start)} - {_clock(end)}  {share:4.0%} of it" for start, end, share in spans),
        f"{told['model']}: {times}",
    ]
    return "\n".join(lines)


def _joined(plan: Plan, clock: Clock) -> tuple[list[tuple[float, float, float]], float]:
    """Kept stretches as (start, end, share kept), few enough to read, and the gap in seconds over which they join."""
    gap = next((gap for gap in GAPS_SECONDS if len(plan.spans(clock, gap)) <= MOST_SPANS), GAPS_SECONDS[-1])
    pieces = plan.spans(clock)
    return [
        (start, end, sum(stop - begin for begin, stop in pieces if start <= begin < end) / (end - start))
        for start, end in plan.spans(clock, gap)
    ], gap


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}:{rest:04.1f}"

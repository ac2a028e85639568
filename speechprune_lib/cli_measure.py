"""The command line's clock: what an answer costs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from .benchmarks import load_benchmark
from .cli_errors import plain_errors
from .efficiency.records import Measured, measured, table, write_measured
from .efficiency.shapes import QWEN2_AUDIO_SHAPE
from .efficiency.tables import REAL_LENGTHS, checked_lengths
from .efficiency.timing import usable_device
from .models import load_model
from .prompt import apply
from .pruners import SpeechPrune

app = typer.Typer()

MODEL_LENGTHS = (150, 300, 450, 600, 750, 1500, 2197)
"""Audio tokens for a whole small model: Table I's, a minute and a mean clip."""


@app.command()
def measure(
    model: Annotated[
        str, typer.Option(help="mini: a whole model; qwen2-audio: its decoder with random weights, and the pruner")
    ] = "mini",
    device: Annotated[str, typer.Option(help="cpu, cuda")] = "cpu",
    lengths: Annotated[str | None, typer.Option(help="comma-separated audio tokens; Table I's and longer ones")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="repetitions; the median counts")] = 5,
    out: Annotated[Path | None, typer.Option(help="write the rounds and the run card to this .json file")] = None,
) -> None:
    """Measure encoder, pruner, prefill and decoding, in seconds and bytes, against the number of audio tokens."""
    with plain_errors():
        if model not in ("mini", "qwen2-audio"):
            raise ValueError(f"--model got {model!r}, expected mini or qwen2-audio")
        where, tokens = usable_device(device), _lengths(lengths, model)
        _check_json(out)
        run = _mini(where, tokens, rounds) if model == "mini" else _real(where, tokens, rounds)
        if out is not None:
            write_measured(out, run)
    typer.echo(f"{run.card.model} on {run.label}")
    typer.echo(table(run).round(2).to_string(index=False, na_rep=""))


@app.command("bench")
def bench_command(
    out: Annotated[Path, typer.Option(help="write the rounds and the run card to this .json file")],
    device: Annotated[str, typer.Option(help="cpu, cuda")] = "cpu",
    rounds: Annotated[int, typer.Option(min=1, help="repetitions; the median counts")] = 5,
) -> None:
    """Time SpeechPrune beside other ways to choose tokens, at Qwen2-Audio's size, and the machine's ceilings."""
    with plain_errors():
        where = usable_device(device)
        _check_json(out)
        from .efficiency.bench import bench
        from .efficiency.measuring import real_decoder

        run = bench(real_decoder(QWEN2_AUDIO_SHAPE.decoder, where, whole=False), rounds)
        write_measured(out, run)
    typer.echo(table(run).round(2).to_string(index=False, na_rep=""))


def _check_json(out: Path | None) -> None:
    if out is not None and out.suffix != ".json":
        raise ValueError(f"--out got {out.name!r}, expected a name that ends in .json")


def _lengths(text: str | None, model: str) -> tuple[int, ...]:
    if text is None:
        return MODEL_LENGTHS if model == "mini" else REAL_LENGTHS
    try:
        numbers = [int(number) for number in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--lengths got {text!r}, expected audio tokens such as 150,750") from error
    return checked_lengths(numbers)


def _mini(device: torch.device, lengths: tuple[int, ...], rounds: int) -> Measured:
    from .efficiency.fresh import RATE, measure_fresh
    from .efficiency.measuring import measure_model, measure_scoring  # transformers takes seconds to import

    model: Any = load_model("mini", device)
    example = load_benchmark("spiral-mini", "dev")[0]
    sound, question = example.waveform(), example.question
    rows = list(measure_fresh("mini", rounds)) if device.type == "cpu" else []
    rows += measure_model(model, sound, question, lengths, rounds=rounds)
    prompt = model.prepare(sound, question, instruction=model.instruction(question, example.choices, "likelihood"))
    for one in (apply(prompt, SpeechPrune().plan(prompt, RATE)), prompt):
        rows += measure_scoring(model, one, example.choices, rounds)
    return measured(model.name, model.revision, device, model.dtype, rows, seed=0)


def _real(device: torch.device, lengths: tuple[int, ...], rounds: int) -> Measured:
    from .efficiency.measuring import measure_decoder, real_decoder

    decoder = real_decoder(QWEN2_AUDIO_SHAPE.decoder, device)
    rows = measure_decoder(decoder, lengths, rounds)
    what = f"qwen2-audio's decoder, random weights, {decoder.layers_run} of {decoder.shape.layers} layers run"
    return measured(what, "random", device, decoder.dtype, rows, seed=0)

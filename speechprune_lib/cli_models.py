"""The command line's models: what there is, what was tried, and prompts for vLLM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import torch
import typer

from .audio import load
from .cli_errors import plain_errors
from .models import MODELS, load_model
from .models.families import FAMILIES
from .prompt import apply
from .pruners import METHODS, parse_method

app = typer.Typer()

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SERVED = ("qwen2-audio", "qwen2-audio-base")
"""Models that vLLM has too."""


@app.command()
def models() -> None:
    """List the models: those that load by name, and those that `prune` knows inside your own code."""
    for name in MODELS:
        typer.echo(name)
    typer.echo("\nin your own code, by speechprune_lib.prune:")
    for family in FAMILIES.values():
        typer.echo(f"{family.model_class:45} {family.tokens_per_second:5g} audio tokens a second")


@app.command()
def trial(
    out: Annotated[Path, typer.Option(help="JSON file for the results and their card")],
    family: Annotated[list[str] | None, typer.Option(help="a class of `speechprune models`; all if not given")] = None,
    size: Annotated[str, typer.Option(help="tiny, or real: the checkpoints' dimensions, where known")] = "tiny",
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    dtype: Annotated[str, typer.Option(help=", ".join(DTYPES))] = "float32",
    windows: Annotated[
        int, typer.Option(min=1, help="how often the family's seconds of audio, mostly 30, are repeated")
    ] = 1,
) -> None:
    """Try speech LLMs with random weights: both identities, and with real dimensions the time. Nothing is fetched."""
    from .models.random_shapes import Size
    from .trial import can_be_tried, try_family, write_trials

    with plain_errors():
        if size not in get_args(Size):
            raise ValueError(f"--size got {size!r}, expected {' or '.join(get_args(Size))}")
        if dtype not in DTYPES:
            raise ValueError(f"--dtype got {dtype!r}, expected {', '.join(DTYPES)}")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ValueError(f"--device got {device!r}, and torch sees no GPU: use cpu")
        numbers = DTYPES[dtype]
        chosen, trials = cast(Size, size), []
        for name in family or can_be_tried(chosen):
            trials.append(try_family(name, chosen, device, numbers, windows))
            typer.echo(
                f"{name:45} keep all {trials[-1].keep_all_difference:.1e}, masked {trials[-1].masked_difference:.1e}"
            )
        write_trials(trials, out, device, numbers)


@app.command()
def export(
    audio: Annotated[Path, typer.Argument(help="a recording of any length, in any common format")],
    question: Annotated[str, typer.Argument(help="what to ask about it")],
    out: Annotated[Path, typer.Option(help="a .safetensors file")],
    form: Annotated[str, typer.Option(help="audio_embeds, or prompt_embeds")] = "audio_embeds",
    method: Annotated[str, typer.Option(help=", ".join(METHODS))] = "speechprune",
    rate: Annotated[float, typer.Option(help="share of 750 audio tokens (30 s) removed: 0.2 keeps 600")] = 0.2,
    model: Annotated[str, typer.Option(help=", ".join(SERVED))] = "qwen2-audio",
) -> None:
    """Prune a recording here and save the prompt for vLLM, which answers it elsewhere."""
    from .models.adapter import TransformersSpeechModel
    from .models.serving import Form, export_for_vllm

    with plain_errors():
        if form not in get_args(Form):
            raise ValueError(f"--form got {form!r}, expected {' or '.join(get_args(Form))}")
        if model not in SERVED:
            raise ValueError(f"--model got {model!r}, expected one that vLLM serves: {', '.join(SERVED)}")
        pruner, waveform = parse_method(method), load(audio)
        speech_model = cast(TransformersSpeechModel, load_model(model))
        instruction = speech_model.instruction(question, (), "generate")
        prompt = speech_model.prepare(waveform, question, instruction=instruction)
        plan = pruner.plan(prompt, rate)
        export_for_vllm(out, speech_model, apply(prompt, plan), instruction, cast(Form, form))
    typer.echo(f"{out}: {len(plan.keep)} of {plan.total} audio tokens")

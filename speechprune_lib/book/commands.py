"""`speechprune book` and `python -m speechprune_lib.book`: run the notebooks, render the book, print it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import yaml

app = typer.Typer(help="Run the book's notebooks, render its pages, print them.", no_args_is_help=True)

# What the commands need comes with the extras `book` and `browser`, so it is imported when they run.


@app.command()
def run(
    profile: Annotated[str | None, typer.Option(help="the model of every notebook; the same as -p profile=...")] = None,
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="name=value, read as YAML")] = None,
    only: Annotated[list[str] | None, typer.Option(help="a notebook's number or name; may be repeated")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="notebooks at a time")] = 2,
    fresh: Annotated[bool, typer.Option("--fresh", help="run unchanged notebooks too")] = False,
    store: Annotated[bool, typer.Option("--store", help="write the outputs back into notebooks/")] = False,
) -> None:
    """Execute the stale notebooks with papermill, in the order of the toc."""
    from .running import NotebookError, run_notebooks

    parameters = _parameters(parameter or [], profile)
    try:
        run_notebooks(parameters=parameters, only=only or (), jobs=jobs, fresh=fresh, write_back=store, tell=typer.echo)
    except (NotebookError, ValueError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


@app.command()
def render() -> None:
    """Render the book into _build/html; any warning is an error."""
    from .address import complaint
    from .rendering import render as render_pages

    try:
        typer.echo(f"the book: {render_pages()}")
    except subprocess.CalledProcessError as error:
        raise typer.Exit(error.returncode) from error
    if trouble := complaint():
        typer.secho(trouble, fg="yellow", err=True)


@app.command()
def pdf() -> None:
    """Print the rendered book into one PDF, and offer it on the first page."""
    from .printing import offer, print_book

    try:
        typer.echo(f"the book as PDF: {offer(print_book())}")
    except (FileNotFoundError, ModuleNotFoundError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error


@app.command()
def address(
    url: Annotated[str | None, typer.Argument(help="https://github.com/OWNER/NAME; none: check what is there")] = None,
) -> None:
    """Give the repository its address, everywhere at once; or say whether it has one."""
    from .address import carry, complaint, repository

    try:
        for file in carry(url) if url else []:
            typer.echo(f"written: {file}")
    except ValueError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(2) from error
    if trouble := complaint():
        prefix = "::warning::" if os.environ.get("GITHUB_ACTIONS") else ""
        typer.secho(f"{prefix}{trouble}", fg="yellow")
        raise typer.Exit(1)
    typer.echo(f"the repository: {repository()}")


def _parameters(pairs: Sequence[str], profile: str | None) -> dict[str, Any]:
    """Raises BadParameter for a pair without "="."""
    split = [pair.partition("=") for pair in pairs]
    if wrong := [name for name, equals, _ in split if not equals or not name]:
        raise typer.BadParameter(f"{wrong[0]!r} is no name=value")
    return {name: yaml.safe_load(value) for name, _, value in split} | ({"profile": profile} if profile else {})

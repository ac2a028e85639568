"""The book's kitchen: run the notebooks with papermill in the order of `_toc.yml`, then render them.

Notebooks are committed with outputs that repeat exactly. A run puts executed copies under `_build/executed`, which the
book shows in their place; `store` writes the outputs back into the notebooks themselves. Either way the result is the
source notebook with outputs laid over it, so papermill's timestamps and injected cells never get in. A notebook whose
code, library, data, parameters and installed packages are as they were is not run again; new prose is taken over.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions, version
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import nbformat
import papermill
import torch
import typer
import yaml
from nbformat import NotebookNode

from .files import file_hash, write_whole

ROOT = Path(__file__).resolve().parents[1]
EXECUTED = Path("_build/executed")
CELL_SECONDS = 1800
"""A cell that takes longer is taken for stuck."""
RECORD = "speechprune"
"""Key of a run's record in the metadata of an executed copy."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}


class NotebookError(RuntimeError):
    """At least one notebook did not run to its end."""


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook."""

    notebook: str
    state: Literal["ran", "unchanged", "failed"]
    seconds: float
    reason: str = ""


def notebooks_in_order(root: Path = ROOT) -> list[str]:
    """Paths of the toc's notebooks from `root` on, in reading order. Raises FileNotFoundError for one not there."""
    names = [f"{name}.ipynb" for name in _files(yaml.safe_load((root / "_toc.yml").read_text("utf8")))]
    notebooks = [name for name in names if name.startswith("notebooks/")]
    for name in notebooks:
        if not (root / name).is_file():
            raise FileNotFoundError(f"_toc.yml lists {name}, which is not in {root}: add it or take the line out")
    return notebooks


def run_notebooks(
    root: Path = ROOT,
    parameters: Mapping[str, Any] | None = None,
    jobs: int = 2,
    force: bool = False,
    store: bool = False,
) -> list[Outcome]:
    """Execute every notebook of the toc, `jobs` at a time, and return what became of each.

    `parameters` replace values of the cell tagged `parameters`. `store` writes the outputs back into the notebooks.
    Raises NotebookError after all have had their turn if any failed, ValueError for `store` with parameters.
    """
    if store and parameters:
        raise ValueError(f"stored outputs must come from a notebook's defaults, got parameters {dict(parameters)}")
    notebooks = notebooks_in_order(root)
    run = partial(run_notebook, root, parameters=dict(parameters or {}), force=force, around=surroundings(root))
    if jobs == 1:
        outcomes = list(map(run, notebooks))
    else:
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            outcomes = list(pool.map(run, notebooks))
    failed = [f"{outcome.notebook}: {outcome.reason}" for outcome in outcomes if outcome.state == "failed"]
    if failed:
        raise NotebookError("\n".join(failed))
    if store:
        _store(root, notebooks)
    return outcomes


def run_notebook(root: Path, notebook: str, parameters: dict[str, Any], force: bool, around: str) -> Outcome:
    """Bring the executed copy of one notebook up to date; a failed run leaves `X.failed.ipynb` and no copy."""
    start, copy = time.monotonic(), root / EXECUTED / notebook
    source = nbformat.read(root / notebook, 4)
    key = digest(source, parameters, around)
    old = nbformat.read(copy, 4) if copy.is_file() else None
    if old is not None and not force and old.metadata[RECORD]["digest"] == key:
        _write(with_outputs(source, old, old.metadata[RECORD]), copy)
        return Outcome(notebook, "unchanged", time.monotonic() - start)
    copy.unlink(missing_ok=True)
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial_copy = copy.with_suffix(".failed.ipynb")
    try:
        executed = _execute(root / notebook, partial_copy, parameters)
    except (NotebookError, papermill.PapermillExecutionError, RuntimeError, ValueError) as error:
        return Outcome(notebook, "failed", time.monotonic() - start, f"{error} (see {partial_copy})")
    seconds = time.monotonic() - start
    _write(with_outputs(source, executed, _record(key, parameters, seconds)), copy)
    partial_copy.unlink()
    return Outcome(notebook, "ran", seconds)


def digest(source: NotebookNode, parameters: Mapping[str, Any], around: str) -> str:
    """What an executed copy depends on, as one hash: the code cells, the parameters and `surroundings`."""
    code = [cell.source for cell in source.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps([code, dict(parameters), around], sort_keys=True).encode()).hexdigest()


def surroundings(root: Path = ROOT) -> str:
    """Hash of everything outside a notebook that its outputs may depend on: library, data, installed packages."""
    library = (file for file in (root / "speechprune_lib").rglob("*.py") if "training" not in file.parts)
    data = (file for file in (root / "data").rglob("*") if file.is_file())
    total = hashlib.sha256()
    for file in sorted([*library, *data]):
        total.update(f"{file.relative_to(root)}\n".encode() + bytes.fromhex(file_hash(file)))
    total.update("\n".join(sorted(f"{package.name}=={package.version}" for package in distributions())).encode())
    return total.hexdigest()


def with_outputs(source: NotebookNode, executed: NotebookNode, record: Mapping[str, Any] | None) -> NotebookNode:
    """`source` with the outputs of `executed` laid over its code cells, counted 1, 2, 3, ... without a gap.

    Nothing else is taken from `executed`: no timestamps, no injected parameters, no trace of the machine's kernel.
    """
    result = deepcopy(source)
    result.metadata["kernelspec"], result.metadata["language_info"] = dict(KERNEL), dict(LANGUAGE)
    result.metadata.pop(RECORD, None)
    if record is not None:
        result.metadata[RECORD] = dict(record)
    cells = (cell for cell in result.cells if cell.cell_type == "code")
    for count, (cell, ran) in enumerate(zip(cells, _own_code_cells(executed), strict=True), start=1):
        cell.outputs, cell.execution_count = _joined(ran.outputs), count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return result


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """A copy in which what was printed in pieces is one: where the pieces end depends on the moment alone."""
    joined: list[NotebookNode] = []
    for output in deepcopy(list(outputs)):
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def render(root: Path = ROOT) -> Path:
    """Render the book with every warning an error; returns its first page. Raises CalledProcessError on any warning."""
    start = "from jupyter_book.cli.main import main; main()"  # the package has no `-m` door
    command = [sys.executable, "-c", start, "build", str(root), "-n", "-W", "--keep-going"]
    subprocess.run(command, cwd=root, check=True)
    return root / "_build" / "html" / "index.html"


def _files(node: Any) -> Iterator[str]:
    """Every `file:` of a toc, in reading order."""
    if isinstance(node, Mapping):
        if "file" in node:
            yield node["file"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _files(child)


def _execute(notebook: Path, out: Path, parameters: dict[str, Any]) -> NotebookNode:
    """Run a notebook in its own folder. Raises NotebookError if it ended early without an error."""
    _check_names(notebook, parameters)
    try:
        _papermill(notebook, out, parameters)
    except RuntimeError:  # the kernel died or never answered: two kernels may have picked the same port
        _papermill(notebook, out, parameters)
    executed = nbformat.read(out, 4)
    silent = [cell.source for cell in _own_code_cells(executed) if cell.source and cell.execution_count is None]
    if silent:
        raise NotebookError(f"{len(silent)} cells never ran, the first is {silent[0].splitlines()[0]!r}")
    return executed


def _papermill(notebook: Path, out: Path, parameters: dict[str, Any]) -> None:
    papermill.execute_notebook(
        notebook,
        out,
        parameters=parameters,
        kernel_name=KERNEL["name"],
        cwd=notebook.parent,
        progress_bar=False,
        start_timeout=180,
        execution_timeout=CELL_SECONDS,
    )


def _check_names(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Papermill lets a misspelt parameter pass in silence."""
    known = papermill.inspect_notebook(notebook) if parameters else {}
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{notebook.name} has no parameters {unknown}: it has {sorted(known)}")


def _own_code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that the author wrote."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in code if "injected-parameters" not in cell.metadata.get("tags", [])]


def _record(key: str, parameters: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the status page tells about a run."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    versions = {package: version(package) for package in ("speechprune-lib", "torch", "transformers")}
    ended = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return {
        "digest": key,
        "parameters": parameters,
        "ended": ended,
        "seconds": round(seconds, 1),
        "device": device,
        "versions": versions,
    }


def _store(root: Path, notebooks: Sequence[str]) -> None:
    for notebook in notebooks:
        executed = nbformat.read(root / EXECUTED / notebook, 4)
        _write(with_outputs(executed, executed, None), root / notebook)


def _write(notebook: NotebookNode, path: Path) -> None:
    write_whole(path, nbformat.writes(notebook) + "\n")


app = typer.Typer(help="Run the notebooks and render the book.", no_args_is_help=True)


@app.command()
def run(
    parameter: Annotated[list[str] | None, typer.Option("--parameter", "-p", help="name=value, read as YAML")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="notebooks at a time")] = 2,
    force: Annotated[bool, typer.Option(help="run unchanged notebooks too")] = False,
    store: Annotated[bool, typer.Option(help="write the outputs back into notebooks/")] = False,
) -> None:
    """Execute the notebooks with papermill in toc order."""
    pairs = (text.partition("=")[::2] for text in parameter or [])
    parameters = {name: yaml.safe_load(value) for name, value in pairs}
    try:
        outcomes = run_notebooks(parameters=parameters, jobs=jobs, force=force, store=store)
    except NotebookError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
    for outcome in outcomes:
        typer.echo(f"{outcome.notebook:40} {outcome.state:10} {outcome.seconds:7.1f} s")


@app.command("render")
def render_command() -> None:
    """Render the book; any warning is an error."""
    try:
        typer.echo(f"the book: {render()}")
    except subprocess.CalledProcessError as error:
        raise typer.Exit(error.returncode) from error


if __name__ == "__main__":
    app()

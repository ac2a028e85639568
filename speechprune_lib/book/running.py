"""Run the notebooks, those that are stale, several at a time; a failed one leaves the last good copy where it is.

A notebook whose code, library, data, parameters and installed packages are as they were is not run again; new prose is
taken over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import nbformat
import papermill
from nbformat import NotebookNode

from .outputs import (
    EXECUTED,
    KERNEL,
    RECORD,
    digest,
    own_code_cells,
    run_record,
    store,
    surroundings,
    with_outputs,
    write_notebook,
)
from .toc import ROOT, notebooks_in_order, selected

CELL_SECONDS = 1800
"""A cell that takes longer is taken for stuck."""


class NotebookError(RuntimeError):
    """At least one notebook did not run to its end."""


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook."""

    notebook: str
    state: Literal["ran", "unchanged", "failed"]
    seconds: float
    reason: str = ""


def run_notebooks(
    root: Path = ROOT,
    parameters: Mapping[str, Any] | None = None,
    only: Sequence[str] = (),
    jobs: int = 2,
    fresh: bool = False,
    write_back: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Outcome]:
    """Execute the notebooks of the toc, `jobs` at a time, and return what became of each, in reading order.

    `parameters` replace values of the cell tagged `parameters`. `only`: see `selected`. `fresh` runs what is unchanged,
    too. `write_back` writes the outputs into the notebooks. `tell` gets a line as each one ends. Raises NotebookError
    after all have had their turn if any failed, ValueError for `write_back` with parameters.
    """
    if write_back and parameters:
        raise ValueError(f"stored outputs must come from a notebook's defaults, got parameters {dict(parameters)}")
    notebooks = selected(notebooks_in_order(root), only)
    run = partial(run_notebook, root, parameters=dict(parameters or {}), fresh=fresh, around=surroundings(root))
    outcomes: dict[str, Outcome] = {}
    for outcome in _as_they_end(run, notebooks, jobs):
        outcomes[outcome.notebook] = outcome
        tell(f"[{len(outcomes)}/{len(notebooks)}] {outcome.notebook:40} {outcome.state:10} {outcome.seconds:7.1f} s")
    in_order = [outcomes[notebook] for notebook in notebooks]
    failed = [f"{outcome.notebook}: {outcome.reason}" for outcome in in_order if outcome.state == "failed"]
    if failed:
        raise NotebookError("\n".join(failed))
    if write_back:
        store(root, notebooks)
    return in_order


def run_notebook(root: Path, notebook: str, parameters: dict[str, Any], fresh: bool, around: str) -> Outcome:
    """Bring the executed copy of one notebook up to date.

    A run that fails leaves what it had got in `X.failed.ipynb`, and the last good copy as it was.
    """
    start, copy = time.monotonic(), root / EXECUTED / notebook
    source = nbformat.read(root / notebook, 4)
    key = digest(source, parameters, around)
    old = nbformat.read(copy, 4) if copy.is_file() else None
    if old is not None and not fresh and old.metadata.get(RECORD, {}).get("digest") == key:
        write_notebook(with_outputs(source, old, old.metadata[RECORD]), copy)
        return Outcome(notebook, "unchanged", time.monotonic() - start)
    copy.parent.mkdir(parents=True, exist_ok=True)
    partial_copy = copy.with_suffix(".failed.ipynb")
    try:
        executed = _execute(root / notebook, partial_copy, parameters)
    except (papermill.PapermillExecutionError, RuntimeError, TimeoutError, ValueError) as error:
        return Outcome(notebook, "failed", time.monotonic() - start, f"{_where(error)} (see {partial_copy})")
    seconds = time.monotonic() - start
    write_notebook(with_outputs(source, executed, run_record(key, parameters, seconds)), copy)
    partial_copy.unlink()
    return Outcome(notebook, "ran", seconds)


def _as_they_end(run: Callable[..., Outcome], notebooks: Sequence[str], jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(notebooks) == 1:
        yield from map(run, notebooks)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run, notebook) for notebook in notebooks]):
            yield future.result()


def _where(error: Exception) -> str:
    """The cell that failed, by its number on the page and its first line, and why."""
    if not isinstance(error, papermill.PapermillExecutionError):
        return f"{type(error).__name__}: {error}"
    return f"cell [{error.exec_count}] {_first_line(error.source)!r} raised {error.ename}: {error.evalue}"


def _execute(notebook: Path, out: Path, parameters: dict[str, Any]) -> NotebookNode:
    """Run a notebook in its own folder. Raises NotebookError if it ended early without an error."""
    _check_names(notebook, parameters)
    try:
        _papermill(notebook, out, parameters)
    except RuntimeError:  # the kernel died or never answered: two kernels may have picked the same port
        _papermill(notebook, out, parameters)
    executed = nbformat.read(out, 4)
    silent = [cell.source for cell in own_code_cells(executed) if cell.source and cell.execution_count is None]
    if silent:
        raise NotebookError(f"{len(silent)} cells never ran, the first is {_first_line(silent[0])!r}")
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
        extra_arguments=["--log-level=CRITICAL"],  # kernels tell of missing encryption, and of their own end
    )


def _check_names(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Papermill lets a misspelt parameter pass in silence."""
    known = papermill.inspect_notebook(notebook) if parameters else {}
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{notebook.name} has no parameters {unknown}: it has {sorted(known)}")


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if line.strip()), "")

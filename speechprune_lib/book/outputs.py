"""What an executed copy of a notebook is: the source with outputs laid over it, and a record of the run."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import nbformat
import torch
from nbformat import NotebookNode

from ..files import file_hash, write_whole
from ..provenance import library_commit
from .toc import ROOT

EXECUTED = Path("_build/executed")
RECORD = "speechprune"
"""Key of a run's record in the metadata of an executed copy."""
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}


def digest(source: NotebookNode, parameters: Mapping[str, Any], around: str) -> str:
    """What an executed copy depends on, as one hash: the code cells, the parameters and `surroundings`."""
    code = [cell.source for cell in source.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps([code, dict(parameters), around], sort_keys=True).encode()).hexdigest()


def surroundings(root: Path = ROOT) -> str:
    """Hash of everything outside a notebook that its outputs may depend on: library, data, installed packages.

    The book's own kitchen and the model's training lie in the library, and no notebook can depend on them.
    """
    apart = {"training", "book"}
    library = (file for file in (root / "speechprune_lib").rglob("*.py") if apart.isdisjoint(file.parts))
    data = (file for file in (root / "data").rglob("*") if file.is_file())
    total = hashlib.sha256()
    for file in sorted([*library, *data]):
        total.update(f"{file.relative_to(root)}\n".encode() + bytes.fromhex(file_hash(file)))
    total.update("\n".join(sorted(f"{package.name}=={package.version}" for package in distributions())).encode())
    return total.hexdigest()


def run_record(key: str, parameters: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """What a page tells about its run."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"
    return {
        "digest": key,
        "parameters": dict(parameters),
        "ended": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "seconds": round(seconds, 1),
        "device": device,
        "commit": library_commit(),
        "versions": {package: version(package) for package in ("speechprune-lib", "torch", "transformers")},
    }


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
    for count, (cell, ran) in enumerate(zip(cells, own_code_cells(executed), strict=True), start=1):
        cell.outputs, cell.execution_count = _joined(ran.outputs), count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return result


def own_code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells that the author wrote."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in code if "injected-parameters" not in cell.metadata.get("tags", [])]


def store(root: Path, notebooks: Sequence[str]) -> None:
    """Write the executed copies' outputs back into the notebooks, without the runs' records."""
    for notebook in notebooks:
        executed = nbformat.read(root / EXECUTED / notebook, 4)
        write_notebook(with_outputs(executed, executed, None), root / notebook)


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    write_whole(path, nbformat.writes(notebook) + "\n")


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """A copy in which what was printed in pieces is one: where the pieces end depends on the moment alone."""
    joined: list[NotebookNode] = []
    for output in deepcopy(list(outputs)):
        if joined and output.output_type == "stream" == joined[-1].output_type and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined

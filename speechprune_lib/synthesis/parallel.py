"""Many independent jobs over processes: one that fails, or ends its process, is told, and the others are done."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

Outcome = tuple[str, Any, str]
"""(the job's key, its result, what went wrong or "")."""


def each(work: Callable[..., Any], jobs: Mapping[str, tuple], workers: int | None = None) -> Iterator[Outcome]:
    """work(*arguments) for every job, as they are done; `workers` None: one after the other in this process.

    A worker that dies (flite's C code ends its process on a rare unit) takes its whole pool along: whatever was not
    done is then tried once more, each job in a process of its own, so that only the guilty one fails.
    """
    if workers is None:
        yield from (_outcome(key, work, arguments) for key, arguments in jobs.items())
        return
    left = dict(jobs)
    for outcome in _pooled(work, jobs, workers):
        del left[outcome[0]]
        yield outcome
    for key, arguments in left.items():
        alone = list(_pooled(work, {key: arguments}, 1))
        yield alone[0] if alone else (key, None, "its process died")


def _pooled(work: Callable[..., Any], jobs: Mapping[str, tuple], workers: int) -> Iterator[Outcome]:
    """Outcomes until all jobs are done or a worker died; those without one are left out."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_outcome, key, work, arguments) for key, arguments in jobs.items()]
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenProcessPool:
                continue
            yield outcome


def _outcome(key: str, work: Callable[..., Any], arguments: tuple) -> Outcome:
    try:
        return key, work(*arguments), ""
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told with its job
        return key, None, f"{type(error).__name__}: {error}"

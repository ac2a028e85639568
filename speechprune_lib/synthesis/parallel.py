"""Many independent jobs at a time.

Over processes: one that fails, or ends its process, is told, and the others are done. Over threads, for jobs that wait
for somebody else: an error ends all.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Outcome = tuple[str, Any, str]
"""(the job's key, its result, what went wrong or "")."""

DIED = (
    "its process died: out of memory, a crash in a C library, or a script that starts processes outside of "
    '`if __name__ == "__main__":`'
)


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
    with ThreadPoolExecutor(workers) as threads:
        alone = {key: threads.submit(lambda job: list(_pooled(work, job, 1)), {key: left[key]}) for key in left}
        for key, future in alone.items():
            outcomes = future.result()
            yield outcomes[0] if outcomes else (key, None, DIED)


def over_threads(
    work: Callable[[Job], Result], jobs: Iterable[Job], workers: int, keep: Callable[[Result], None]
) -> None:
    """`keep(work(job))` for every job: the work in threads, `keep` in this one alone, in the order of completion.

    One worker is this thread, and takes the jobs in their order. After an error or Ctrl-C no job is begun; those in
    progress are waited for and their results kept, and then it is raised. A second Ctrl-C gives those up.
    """
    if workers == 1:
        for job in jobs:
            keep(work(job))
        return
    pool = ThreadPoolExecutor(workers)
    left: set[Future[Result]] = set()
    try:
        left.update(pool.submit(work, job) for job in jobs)
        _keep_all(left, keep)
    except BaseException:
        left -= {future for future in left if future.cancel()}
        while left:
            with suppress(Exception):  # the first error is told; others have the same cause, or its consequence
                _keep_all(left, keep)
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _keep_all(left: set[Future[Result]], keep: Callable[[Result], None]) -> None:
    for future in as_completed(set(left)):
        left.discard(future)  # before it is kept: whatever happens there, nothing is kept twice
        keep(future.result())


def _pooled(work: Callable[..., Any], jobs: Mapping[str, tuple], workers: int) -> Iterator[Outcome]:
    """Outcomes until all jobs are done or a worker died; those without one are left out."""
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        futures = [pool.submit(_outcome, key, work, arguments) for key, arguments in jobs.items()]
        for future in as_completed(futures):
            try:
                outcome = future.result()
            except BrokenProcessPool:
                continue
            yield outcome
    finally:  # whoever stops listening, as with Ctrl-C, waits for the jobs in progress only
        pool.shutdown(cancel_futures=True)


def _outcome(key: str, work: Callable[..., Any], arguments: tuple) -> Outcome:
    try:
        return key, work(*arguments), ""
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told with its job
        return key, None, f"{type(error).__name__}: {error}"

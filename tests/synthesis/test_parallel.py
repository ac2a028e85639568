"""Jobs over processes: failures are told with their job, a death takes nobody along. Over threads: an error ends all."""

import os
from concurrent.futures import Future
from threading import Barrier, Event, get_ident

import pytest

from speechprune_lib.synthesis.parallel import DIED, each, over_threads

PATIENCE_S = 60
"""No test takes that long unless it fails."""


def work(number: int) -> int:
    if number == 3:
        raise ValueError("three is refused")
    if number == 5:
        os._exit(1)  # as a C library may
    return number * number


@pytest.mark.parametrize("workers", [None, 2])
def test_what_fails_is_told_and_the_rest_is_done(workers):
    outcomes = {key: (result, error) for key, result, error in each(work, {str(n): (n,) for n in range(5)}, workers)}
    assert outcomes == {
        "0": (0, ""), "1": (1, ""), "2": (4, ""), "3": (None, "ValueError: three is refused"), "4": (16, "")
    }  # fmt: skip


def test_a_process_that_dies_fails_alone():
    outcomes = {key: (result, error) for key, result, error in each(work, {str(n): (n,) for n in (4, 5, 6)}, 2)}
    assert outcomes == {"4": (16, ""), "5": (None, DIED), "6": (36, "")}


def test_threads_work_at_the_same_time_and_one_keeps():
    met, kept = Barrier(2), []
    over_threads(lambda job: (met.wait(PATIENCE_S), job)[1], range(8), 2, lambda job: kept.append((job, get_ident())))
    assert sorted(kept) == [(job, get_ident()) for job in range(8)]


def test_one_worker_is_this_thread_and_takes_jobs_in_order():
    kept = []
    over_threads(lambda job: (job, get_ident()), range(5), 1, kept.append)
    assert kept == [(job, get_ident()) for job in range(5)]


@pytest.mark.parametrize("where", ["in the work", "on Ctrl-C"])
def test_after_an_error_nothing_is_begun_and_what_is_in_progress_is_kept(where, monkeypatch):
    begun, kept, cancelled, end = [], [], [], Event()
    cancel = Future.cancel

    def told(future):
        cancelled.extend([future] * cancel(future))
        if len(cancelled) == 47:  # all but job 1, job 0 and the one that came after job 1: these end only now
            end.set()

    def work(job):
        begun.append(job)
        if job != 1:
            assert end.wait(PATIENCE_S)
        elif where == "in the work":
            raise ValueError("one is refused")
        return job

    def keep(job):
        if job == 1:
            raise KeyboardInterrupt
        kept.append(job)

    monkeypatch.setattr(Future, "cancel", lambda future: told(future) or future.cancelled())
    with pytest.raises(ValueError if where == "in the work" else KeyboardInterrupt):
        over_threads(work, range(50), 2, keep)
    assert set(begun) <= {0, 1, 2}
    assert sorted(kept) == sorted(set(begun) - {1})

"""Jobs over processes: failures are told with their job, a death takes nobody along."""

import os

import pytest

from speechprune_lib.synthesis.parallel import DIED, each


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

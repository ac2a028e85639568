"""Seconds and bytes of a call, on a CPU or a GPU."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field

PROCESS = Path("/proc/self")


class Timing(BaseModel):
    """Seconds of every round, in the order they were run; the median counts, the quartiles tell the spread."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: tuple[float, ...] = Field(min_length=1)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """First and third quartile; of a single round, that round twice."""
        if len(self.rounds) == 1:
            return self.rounds[0], self.rounds[0]
        low, _, high = statistics.quantiles(self.rounds, n=4, method="inclusive")
        return low, high

    def ratio(self, other: Timing) -> float:
        """Median over the rounds of this call's seconds by the other's in the same round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)


def usable_device(name: str) -> torch.device:
    """The device of that name. Raises ValueError for one that torch does not know or that is not here."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"there is no device {name!r}, expected cpu, or cuda where there is a GPU") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {name!r} is not here: torch sees no CUDA GPU; measure on cpu, or install a CUDA build"
        )
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"cannot measure on {name!r}, expected cpu or cuda: only there the clock knows when to stop")
    return device


def hardware(device: torch.device) -> str:
    """What the numbers belong to: the GPU's name, or the CPU's with the threads that torch uses."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = "CPU"
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} cores"


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was asked; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_seconds(
    calls: Mapping[str, Callable[[], object]], device: torch.device, rounds: int = 5, warm_up: int = 1
) -> dict[str, Timing]:
    """Every call once a round, in turn, so that a machine that slows down slows all of them; synchronised around each.

    Raises ValueError for less than one round.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds, expected at least one; five give a spread")
    for call in [call for call in calls.values() for _ in range(warm_up)]:
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            synchronize(device)
            start = time.perf_counter()
            call()
            synchronize(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(rounds=tuple(taken)) for name, taken in seconds.items()}


def peak_bytes(call: Callable[[], object], device: torch.device) -> int | None:
    """The most memory that the call held above what was held before it; None where nobody counts.

    On a GPU what torch allocated. On Linux' CPUs the process' resident memory by the kernel's own mark, which is reset
    first, after what the process had freed is given back.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with suppress(AttributeError, OSError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
    try:
        (PROCESS / "clear_refs").write_text("5")
        before = _resident("VmRSS")
        call()
        return max(0, _resident("VmHWM") - before)
    except OSError:
        return None


def resident(name: str) -> int | None:
    """Bytes of this process by that line of its status, as Linux counts; None elsewhere."""
    try:
        return _resident(name)
    except OSError:
        return None


def _resident(name: str) -> int:
    lines = (PROCESS / "status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(name))

"""How far an evaluation is: a line for every method and rate, for people on a terminal, in a log, or for machines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from ..answers import Failure, Row, Unit
from ..conditions import label

LOG_SECONDS = 30.0
"""Between two reports to a log."""
LIVE_SECONDS = 0.25


@dataclass
class Line:
    """One method at one rate, over examples, seeds and arrangements. `fresh` were answered since the sweep began."""

    method: str
    rate: float | None
    total: int = 0
    done: int = 0
    right: int = 0
    failed: int = 0
    fresh: int = 0

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed

    @property
    def accuracy(self) -> float | None:
        return self.right / self.done if self.done else None

    def seconds_left(self, elapsed: float) -> float | None:
        """By the pace since the sweep began; None before there is one."""
        if self.left == 0:
            return 0.0
        return self.left * elapsed / self.fresh if self.fresh else None


class Progress:
    """Silent. Those that tell derive from it; a context manager around the sweep."""

    def begin(self, units: Sequence[Unit], rows: Sequence[Row]) -> None:
        """units: all that is asked for. rows: what of it the store holds."""

    def told(self, outcome: Row | Failure) -> None:
        """One more is answered, or given up."""

    def __enter__(self) -> Progress:  # noqa: PYI034  (beartype knows Self in decorated classes only)
        return self

    def __exit__(self, *_error: object) -> None:
        return None


class Counted(Progress):
    """Counts lines, and shows them every so many seconds and at the end."""

    seconds = LOG_SECONDS

    def begin(self, units: Sequence[Unit], rows: Sequence[Row]) -> None:
        self.lines: dict[tuple[str, float | None], Line] = {}
        for unit in units:
            self._line(unit).total += 1
        for row in rows:
            self._line(row).done += 1
            self._line(row).right += row.correct
        self.started = self.shown = time.monotonic()

    def told(self, outcome: Row | Failure) -> None:
        line = self._line(outcome)
        if isinstance(outcome, Failure):
            line.failed += 1
        else:
            line.done, line.right, line.fresh = line.done + 1, line.right + outcome.correct, line.fresh + 1
        if time.monotonic() - self.shown >= self.seconds:
            self.shown = time.monotonic()
            self.show()

    def show(self) -> None:
        raise NotImplementedError

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def __exit__(self, *_error: object) -> None:
        if hasattr(self, "lines"):
            self.show()

    def _line(self, unit: Unit) -> Line:
        key = (label(unit.method, unit.options), unit.rate)
        return self.lines.setdefault(key, Line(*key))


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _to_stdout(line: str) -> None:
    print(line, flush=True)


class PlainProgress(Counted):
    """Lines of text, for a log file or a pipe."""

    def __init__(self, tell: Callable[[str], None] = _to_stderr, seconds: float = LOG_SECONDS) -> None:
        self.tell, self.seconds = tell, seconds

    def show(self) -> None:
        for line in self.lines.values():
            self.tell("  ".join(_cells(line, self.elapsed)).rstrip())


class JsonProgress(Counted):
    """JSON lines, for a program that watches."""

    def __init__(self, tell: Callable[[str], None] = _to_stdout, seconds: float = LOG_SECONDS) -> None:
        self.tell, self.seconds = tell, seconds

    def show(self) -> None:
        for line in self.lines.values():
            eta = line.seconds_left(self.elapsed)
            told: dict[str, Any] = {"event": "progress", "method": line.method, "rate": line.rate}
            told |= {"done": line.done, "left": line.left, "failed": line.failed}
            told |= {"eta_s": None if eta is None else round(eta, 1), "accuracy": line.accuracy}
            self.tell(json.dumps(told))


class LiveProgress(Counted):
    """A table on a terminal that is drawn over itself."""

    seconds = LIVE_SECONDS

    def __enter__(self) -> LiveProgress:  # noqa: PYI034
        self.live = Live(console=Console(stderr=True), auto_refresh=False)
        self.live.start()
        return self

    def show(self) -> None:
        table = Table.grid(padding=(0, 2))
        for line in self.lines.values():
            table.add_row(*map(str.strip, _cells(line, self.elapsed)))
        self.live.update(table, refresh=True)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.live.stop()


def progress_here() -> Progress:
    """For a function call: a table where somebody watches a terminal, nothing in a notebook or a log."""
    return LiveProgress() if sys.stderr.isatty() else Progress()


def _cells(line: Line, elapsed: float) -> list[str]:
    rate = "" if line.rate is None else f"{line.rate:g}"
    accuracy = "" if line.accuracy is None else f"{line.accuracy:.1%} right"
    failed = f"{line.failed} failed" if line.failed else ""
    cells = [f"{line.method:30}", f"{rate:4}", f"{line.done:5} done", f"{line.left:5} left"]
    return [*cells, f"ETA {_clock(line.seconds_left(elapsed)):>8}", f"{accuracy:12}", failed]


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"

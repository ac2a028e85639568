"""Bad input at the command line: one line on stderr and exit code 2; a traceback would be a bug of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def plain_errors() -> Iterator[None]:
    try:
        yield
    except (typer.Abort, typer.Exit):  # RuntimeErrors too, and no errors
        raise
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        typer.echo("speechprune: " + " ".join(str(error).split()), err=True)
        raise typer.Exit(2) from error

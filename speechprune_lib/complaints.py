"""What pydantic found wrong with a record, in words for whoever wrote it."""

from __future__ import annotations

from pydantic import ValidationError

SHOWN = 80
"""Characters of a wrong value, at most."""


def first_complaint(error: ValidationError) -> str:
    """What pydantic found first: the place, what was expected, and the value where the message does not have it."""
    found = error.errors()[0]
    place = ".".join(map(str, found["loc"])) or "the item"
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] in ("value_error", "missing"):
        return f"{place}: {message}"
    return f"{place}: {message}, got {_shortened(repr(found['input']))}"


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."

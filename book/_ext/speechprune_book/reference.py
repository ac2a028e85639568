"""Reference pages out of the library itself: methods and their options, commands, how to cite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml
from sphinx.application import Sphinx

from speechprune_lib.book.address import pages, repository
from speechprune_lib.plots import LABELS
from speechprune_lib.pruners import METHODS, method_options


def methods_table(app: Sphinx, words: str) -> str:
    """One row a method, with its docstring's first sentence."""
    rows = ["| name | in figures | what it keeps | rate | seed |", "|---|---|---|:-:|:-:|"]
    for name, method in METHODS.items():
        first = (method.__doc__ or "").strip().split("\n")[0]
        marks = ["yes" if used else "–" for used in (method.uses_rate, method.uses_seed)]
        rows.append(f"| `{name}` | {LABELS[name]} | {first} | {' | '.join(marks)} |")
    return "\n".join(rows)


def options_list(app: Sphinx, words: str) -> str:
    """One row an option: its default, what it may be, and the methods that have it."""
    rows = ["| option | default | may be | methods |", "|---|---|---|---|"]
    owners: dict[str, list[str]] = {}
    for name in METHODS:
        for option in method_options(name):
            owners.setdefault(option, []).append(name)
    for option, names in owners.items():
        default = method_options(names[0])[option]
        everywhere = "all" if len(names) == len(METHODS) else ", ".join(f"`{name}`" for name in names)
        rows.append(f"| `{option}` | `{default}` | {_values(names[0], option)} | {everywhere} |")
    return "\n".join(rows)


def commands(app: Sphinx, words: str) -> str:
    """Every command of `speechprune`, with what it takes."""
    from typer.main import get_command

    from speechprune_lib.cli import app as line

    return "\n\n".join(_command(name, command) for name, command in _leaves("speechprune", get_command(line)))


def citation(app: Sphinx, words: str) -> str:
    """BibTeX of the software, from CITATION.cff, and of the paper, from the bibliography."""
    top = Path(app.srcdir)
    told = yaml.safe_load((top / "CITATION.cff").read_text("utf8"))
    authors = " and ".join(f"{{{author['name']}}}" for author in told["authors"])
    lines = {
        "title": told["title"],
        "author": authors,
        "version": told["version"],
        "url": repository(top),
        "note": f"The book: {pages(repository(top))}",
    }
    software = (
        "@software{speechprune_lib,\n" + ",\n".join(f"  {key} = {{{value}}}" for key, value in lines.items()) + "\n}"
    )
    paper = re.search(
        r"@inproceedings\{lin2025speechprune,.*?\n\}", (top / "book/references.bib").read_text("utf8"), re.DOTALL
    )
    if paper is None:
        raise ValueError("book/references.bib has no lin2025speechprune, which the page on citing shows")
    return f"```bibtex\n{software}\n```\n\nThe paper, whose method this is:\n\n```bibtex\n{paper[0]}\n```"


def _values(method: str, option: str) -> str:
    """The values of a Literal, or the name of the type."""
    for owner in _owners(METHODS[method]):
        hint = get_type_hints(owner).get(option)
        if hint is not None:
            choices = get_args(hint) if get_origin(hint) is Literal else ()
            return ", ".join(f"`{choice}`" for choice in choices) or getattr(hint, "__name__", str(hint))
    return ""


def _owners(method: Any) -> Iterator[Any]:
    """The classes whose fields are a method's options: its own, and those of the phases it holds."""
    yield method
    yield from (field.default_factory for field in fields(method) if is_dataclass(field.default_factory))


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        below = list(_leaves(f"{path} {name}", child))
        yield from below or [(f"{path} {name}", child)]


def _command(path: str, command: Any) -> str:
    rows = [
        f"| {_spelled(one)} | {_default(one)} | {_plain(one.help)} |" for one in command.params if one.name != "help"
    ]
    table = "\n".join(["| option | default | what it is |", "|---|---|---|", *rows])
    return f"## {path}\n\n{_plain(command.help)}\n\n" + (table if rows else "It takes nothing.")


def _spelled(parameter: Any) -> str:
    optional = parameter.param_type_name == "option"
    return ", ".join(f"`{word}`" for word in parameter.opts) if optional else f"`{parameter.name.upper()}`"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    silent = value is None or value is False or value == () or callable(value)
    return "" if silent else f"`{value}`"


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", r"\|").replace("<", r"\<")

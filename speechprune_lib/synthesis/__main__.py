"""`python -m speechprune_lib.synthesis FOLDER`: speak `FOLDER/texts/*.jsonl` into a benchmark in that folder."""

from pathlib import Path

import typer

from .build import build


def main(folder: Path) -> None:
    """Write FOLDER/{split}.jsonl and FOLDER/audio/*.mp3 from FOLDER/texts/*.jsonl (needs flite)."""
    build(folder / "texts", folder)


if __name__ == "__main__":
    typer.run(main)

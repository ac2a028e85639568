"""The pages: jupyter-book over the executed copies, every warning an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .toc import ROOT

SITE = Path("_build/html")


def render(root: Path = ROOT) -> Path:
    """Render the book; returns its first page. Raises CalledProcessError on any warning."""
    start = "from jupyter_book.cli.main import main; main()"  # the package has no `-m` door
    command = [sys.executable, "-c", start, "build", str(root), "-n", "-W", "--keep-going"]
    subprocess.run(command, cwd=root, check=True)
    return root / SITE / "index.html"

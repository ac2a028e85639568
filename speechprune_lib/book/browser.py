"""Chromium, as the machine has it: what prints the book and what the browser tests look through."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..packages import needed

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


def chromium() -> str:
    """Path of the browser: CHROMIUM, or the first of `NAMES` that there is. Raises FileNotFoundError for none."""
    named = os.environ.get("CHROMIUM")
    found = [path for path in map(shutil.which, [named] if named else NAMES) if path]
    if not found:
        looked = named or ", ".join(NAMES)
        raise FileNotFoundError(
            f"no browser {looked}: install Chromium (Debian: apt install chromium), or set CHROMIUM"
        )
    return found[0]


@contextmanager
def open_browser() -> Iterator[Any]:
    """A headless browser of Playwright's, with an empty profile; closed at the end. Raises as `chromium`."""
    path = chromium()
    playwright = needed("playwright.sync_api", "a browser", "browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()

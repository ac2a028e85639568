"""The rendered book as its readers meet it: in Chromium, wide and narrow, light and dark (make test-browser)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from speechprune_lib.book.browser import open_browser
from speechprune_lib.book.toc import pages_in_order
from speechprune_lib.packages import needed

pytestmark = pytest.mark.browser

WIDTHS, SCHEMES = (1400, 390), ("light", "dark")
GRAVE = {"serious", "critical"}
TIMEOUT_MS = 120_000
"""Generous: the machine may be busy, and nothing here is about speed."""
CHAPTER = "notebooks/16_one_clip"
IS_OURS = """selectors => selectors.map(selector => {
    const element = document.querySelector(selector);
    return Boolean(element?.closest("article.bd-article")) && !element.closest(".sig dl, .citation-list");
})"""
"""What axe finds is ours in the text, but for the lists as which Sphinx lays out long signatures and the bibliography."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")  # closed before another module's: Playwright has one at a time
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


class Tab:
    """A page at one width in one scheme; what goes wrong on it is kept."""

    def __init__(self, browser: Any, address: str, width: int = 1400, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page, self.address, self.wrong = self.context.new_page(), address, []
        self.page.on("console", lambda one: self.wrong.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self._note_failed)
        self.page.on("request", self._note_foreign)

    def open(self, name: str) -> Any:
        self.page.goto(f"{self.address}/{name}.html", wait_until="load")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        return self.page

    def _note_failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before all was there
            self.wrong.append(f"not loaded: {request.url} ({request.failure})")

    def _note_foreign(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self.wrong.append(f"asks another server: {request.url}")


@pytest.fixture
def tab(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Tab]:
    opened = Tab(browser, address, *getattr(request, "param", ()))
    yield opened
    opened.context.close()


@pytest.mark.parametrize("tab", [(w, s) for w in WIDTHS for s in SCHEMES], indirect=True, ids=str)
def test_every_page_loads_without_errors_and_fits(tab: Tab) -> None:
    wrong: list[str] = []
    for name in [*pages_in_order(), "search", "genindex"]:
        page = tab.open(name)
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{name} is {wide} px wider than the window"] if wide > 1 else []
        wrong += [f"{name}: {what}" for what in tab.wrong]
        tab.wrong.clear()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("tab", [(1400, scheme) for scheme in SCHEMES], indirect=True, ids=str)
def test_nothing_of_ours_shuts_readers_out(tab: Tab, capsys: pytest.CaptureFixture[str]) -> None:
    """axe-core over every article; what the theme itself has around it is told and not judged."""
    axe = needed("axe_playwright_python.sync_playwright", "a look at accessibility", "browser").Axe()
    ours: list[str] = []
    theirs: set[str] = set()
    for name in pages_in_order():
        page = tab.open(name)
        for found in axe.run(page).response["violations"]:
            if found["impact"] not in GRAVE:
                continue
            places = [str(node["target"][0]) for node in found["nodes"]]
            judged = zip(places, page.evaluate(IS_OURS, places), strict=True)
            own = [place for place, is_ours in judged if is_ours]
            ours += [f"{name}: {found['id']} ({found['help']}) at {own[:3]}"] if own else []
            theirs |= {f"{found['id']} ({found['impact']})"} if len(own) < len(places) else set()
    with capsys.disabled():
        print("\naxe-core, whole pages with the theme:", ", ".join(sorted(theirs)) or "nothing serious")
    assert not ours, "\n".join(ours)


def test_search_finds_what_the_book_is_about(tab: Tab) -> None:
    page = tab.open("search")
    page.goto(f"{tab.address}/search.html?q=binarized")
    page.wait_for_selector("#search-results li a")
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.href)")
    assert any("03_binarized_attention" in link for link in found), found


def test_players_play(tab: Tab) -> None:
    for name in ("book/intro", CHAPTER, "notebooks/10_your_own_audio"):
        players = tab.open(name).locator("audio")
        assert players.count() > 0
        for number in range(players.count()):
            heard = players.nth(number).evaluate(
                """async player => {
                    player.muted = true;
                    await player.play();
                    await new Promise(done => player.addEventListener("timeupdate", done, { once: true }));
                    player.pause();
                    return [player.duration, player.currentTime];
                }"""
            )
            assert heard[0] > 0.5 and heard[1] >= 0, (name, number, heard)


def test_tables_of_numbers_sort(tab: Tab) -> None:
    page = tab.open(CHAPTER)
    table = page.locator("table.dataframe", has_text="after phase 2").first
    column = "rows => [...rows].map(row => Number(row.cells[1].textContent))"
    head = table.locator("th button.sort", has_text="tokens")
    head.click()
    rising = table.locator("tbody tr").evaluate_all(column)
    assert rising == sorted(rising) and len(set(rising)) > 1
    head.click()
    assert table.locator("tbody tr").evaluate_all(column) == sorted(rising, reverse=True)
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert tab.open("book/departures").locator("button.sort").count() == 0, "its order is the equations'"


def test_the_scheme_can_be_switched(tab: Tab) -> None:
    page = tab.open("book/intro")
    shown = {page.evaluate("() => document.documentElement.dataset.theme")}
    for _ in range(3):
        page.locator("button.theme-switch-button").first.click()
        shown.add(page.evaluate("() => document.documentElement.dataset.theme"))
    assert shown == {"light", "dark"}


def test_formulas_are_drawn(tab: Tab) -> None:
    page = tab.open("notebooks/02_similarity")
    assert page.locator("mjx-container svg").count() > 3
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0


def test_solutions_are_folded_and_open(tab: Tab) -> None:
    page = tab.open(CHAPTER)
    solution = page.locator("details.sd-dropdown", has_text="Solution").first
    assert solution.get_attribute("open") is None
    solution.locator("summary").click()
    assert solution.get_attribute("open") is not None

"""The pictures of the README, made again: ``python -m tests.e2e.screenshots [FOLDER]``.

Starts a server and the browser, as the tests do, and writes to service/pages/screenshots/.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from service.store import open_store
from tests.conftest import ROOT, require_program
from tests.e2e.conftest import ARGUMENTS
from tests.server import serving
from tests.stored import add_cards, answer_cards

FOLDER = ROOT / "service/pages/screenshots"


def _as_it_comes(page: Page) -> None:
    """Nothing to do."""


def _edited(page: Page) -> None:
    """What-if: a failing kidney."""
    page.locator("[data-of=dial-gfr]").fill("24")
    page.locator(".notice.whatif").wait_for()


def _stages(page: Page) -> None:
    """From the chart down, with a dose that was given."""
    page.locator("#course-title").evaluate("e => e.closest('section').scrollIntoView()")


def _card(page: Page) -> None:
    page.locator("#cards").evaluate("e => e.scrollIntoView()")


def _levels(page: Page) -> None:
    page.locator("#levels").evaluate("e => e.scrollIntoView()")


def _ledger(page: Page) -> None:
    page.locator("#ledger").evaluate("e => e.scrollIntoView()")


# (rule, indicator, cards a week, of them accepted and overridden), made up for the picture.
_MADE_UP = (
    ("severe", "critical", (2, 1, 3, 2, 2, 4), 2, 0),
    ("moderate", "warning", (5, 6, 4, 7, 5, 6), 3, 1),
    ("mild", "info", (4, 3, 5, 4, 6, 3), 1, 2),
    ("N1", "warning", (3, 4, 2, 3, 4, 5), 2, 1),
    ("D1", "critical", (0, 1, 0, 1, 0, 0), 1, 0),
)


def _fill(folder: Path) -> None:
    """Six weeks of cards and answers in the store of the server that runs in ``folder``."""
    store = open_store(f"sqlite:///{folder}/repletion.db")
    now = datetime.now(UTC)
    for rule, indicator, weeks, accepted, overridden in _MADE_UP:
        for week, count in enumerate(weeks):
            at = now - timedelta(days=7 * week)
            cards = add_cards(store, count, at, rule=rule, indicator=indicator)
            end = accepted + overridden
            answer_cards(store, cards[:accepted], "accepted", at)
            answer_cards(store, cards[accepted:end], "overridden", at, "already-treated")
    store.engine.dispose()


@dataclass(frozen=True)
class Shot:
    """``prepare`` brings the page into the state that is shown."""

    name: str
    path: str
    width: int
    scheme: Any
    prepare: Callable[[Page], None] = _as_it_comes


SHOTS = (
    Shot("workbench", "", 1440, "light"),
    Shot("workbench-what-if", "?example=severe-patient-view", 1440, "dark", _edited),
    Shot("workbench-stages", "", 1440, "light", _stages),
    Shot("workbench-phone", "", 360, "light", _card),
    Shot("protocol", "protocol", 1440, "light", _levels),
    Shot("protocol-statements", "protocol?verdict=rejected", 1440, "dark", _ledger),
    Shot("outcomes", "outcomes", 1440, "light"),
)


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    program = str(require_program("chromium"))
    with (
        tempfile.TemporaryDirectory() as store,
        serving(Path(store)) as server,
        sync_playwright() as playwright,
    ):
        _fill(Path(store))
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for shot in SHOTS:
            size: Any = {"width": shot.width, "height": 820}
            page = browser.new_page(viewport=size, color_scheme=shot.scheme)
            page.goto(f"http://127.0.0.1:{server.port}/{shot.path}")
            shot.prepare(page)
            page.screenshot(path=folder / f"{shot.name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

"""The pictures of the README, made again: ``python -m tests.e2e.screenshots [FOLDER]``.

Starts a server and the browser, as the tests do, and writes to service/pages/screenshots/.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.conftest import ROOT, require_program
from tests.e2e.conftest import ARGUMENTS
from tests.server import serving

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
)


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    program = str(require_program("chromium"))
    with (
        tempfile.TemporaryDirectory() as store,
        serving(Path(store)) as server,
        sync_playwright() as playwright,
    ):
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

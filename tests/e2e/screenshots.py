"""The pictures of the README, made again: ``python -m tests.e2e.screenshots [FOLDER]``.

Starts a server and the browser, as the tests do, and writes to service/pages/screenshots/.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tests.conftest import ROOT, require_program
from tests.e2e.conftest import ARGUMENTS, HEIGHT
from tests.server import serving

FOLDER = ROOT / "service/pages/screenshots"
SHOTS: tuple[tuple[str, str, int, Any], ...] = (
    ("workbench", "", 1440, "light"),
    ("workbench-dark", "", 1440, "dark"),
    ("workbench-phone", "", 360, "light"),
    ("workbench-phone-dark", "", 360, "dark"),
)


def take(page: Page, folder: Path, name: str, *, whole: bool = False) -> None:
    page.screenshot(path=folder / f"{name}.png", full_page=whole)


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    program = str(require_program("chromium"))
    with (
        tempfile.TemporaryDirectory() as store,
        serving(Path(store)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for name, path, width, scheme in SHOTS:
            size: Any = {"width": width, "height": HEIGHT[width]}
            page = browser.new_page(viewport=size, color_scheme=scheme)
            page.goto(f"http://127.0.0.1:{server.port}/{path}")
            take(page, folder, name, whole=width == 360)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

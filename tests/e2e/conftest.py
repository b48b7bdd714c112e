"""Debian's Chromium on a server of our own, for every test of the pages.

`visit("protocol", width=360, scheme="dark")` opens a page of the running server and returns
Playwright's Page. When the test ends, anything the browser complained of, and any request to
another host, fails it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.conftest import require_program
from tests.server import Server, serving

# No services of Google's: without them the browser starts faster, and asks nobody.
ARGUMENTS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 20_000  # on a loaded machine; nothing waits that long otherwise
HEIGHT = {360: 780, 1440: 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            for mark in ("browser", "loopback", "real_clock"):
                item.add_marker(getattr(pytest.mark, mark))


# One of each for the folder, not for the session: Playwright's event loop must not run while
# other tests do.
@pytest.fixture(scope="package")
def browser(loopback: None, real_clock: None) -> Iterator[Browser]:
    program = require_program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(program), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="package")
def server(
    loopback: None, real_clock: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The server as `make run` starts it: open, on loopback, its store a new SQLite file."""
    require_program("chromium")
    with serving(tmp_path_factory.mktemp("pages")) as started:
        yield started


@dataclass
class Visitor:
    """Opens pages, each in a browser context of its own; ``faults`` is what went wrong there."""

    browser: Browser
    server: Server
    faults: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/"

    def __call__(
        self, path: str = "", *, width: int = 1440, scheme: Any = "light", **options: Any
    ) -> Page:
        """The page at ``path`` (relative); ``options`` are those of Browser.new_context."""
        size = {"width": width, "height": HEIGHT.get(width, 900)}
        context = self.browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=scheme,
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(WAIT_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("dialog", lambda dialog: (self.faults.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: self._sent(request.url))
        page.goto(self.base + path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _sent(self, url: str) -> None:
        if not url.startswith((self.base, "data:", "blob:" + self.base)):
            self.faults.append(f"a request to another host: {url}")


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visitor]:
    visitor = Visitor(browser, server)
    yield visitor
    for context in visitor.contexts:
        context.close()
    assert visitor.faults == []


def axe(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its own best practices, one line each."""
    page.evaluate(require_program("axe").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {json.dumps(node['target'])}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]

"""What holds for every page (pages.PAGES): light, dark, telephone, desk, keyboard, paper."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Visitor, axe
from tests.e2e.pages import PAGES, Case

pytestmark = pytest.mark.needs("chromium", "axe")
every_page = pytest.mark.parametrize("case", PAGES, ids=lambda case: case.name)
Visit = Callable[..., Page]


@every_page
@pytest.mark.parametrize("width", [360, 1440])
def test_it_reads_well(case: Case, width: int, visit: Visitor) -> None:
    page = visit(case.path, width=width)
    case.prepare(page)
    assert page.locator("h1").inner_text() == case.heading
    # Nothing lies beside the screen: what is wider scrolls in a box of its own.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe(page) == []
    page.emulate_media(color_scheme="dark")
    assert axe(page) == []


@every_page
def test_the_keyboard_reaches_it(case: Case, visit: Visitor) -> None:
    page = visit(case.path)
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    assert skip.evaluate("e => e.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("nav a[aria-current=page]").count() == 1


@every_page
def test_it_prints(case: Case, visit: Visitor) -> None:
    page = visit(case.path)
    case.prepare(page)
    page.emulate_media(media="print")
    assert page.locator("h1").is_visible()
    assert not page.locator("nav").first.is_visible()


@every_page
def test_nothing_is_let_in_from_elsewhere(case: Case, visit: Visitor) -> None:
    page = visit(case.path)
    answer = page.request.get(visit.base + case.path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    inline = "document.querySelectorAll('[style], style, script:not([src]):not([type])').length"
    assert page.evaluate(inline) == 0

"""The pages to which every check of test_every_page.py applies.

A new page, or a state of one that looks different, gets a line here and is then tested in light and
dark, at 360 px and 1440 px, with axe-core, for console errors and for requests to other hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page


def _as_it_comes(page: Page) -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Case:
    """``prepare`` brings the page into the state that is checked; it waits until it is there."""

    name: str
    path: str
    heading: str
    prepare: Callable[[Page], None] = _as_it_comes


def _with_a_problem(page: Page) -> None:
    page.locator("#own summary").click()
    page.locator("#text").fill('{"hook": oops}')
    page.get_by_role("button", name="Decide", exact=True).click()
    page.locator("#problems .goto").wait_for()


def _everything_open(page: Page) -> None:
    page.locator("details").evaluate_all("all => all.forEach(d => { d.open = true; })")
    page.locator("#json-in").wait_for()


def _edited(page: Page) -> None:
    page.locator("#whatif").evaluate("d => { d.open = true; }")
    page.locator("#dial-gfr").fill("22")
    page.locator(".notice.whatif").wait_for()


PAGES = [
    Case("workbench", "", "Workbench"),
    Case("workbench-open", "?example=torsades", "Workbench", _everything_open),
    Case("workbench-whatif", "?example=severe-patient-view", "Workbench", _edited),
    Case("workbench-problem", "", "Workbench", _with_a_problem),
]

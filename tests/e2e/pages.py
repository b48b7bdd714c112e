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


PAGES = [
    Case("workbench", "", "Workbench"),
]

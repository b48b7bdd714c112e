"""The pages to which every check of test_every_page.py applies.

A new page, or a state of one that looks different, gets a line here and is then tested in light and
dark, at 360 px and 1440 px, with axe-core, for console errors and for requests to other hosts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from playwright.sync_api import Page

from service.cdshooks.fixture import read_fixture

HOOKS = Path(__file__).parents[2] / "fixtures" / "hooks"
_TITLE = "Magnesium repletion in adults, standard"


def _as_it_comes(page: Page) -> None:
    """Nothing to do."""


@dataclass(frozen=True)
class Case:
    """``prepare`` brings the page into the state that is checked; it waits until it is there."""

    name: str
    path: str
    heading: str
    prepare: Callable[[Page], None] = _as_it_comes


def with_cards(page: Page) -> None:
    """Cards of several kinds, one of them answered; then the page again, all of it open."""
    base = page.url.split("outcomes")[0]
    for name in ("severe-patient-view", "mild-ambulatory", "sixteen-grams-at-sign"):
        fixture = read_fixture((HOOKS / f"{name}.json").read_bytes())
        assert fixture is not None
        now = datetime.now(UTC)
        # A server of its own, so that what is answered here is quiet nowhere else.
        server = f"https://{uuid4()}.example.org"
        own = {"hookInstance": str(uuid4()), "fhirServer": server}
        body = replace(fixture, request=fixture.request | own).body(now)
        service = f"{base}cds-services/{fixture.service}"
        json_ = {"Content-Type": "application/json"}
        cards = page.request.post(service, data=body, headers=json_).json()["cards"]
        item = {"outcome": "overridden", "outcomeTimestamp": now.isoformat()}
        for card in cards if name == "mild-ambulatory" else []:
            answer = {"feedback": [item | {"card": card["uuid"]}]}
            assert page.request.post(f"{service}/feedback", data=answer).status == 200
    for _ in range(60):  # what was shown is written a moment later
        page.reload()
        if all(page.locator("tr", has_text=rule).count() for rule in ("D4", "mild", "severe")):
            break
        page.wait_for_timeout(250)
    for summary in page.locator("summary").all():
        summary.click()


def with_gaps(page: Page) -> None:
    """A laboratory's own code and a unit that is not known; the entry for the file open."""
    base = page.url.split("gaps")[0]
    fixture = read_fixture((HOOKS / "severe-patient-view.json").read_bytes())
    assert fixture is not None
    request = json.loads(fixture.body(datetime.now(UTC)))
    for entry in request["prefetch"]["potassium"]["entry"]:
        coding = {"system": "urn:oid:1.2.3", "code": "K-PLAS", "display": "K"}
        entry["resource"]["code"] = {"coding": [coding], "text": "Kalium"}
    json_ = {"Content-Type": "application/json"}
    sent = json.dumps(request | {"hookInstance": str(uuid4())})
    page.request.post(f"{base}cds-services/{fixture.service}", data=sent, headers=json_)
    for _ in range(60):
        page.reload()
        if page.locator("td", has_text="K-PLAS").count():
            break
        page.wait_for_timeout(250)
    page.locator("summary").first.click()


def _opened(page: Page) -> None:
    """What the check remarks on, and the statements filtered: both look different."""
    page.locator("summary").first.click()
    page.get_by_label("verdict", exact=True).select_option("rejected")


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
    Case("protocol", "protocol", _TITLE, _opened),
    Case(
        "protocol: other profile",
        "protocol?profile=slow-infusion",
        "Magnesium repletion in adults, slow infusion",
    ),
    Case("outcomes", "outcomes?rule=D99", "Outcomes"),
    Case("outcomes: with cards", "outcomes", "Outcomes", with_cards),
    Case("gaps", "gaps", "Gaps"),
    Case("gaps: with rows", "gaps", "Gaps", with_gaps),
    Case("workbench-open", "?example=torsades", "Workbench", _everything_open),
    Case("workbench-whatif", "?example=severe-patient-view", "Workbench", _edited),
    Case("workbench-problem", "", "Workbench", _with_a_problem),
]

"""The page of outcomes in a browser: a card that is answered is counted; the filters; the CSV."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Visitor
from tests.e2e.pages import PAGES

pytestmark = pytest.mark.needs("chromium")
CARDS = next(case for case in PAGES if case.name == "outcomes: with cards")


def test_an_answer_is_counted_and_the_filters_keep_it_in_view(visit: Visitor) -> None:
    page = visit(CARDS.path)
    CARDS.prepare(page)
    mild = page.locator("section", has=page.locator("#rules")).locator("tr", has_text="mildly low")
    before = int(mild.locator("td.number").nth(2).inner_text())
    assert before >= 1
    page.get_by_label("rule", exact=True).select_option("D4")
    page.get_by_label("hook", exact=True).select_option("order-sign")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/outcomes?days=90&service=magnesium-order-sign&rule=D4&mode=")
    expect(page.get_by_label("rule", exact=True)).to_have_value("D4")
    expect(mild).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename == "repletion-outcomes.csv"
    assert text.startswith("by,group,shown")
    assert "D4 critical" in text
    assert "mild" not in text
    # A rule leads to its place in the protocol.
    page.get_by_role("link", name="D4", exact=True).click()
    expect(page.locator("#rule-D4")).to_be_in_viewport()

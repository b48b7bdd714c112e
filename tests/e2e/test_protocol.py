"""The page of the protocol in a browser: the filter with and without JavaScript, links, a phone."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Page, expect

from service.pages.sheet import standalone
from tests.e2e.conftest import Visitor
from tests.test_protocol_page import HOSTILE, hostile

pytestmark = pytest.mark.needs("chromium")


def shown(page: Page) -> list[str]:
    """The ids of the statements that can be seen, once the page is there to its end."""
    page.wait_for_load_state("load")
    rows: list[str] = page.locator("#statements tbody tr:visible th").all_inner_texts()
    return rows


def test_the_filter_follows_the_hand(visit: Visitor) -> None:
    page = visit("protocol")
    assert len(shown(page)) == 125
    page.get_by_label("verdict", exact=True).select_option("rejected")
    expect(page.locator("#ledger-count")).to_have_text("13 of 125 statements")
    assert len(shown(page)) == 13
    page.get_by_label("article", exact=True).select_option("S3")
    page.get_by_label("words", exact=True).fill("push 150")
    expect(page.locator("#ledger-count")).to_have_text("1 of 125 statements")
    assert shown(page) == ["S3-05"]
    # The address can be sent to a colleague, whose browser shows the same.
    page.wait_for_url("**/protocol?verdict=rejected&article=S3&q=push+150#ledger")
    other = visit(page.url.removeprefix(visit.base))
    assert shown(other) == ["S3-05"]
    page.get_by_label("words", exact=True).fill("nobody says this")
    expect(page.locator("#ledger-none")).to_be_visible()
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator("#ledger-count")).to_have_text("125 of 125 statements")
    page.wait_for_url("**/protocol#ledger")


def test_the_filter_works_without_javascript(visit: Visitor) -> None:
    page = visit("protocol", java_script_enabled=False)
    page.get_by_label("verdict", exact=True).select_option("rejected")
    page.get_by_label("words", exact=True).fill("push")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/protocol?verdict=rejected&article=&topic=&q=push#ledger")
    assert shown(page) == ["S3-05"]
    assert page.get_by_label("words", exact=True).input_value() == "push"
    page.get_by_role("link", name="All", exact=True).click()
    page.wait_for_url("**/protocol#ledger")
    assert len(shown(page)) == 125


def test_a_link_to_a_statement_that_is_filtered_out_shows_it(visit: Visitor) -> None:
    page = visit("protocol?verdict=rejected")
    page.locator("#limit-infusion_rate a.statement", has_text="S0-11").click()
    expect(page.locator("#statement-S0-11")).to_be_in_viewport()
    assert len(shown(page)) == 125


def test_where_a_card_leads_can_be_seen(visit: Visitor) -> None:
    page = visit("protocol#rule-D1")
    expect(page.locator("#rule-D1")).to_be_in_viewport()
    ground = "getComputedStyle(document.getElementById('{}')).backgroundColor"
    assert page.evaluate(ground.format("rule-D1")) != page.evaluate(ground.format("rule-D3"))
    # From a number to its source, and to what the file says of the product.
    page.locator("#limit-infusion_rate a.source", has_text="L50").click()
    expect(page.locator("#source-L50")).to_be_in_viewport()


@pytest.mark.parametrize("width", [360, 1440])
def test_no_number_is_cut_off(visit: Visitor, width: int) -> None:
    page = visit("protocol", width=width)
    # On a telephone no table scrolls sideways: its rows are blocks.
    wide = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth + 1)"
        ".map(b => b.getAttribute('aria-label'))"
    )
    assert wide == []


def test_a_table_of_blocks_is_still_a_table(visit: Visitor) -> None:
    page = visit("protocol", width=360)
    table = page.get_by_role("table").filter(has=page.locator("#limit-infusion_rate"))
    assert table.get_by_role("columnheader").count() == 4
    row = page.locator("#limit-infusion_rate")
    assert row.get_by_role("rowheader").count() == 1
    assert row.get_by_role("cell").count() == 3
    value = row.get_by_role("cell").first
    assert value.inner_text() == "150 mg/min"
    assert value.evaluate("e => getComputedStyle(e, '::before').content") == '"value"'


def test_paper_has_the_tables_and_not_the_controls(visit: Visitor) -> None:
    page = visit("protocol")
    page.emulate_media(media="print")
    for hidden in (".contents", "form.filter", ".top nav"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("#limit-infusion_rate").is_visible()
    display = "getComputedStyle(document.querySelector('{}')).{}"
    assert page.evaluate(display.format("table.sheet thead", "display")) == "table-header-group"
    assert page.evaluate(display.format("table.sheet tbody tr", "breakInside")) == "avoid"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_hostile_text_does_nothing_in_the_page_as_a_file(visit: Visitor) -> None:
    """As a file the page has no headers that would stop a script."""
    page = visit("outcomes").context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: dialogs.append(str(error)))
    page.set_content(standalone(hostile(), date(2026, 12, 1), "1"))
    assert page.locator("#rule-D7").inner_text().count("<script>alert(1)</script>") >= 1
    page.locator("#rule-D7").click()
    page.get_by_label("words", exact=True).fill(HOSTILE)
    expect(page.locator("#ledger-count")).to_have_text("0 of 125 statements")
    assert page.locator("img").count() == 0
    assert page.evaluate("document.scripts.length") == 1
    assert dialogs == []

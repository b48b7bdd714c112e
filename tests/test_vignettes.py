"""Every row of every table in ``vignettes/``, through the production reading."""

from __future__ import annotations

import pytest

from tests.vignette import (
    NOW,
    SERVICE_IDS,
    Row,
    all_rows,
    build_request,
    cards_for,
    offers,
    run,
)

ROWS = all_rows()
STARRED = [
    row
    for row in ROWS
    if row.hook == "patient-view"
    and row.recommended not in ("no drug", "none starred", "oral only", "any")
]


def ids(rows: list[Row]) -> list[object]:
    return [pytest.param(row, id=row.id) for row in rows]


@pytest.mark.parametrize("row", ids(ROWS))
def test_row(row: Row) -> None:
    found = run(row)
    assert not found, f"{row.inputs}\n  " + "\n  ".join(found) + f"\n  source: {row.source}"


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("row", ids(STARRED))
def test_an_accepted_order_is_not_offered_again(row: Row, hook: str) -> None:
    """The recommended order sent back as the draft is right: no drug, nothing above info."""
    view = cards_for(build_request(row.hook, row.inputs), SERVICE_IDS[row.hook], NOW)
    accepted = [offer.order for offer in offers(view) if offer.recommended]
    assert len(accepted) == 1, f"{row.inputs}: nothing to accept"
    request = build_request(hook, row.inputs)
    context = request["context"]
    context["draftOrders"]["entry"] = [{"resource": accepted[0]}]
    if hook == "order-select":
        context["selections"] = [f"MedicationRequest/{accepted[0]['id']}"]
    again = cards_for(request, SERVICE_IDS[hook], NOW)
    assert [offer.shorthand for offer in offers(again)] == [], row.inputs
    worse = [card["summary"] for card in again["cards"] if card["indicator"] != "info"]
    assert worse == [], row.inputs

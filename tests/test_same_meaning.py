"""What a record means decides, not how it is spelt; and what cannot be read makes nothing bolder.

Over the requests of all vignettes: (a) each spelling of ``tests.spelling.SAME`` gives the same
card; (b) with a part made unreadable no parenteral drug is added, none is larger, and where the
service spoke it speaks. (c) Data removed whole is outside: see test_properties.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from service.answer import answer
from tests.spelling import SAME, UNREADABLE
from tests.vignette import NOW, SERVICE_IDS, Row, all_rows, build_request, offers

Json = dict[str, Any]
ROWS = all_rows()
EACH = 6  # rows for each spelling


def sample(name: str, rows: list[Row]) -> list[Row]:
    return random.Random(f"15-{name}").sample(rows, min(EACH, len(rows)))


def drawn(names: dict[str, Any], rows: list[Row]) -> list[Any]:
    return [
        pytest.param(name, row, id=f"{name}-{row.id}")
        for name in names
        for row in sample(name, rows)
    ]


def response(request: Json) -> Json:
    found: Json = json.loads(
        answer(json.dumps(request).encode(), SERVICE_IDS[request["hook"]], NOW).body
    )
    return found


def told(answered: Json) -> list[Any]:
    """What a clinician sees of an answer, and what would be ordered; a draft that is sent back
    corrected keeps its own spelling."""
    return [
        [
            card["indicator"],
            card["summary"],
            card["detail"],
            [
                [
                    suggestion["label"],
                    suggestion.get("isRecommended"),
                    [
                        [
                            action["type"],
                            action.get("description"),
                            action.get("resourceId"),
                            action.get("resource") if action["type"] == "create" else None,
                        ]
                        for action in suggestion.get("actions", [])
                    ],
                ]
                for suggestion in card.get("suggestions", [])
            ],
        ]
        for card in answered["cards"]
    ]


@pytest.mark.parametrize(("name", "row"), drawn(SAME, ROWS))
def test_spelt_otherwise_it_is_the_same_card(name: str, row: Row) -> None:
    request = build_request(row.hook, row.inputs)
    assert told(response(SAME[name](request))) == told(response(request)), row.inputs


def grams(order: Json) -> float:
    dose = order["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
    return float(dose["value"])


@pytest.mark.parametrize(("name", "row"), drawn(UNREADABLE, ROWS))
def test_what_cannot_be_read_makes_nothing_bolder(name: str, row: Row) -> None:
    request = build_request(row.hook, row.inputs)
    before, after = response(request), response(UNREADABLE[name](request))
    check(before, after, row, name)


def check(before: Json, after: Json, row: Row, name: str) -> None:
    parenteral = {o.shorthand: grams(o.order) for o in offers(before) if not _is_oral(o.shorthand)}
    now = {o.shorthand: grams(o.order) for o in offers(after) if not _is_oral(o.shorthand)}
    assert now.keys() <= parenteral.keys(), row.inputs
    assert max(now.values(), default=0) <= max(parenteral.values(), default=0), row.inputs
    starred = {o.shorthand for o in offers(before) if o.recommended}
    star = {o.shorthand for o in offers(after) if o.recommended and not _is_oral(o.shorthand)}
    assert star <= starred, row.inputs
    if before["cards"] and not may_fall_silent(name, before):
        assert after["cards"], row.inputs


def may_fall_silent(name: str, before: Json) -> bool:
    """What a condition alone made us say (torsades at a normal level), and a hint that rested on
    an order alone (N8), is not said when nobody can read it: protocol section 0 names no card
    for that."""
    hint = all(card["indicator"] == "info" for card in before["cards"])
    return name.startswith("conditions") or (hint and name.startswith("orders"))


def _is_oral(shorthand: str) -> bool:
    return shorthand.removeprefix("alt ").startswith("po")

"""Every card of every vignette and fixture: CDS Hooks 3.0, our schema, valid R4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cards.card import faults
from service.answer import answer
from service.cdshooks.fixture import read_fixture
from service.cdshooks.schema import complaints
from tests.contract.golden import HOOKS, response
from tests.contract.shapes import Json
from tests.vignette import NOW, SERVICE_IDS, Row, all_rows, build_request
from tests.vignette.invariants import broken

ROWS = all_rows()


def cds_resp(card: Json) -> Iterator[str]:
    """The invariants of CDS Hooks 3.0, cds-resp-1 to cds-resp-7, as far as one card goes."""
    suggestions = card.get("suggestions", [])
    if suggestions and "selectionBehavior" not in card:
        yield "suggestions need a selectionBehavior"
    if sum(bool(s.get("isRecommended")) for s in suggestions) > 1:
        yield "at-most-one, and several are recommended"
    for reason in card.get("overrideReasons", []):
        if not reason.get("display"):
            yield "an override reason without display"
    for link in card.get("links", []):
        if link.get("type") not in ("absolute", "smart"):
            yield "a link of unknown type"
        if link.get("appContext") and link["type"] != "smart":
            yield "appContext on a link that is not smart"
    for suggestion in suggestions:
        for action in suggestion["actions"]:
            kind = action["type"]
            if kind in ("create", "update") and "resource" not in action:
                yield f"a {kind} without a resource"
            if kind == "delete" and "resourceId" not in action:
                yield "a delete without a resourceId"
            if kind == "delete" and "resource" in action:
                yield "a delete with a resource"


def problems(body: bytes) -> list[str]:
    found = json.loads(body)
    said = [f"{issue}" for issue in complaints("response", found)] + list(broken(found))
    for card in found["cards"]:
        said += cds_resp(card)
        uuids = [card["uuid"], *(s["uuid"] for s in card.get("suggestions", []))]
        if len(set(uuids)) != len(uuids) or any(str(UUID(each)) != each for each in uuids):
            said.append("a uuid twice, or none")
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                said += faults(action["resource"]) if "resource" in action else []
    return said


def sent(row: Row) -> bytes:
    request = json.dumps(build_request(row.hook, row.inputs)).encode()
    return answer(request, SERVICE_IDS[row.hook], NOW).body


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_every_card_of_the_vignettes_is_valid(row: Row) -> None:
    assert problems(sent(row)) == []


@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: path.stem)
def test_every_card_of_the_fixtures_is_valid(hook: Path) -> None:

    assert problems(response(hook)) == []


@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: path.stem)
def test_every_card_that_links_to_its_protocol_is_valid(hook: Path) -> None:
    fixture = read_fixture(hook.read_bytes())
    assert fixture is not None
    page = "https://repletion.example.org/protocol"
    body = answer(fixture.body(NOW), fixture.service, NOW, page=page).body
    assert problems(body) == []
    for card in json.loads(body)["cards"]:
        assert card["source"]["url"].startswith(f"{page}?hash=")
        assert len(card["links"]) >= 1


def test_the_check_finds_what_is_wrong() -> None:
    body = json.loads(sent(next(row for row in ROWS if row.id == "band-1.1")))
    card = body["cards"][0]
    del card["selectionBehavior"]
    card["suggestions"][0]["actions"][0]["resource"]["status"] = "nonsense"
    card["overrideReasons"][0]["display"] = ""
    found = "\n".join(problems(json.dumps(body).encode()))
    for wanted in ("selectionBehavior", "status: 'nonsense'", "override reason"):
        assert wanted in found

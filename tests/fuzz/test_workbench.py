"""The workbench never fails on what is pasted into it or moved on it: mutants of fixtures, and of a
Bundle, with every control in use. The request that it shows gives at the hook what it shows."""

from __future__ import annotations

import html
import io
import json
import re
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.cdshooks.fixture import read_fixture
from service.config.settings import Settings
from service.observe import Observer
from service.pages.draft import DRUGS
from service.pages.whatif import DIALS, FLAGS
from service.server.app import create_app
from tests.contract.golden import HOOKS
from tests.fuzz.mutate import mutants

Json = dict[str, Any]
SERVICE = re.compile(r"/cds-services/magnesium-[a-z-]+")
NUMBERS = ("", "0", "1.1", "55", "1e400", "-3", "x", "0.0000001")


def as_bundle(request: Json) -> Json:
    """The resources of a request, as a Bundle."""
    entries: list[Json] = []
    for value in [*request.get("prefetch", {}).values(), request["context"].get("draftOrders")]:
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            entries += value.get("entry", [])
        elif isinstance(value, dict):
            entries.append({"resource": value})
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def moves(random: Random) -> list[tuple[str, str]]:
    """A hand on the controls."""
    found = [(dial.name, random.choice(NUMBERS)) for dial in DIALS if random.random() < 0.4]
    found += [("flag", flag.name) for flag in FLAGS if random.random() < 0.3]
    found += [("setting", random.choice(("", "AMB", "IMP", "?")))]
    found += [("order", random.choice(("", *DRUGS))), ("order-dose", random.choice(NUMBERS))]
    found += [(name, random.choice(NUMBERS)) for name in ("order-minutes", "order-perday")]
    found += [("hook", random.choice(("", "patient-view", "order-select", "order-sign", "?")))]
    found += [("profile", random.choice(("", "slow-infusion", "?")))]
    return found


def code(page: str, id_: str) -> str | None:
    found = re.search(rf'<code id="{id_}">(.*?)</code>', page, re.S)
    return None if found is None else html.unescape(found[1])


def run(path: Path, count: int, seed: int) -> None:
    found = read_fixture(path.read_bytes())
    assert found is not None
    log = io.StringIO()
    app = create_app(Settings(), now=lambda: found.now, observer=Observer(log))
    client = app.test_client()
    random = Random(f"{path.name} {seed}")
    compared = 0
    request = json.loads(found.body(found.now))
    for base in (request, as_bundle(request)):
        for made in islice(mutants(base, random), count):
            text = made.body.decode("utf-8", "replace")
            fields = [("action", "decide"), ("text", text), *moves(random)]
            answer = client.post("/workbench", json={"fields": fields})
            assert answer.status_code == 200, (made, fields[2:], log.getvalue()[-800:])
            parts = answer.get_json()
            assert set(parts) >= {"problems", "cards", "stages", "verdict"}
            sent, out = code(parts["stages"], "json-in"), code(parts["stages"], "json-out")
            if sent is None or ("profile", "slow-infusion") in fields:
                continue
            service = SERVICE.search(parts["stages"])
            assert service is not None
            again = client.post(service[0], data=sent.encode(), content_type="application/json")
            assert again.get_json() == json.loads(out or ""), (made, fields[2:])
            compared += 1
    assert compared > count // 2


@pytest.mark.parametrize("path", HOOKS, ids=lambda p: p.stem)
def test_a_mutant_never_breaks_the_page(path: Path) -> None:
    run(path, 25, 1)


@pytest.mark.slow
@pytest.mark.rotates
@pytest.mark.parametrize("path", HOOKS, ids=lambda p: p.stem)
def test_many_mutants_never_break_the_page(path: Path) -> None:
    run(path, 60, 2)

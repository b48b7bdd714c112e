"""Order-sign as test clients of prior authorisation send it, with an open FHIR server.

Their requests bring no data, or some under keys of their own, and an authorization without a
token; everything is on the server (tests/fhir_server), behind a proxy that folds slashes or not.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.answer import Answer, answer
from service.ehr import Ehr, read_hosts
from tests.contract.golden import HOOKS
from tests.contract.shapes import Json
from tests.fhir_server.folding import Folding
from tests.test_ehr_medplum import Medplum, fixture_of, sent_of

pytestmark = [pytest.mark.needs("node", "medplum"), pytest.mark.real_clock, pytest.mark.loopback]
SIGNED = fixture_of(next(hook for hook in HOOKS if hook.stem == "sixteen-grams-at-sign"))
PATIENT = SIGNED.request["context"]["patientId"]
LENT = {"token_type": "Bearer", "expires_in": 300, "subject": "test-client"}


@pytest.fixture(scope="module")
def server(loopback: None, require: Callable[[str], Path]) -> Iterator[Medplum]:
    started = Medplum(require("node"))
    started.hold(sent_of(SIGNED))
    yield started
    assert started.process.stdin is not None
    started.process.stdin.close()
    started.process.wait(timeout=10)


def drafts() -> list[Json]:
    entries: list[Json] = SIGNED.request["context"]["draftOrders"]["entry"]
    return json.loads(json.dumps([entry["resource"] for entry in entries]))  # type: ignore[no-any-return]


def request(*orders: Json, **more: Any) -> Json:
    entries = [{"resource": order} for order in orders or drafts()]
    context = SIGNED.request["context"] | {
        "draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": entries}
    }
    context |= more.pop("context", {})
    whole = SIGNED.request | {"context": context, "prefetch": {}}
    return whole | more


def with_insurance() -> Json:
    """Orders with the extension that names a coverage, which comes beside them."""
    orders = drafts()
    for order in orders:
        order["insurance"] = [{"reference": "Coverage/c1"}]
        order["reasonCode"] = [{"text": "low magnesium"}]
    coverage = {
        "resourceType": "Coverage",
        "id": "c1",
        "status": "active",
        "beneficiary": {"reference": f"Patient/{PATIENT}"},
        "payor": [{"reference": "Organization/o1"}],
    }
    found = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": coverage}]}
    return request(*orders, prefetch={"coverageBundle": found, "deviceRequestBundle": None})


def with_contained() -> Json:
    orders = drafts()
    for order in orders:
        drug = {"resourceType": "Medication", "id": "m", "code": order["medicationCodeableConcept"]}
        del order["medicationCodeableConcept"]
        order |= {"contained": [drug], "medicationReference": {"reference": "#m"}}
    return request(*orders)


SHAPES: dict[str, Callable[[], Json]] = {
    "no authorization": request,
    "an empty token": lambda: request(
        fhirAuthorization=LENT | {"access_token": "", "scope": "patient/*.read user/*.read"}
    ),
    "a token that is null": lambda: request(fhirAuthorization=LENT | {"access_token": None}),
    "an empty token, no scope": lambda: request(
        fhirAuthorization=LENT | {"access_token": "", "scope": ""}
    ),
    "prefetch of other keys": lambda: request(
        prefetch={"serviceRequestBundle": None, "practitioner": {"resourceType": "Practitioner"}}
    ),
    "no prefetch": lambda: {k: v for k, v in request().items() if k != "prefetch"},
    "coverage": with_insurance,
    "a contained drug": with_contained,
    "Patient/id": lambda: request(context={"patientId": f"Patient/{PATIENT}"}),
}


def asked(value: Json, url: str) -> Answer:
    ehr = Ehr(read_hosts(["127.0.0.1"]), 10)  # a busy machine is no fault here
    sent = json.dumps(value | {"fhirServer": url}).encode()
    return answer(sent, SIGNED.service, SIGNED.now, fetch=ehr)


def whole() -> Json:
    given = answer(json.dumps(SIGNED.request).encode(), SIGNED.service, SIGNED.now)
    found: Json = json.loads(given.body)["cards"]
    assert found
    return found


@pytest.mark.parametrize("proxied", [False, True], ids=["straight", "folding"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_cards_are_there(shape: str, proxied: bool, server: Medplum) -> None:
    with Folding("127.0.0.1", server.port) as proxy:
        given = asked(SHAPES[shape](), f"{proxy.url}/fhir" if proxied else server.url)
        assert bool(proxy.asked) == proxied
    assert not given.evidence.gaps.keys() - {"encounter"}
    cards = json.loads(given.body)["cards"]
    assert [(c["summary"], c["indicator"]) for c in cards] == [
        (c["summary"], c["indicator"]) for c in whole()
    ]
    assert cards[0]["suggestions"]


def test_the_proxy_does_fold_what_is_not_encoded(server: Medplum) -> None:
    with Folding("127.0.0.1", server.port) as proxy:
        found = []
        for system in ("http://loinc.org", "http%3A%2F%2Floinc.org"):
            connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=10)
            connection.request("GET", f"/fhir/Observation?code={system}%7C19123-9")
            found.append(json.loads(connection.getresponse().read()).get("total"))
            connection.close()
    assert found[0] == 0
    assert found[1]

"""The same cards from a FHIR server written by others, however much of it came as prefetch.

The server is Medplum's in-memory repository (npm, tests/fhir_server): its search, its sorting,
its reading of codes. ``npm ci --prefix tests/fhir_server`` installs it (.ci/run does).
"""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cards.evidence import NEED, NEEDS
from service.answer import Answer, answer
from service.cdshooks.fixture import Fixture, read_fixture
from service.ehr import Ehr, read_hosts
from service.errors import PatientMissing
from tests.contract.golden import HOOKS
from tests.contract.shapes import Json

pytestmark = [pytest.mark.needs("node", "medplum"), pytest.mark.real_clock]
SERVER = Path(__file__).parent / "fhir_server" / "server.mjs"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x"}]}
NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


class Medplum:
    """The server as a process, and what it was asked since the last look."""

    def __init__(self, node: Path) -> None:
        self.process = subprocess.Popen(
            [node, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}/fhir"

    def send(self, method: str, path: str, value: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(
            method, path, json.dumps(value), {"Content-Type": "application/fhir+json"}
        )
        answered = connection.getresponse()
        data = answered.read()
        assert answered.status in (200, 201), data
        return json.loads(data)

    def control(self, **settings: Any) -> list[str]:
        asked: list[str] = self.send("POST", "/control", settings)["asked"]
        return asked

    def hold(self, prefetch: Json) -> None:
        """Holds every resource of a prefetch, and nothing else."""
        self.control(clear=True)
        for value in prefetch.values():
            for resource in resources(value):
                self.send("PUT", f"/fhir/{resource['resourceType']}/{resource['id']}", resource)


@pytest.fixture(scope="module")
def medplum(loopback: None, require: Callable[[str], Path]) -> Iterator[Medplum]:
    server = Medplum(require("node"))
    yield server
    assert server.process.stdin is not None
    server.process.stdin.close()
    server.process.wait(timeout=10)


def resources(value: Json) -> list[Json]:
    if value["resourceType"] == "Bundle":
        return [entry["resource"] for entry in value.get("entry", [])]
    return [value]


def fixture_of(path: Path) -> Fixture:
    fixture = read_fixture(path.read_bytes())
    assert fixture is not None
    return fixture


def half(value: Json) -> Json:
    """The first page of a search result of which there are more."""
    entries = value.get("entry", [])
    return value | {"entry": entries[: len(entries) // 2], "link": NEXT}


SHAPES: dict[str, Callable[[Json], Json]] = {
    "full": lambda sent: sent,
    "none": lambda sent: {},
    "only the patient": lambda sent: {"patient": sent["patient"]},
    "null": lambda sent: dict.fromkeys(sent),
    "OperationOutcome": lambda sent: dict.fromkeys(sent, OUTCOME),
    "OperationOutcome in a Bundle": lambda sent: {
        name: OUTCOME if NEED[name].single else {"resourceType": "Bundle"} | entries(OUTCOME)
        for name in sent
    },
    "paged": lambda sent: {
        name: value if NEED[name].single else half(value) for name, value in sent.items()
    },
    "every second key": lambda sent: dict(list(sent.items())[::2]),
}


def entries(*found: Json) -> Json:
    return {"entry": [{"resource": resource} for resource in found]}


def sent_of(fixture: Fixture) -> Json:
    """What a fixture's request brings under the keys that the service asks for."""
    prefetch: Json = fixture.request.get("prefetch") or {}
    return {n.name: prefetch[n.name] for n in NEEDS if prefetch.get(n.name) is not None}


def decided(fixture: Fixture, prefetch: Json, **more: Any) -> Answer:
    server = more.pop("server", "http://127.0.0.1/fhir")
    value = fixture.request | {"prefetch": prefetch, "fhirServer": server}
    return answer(json.dumps(value).encode(), fixture.service, fixture.now, **more)


def is_whole(hook: Path) -> bool:
    """Whether a server can know what a fixture says: a fixture that is about something missing
    is another with the server's help, and for a call without orders nothing is asked."""
    fixture = fixture_of(hook)
    if fixture.service != "magnesium-patient-view" and not fixture.request["context"].get(
        "draftOrders"
    ):
        return False
    try:
        # A context without an encounter has none to ask for.
        return not decided(fixture, sent_of(fixture)).evidence.gaps.keys() - {"encounter"}
    except PatientMissing:
        return False


WHOLE = [hook for hook in HOOKS if is_whole(hook)]


def test_there_are_fixtures_to_compare() -> None:
    assert len(WHOLE) >= 2


def same_cards(hook: Path, shape: str, medplum: Medplum, page: int | None) -> None:
    fixture = fixture_of(hook)
    sent = sent_of(fixture)
    medplum.hold(sent)
    medplum.control(page=page)
    ehr = Ehr(read_hosts([f"127.0.0.1:{medplum.port}"]), 10)  # a busy machine is no fault here
    given = decided(fixture, SHAPES[shape](sent), server=medplum.url, fetch=ehr)
    whole = decided(fixture, sent)
    assert given.body == whole.body
    assert given.evidence.gaps.keys() == whole.evidence.gaps.keys()
    if shape == "full":
        assert not medplum.control()


@pytest.mark.loopback
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("hook", WHOLE, ids=lambda p: p.stem)
def test_the_same_cards(hook: Path, shape: str, medplum: Medplum) -> None:
    same_cards(hook, shape, medplum, None)


@pytest.mark.loopback
@pytest.mark.parametrize("hook", WHOLE, ids=lambda p: p.stem)
def test_the_same_cards_at_one_result_a_page(hook: Path, medplum: Medplum) -> None:
    same_cards(hook, "none", medplum, 1)


@pytest.mark.loopback
def test_all_needs_at_30_ms_a_search(medplum: Medplum) -> None:
    fixture = fixture_of(HOOKS[0])
    medplum.hold(fixture.request["prefetch"])
    medplum.control(delay=30)
    ehr = Ehr(read_hosts([f"127.0.0.1:{medplum.port}"]), 2)
    value = json.dumps(fixture.request | {"fhirServer": medplum.url, "prefetch": {}}).encode()
    taken = []
    for _ in range(10):
        started = time.perf_counter()
        given = answer(value, fixture.service, fixture.now, fetch=ehr)
        taken.append(time.perf_counter() - started)
        assert not given.evidence.gaps
    assert min(taken) < 0.15

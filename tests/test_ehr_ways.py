"""Ehr: servers and proxies that do not take the plain search (ruling 147)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cards.evidence import NEEDS
from service.answer import answer
from service.ehr import Ehr, read_hosts
from service.ehr.way import Way, encoded
from tests.contract.shapes import NOW, SERVICE, Json, body, bundle, magnesium, patient, request
from tests.contract.shapes import prefetch as whole_prefetch
from tests.fhir_server.folding import Folding

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
Refuse = Callable[[Request], int | None]


class Server:
    """Holds a prefetch and answers searches by the code that it is asked for, GET or POST; what
    it does not hold is an empty result. ``refuse`` gives the status of what is not taken."""

    def __init__(self, httpserver: HTTPServer) -> None:
        self.held, self.asked = whole_prefetch(), list[tuple[str, str, dict[str, str]]]()
        self.refuse: Refuse = lambda _: None
        self.host, self.port = httpserver.host, httpserver.port
        self.url, self._httpserver = httpserver.url_for("/fhir"), httpserver
        self.serve(self.answer)

    def serve(self, handler: Callable[[Request], Response]) -> None:
        self._httpserver.clear_all_handlers()
        self._httpserver.expect_request(_Any()).respond_with_handler(handler)  # type: ignore[arg-type]

    def answer(self, request: Request) -> Response:
        query = {**request.args, **request.form}
        self.asked.append((request.method, request.path, query))
        status = self.refuse(request)
        if status is not None:
            return Response('{"resourceType":"OperationOutcome"}', status)
        target = request.path.removeprefix("/fhir/").removesuffix("/_search")
        found = self._found(target, query)
        return Response(json.dumps(found), content_type="application/fhir+json")

    def _found(self, target: str, query: dict[str, str]) -> Json:
        for need in NEEDS:
            asked = dict(parse_qsl(need.template().partition("?")[2])).get("code")
            if need.single and target.startswith(need.type + "/"):
                single: Json = self.held[need.name]
                return single
            if target == need.type and asked == query.get("code"):
                many: Json = self.held.get(need.name, bundle())
                return many
        return bundle()

    def cards(self, value: Json | None = None, url: str | None = None) -> tuple[Json, Any]:
        """The answer to a request that brings nothing, and the evidence it rests on."""
        value = value or request("patient-view", prefetch={})
        ehr = Ehr(read_hosts(["127.0.0.1"]), 5)
        sent = body(value | {"fhirServer": url or self.url})
        given = answer(sent, SERVICE[value["hook"]], NOW, fetch=ehr)
        return json.loads(given.body)["cards"], given.evidence


class _Any(str):
    """Matches every path (pytest-httpserver compares with ==)."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


@pytest.fixture(scope="module")
def make_httpserver(loopback: None) -> Iterator[HTTPServer]:
    with HTTPServer("127.0.0.1", 0, threaded=True) as server:
        yield server


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


@pytest.fixture
def whole() -> Json:
    """The cards when everything comes with the request."""
    found: Json = json.loads(answer(body(request()), "magnesium-patient-view", NOW).body)["cards"]
    assert found
    return found


# --- encoding ------------------------------------------------------------------------------------


def test_values_are_encoded_whole() -> None:
    query = "Observation?patient=p 1&code=http://loinc.org|2601-3,urn:x|a&_sort=-date&_count=20"
    assert encoded(query) == (
        "Observation?patient=p%201&code=http%3A%2F%2Floinc.org%7C2601-3%2Curn%3Ax%7Ca"
        "&_sort=-date&_count=20"
    )
    assert encoded("Patient/p1") == "Patient/p1"


def test_a_proxy_that_folds_slashes_changes_nothing(server: Server, whole: Json) -> None:
    with Folding(server.host, server.port) as proxy:
        plain = "/fhir/Observation?code=http://loinc.org|2601-3"
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=5)
        connection.request("GET", plain)
        assert json.loads(connection.getresponse().read())["entry"] == []  # it does fold
        connection.close()
        assert proxy.asked == ["/fhir/Observation?code=http:/loinc.org|2601-3"]
        cards, evidence = server.cards(url=f"{proxy.url}/fhir")
        assert cards == whole
        assert not evidence.gaps


def test_a_link_to_the_next_page_passes_the_proxy(server: Server) -> None:
    """The server's own link holds the system as it is: its slashes are encoded on the way."""
    pages = {
        "1": bundle(
            magnesium(1.9, id="new"),
            link=[{"relation": "next", "url": "?code=http://loinc.org|19123-9&page=2"}],
        ),
        "2": bundle(magnesium(1.1, id="old")),
    }
    lab = next(n for n in NEEDS if n.name == "magnesium")
    code = dict(parse_qsl(lab.template().partition("?")[2]))["code"]
    plain = server._found

    def paged(target: str, query: dict[str, str]) -> Json:
        if query.get("page") == "2":
            return pages["2"] if query["code"] == "http://loinc.org|19123-9" else bundle()
        return pages["1"] if query.get("code") == code else plain(target, query)

    server._found = paged  # type: ignore[method-assign]
    with Folding(server.host, server.port) as proxy:
        _, evidence = server.cards(url=f"{proxy.url}/fhir")
    assert {r.id for r in evidence.lab("magnesium")} == {"new", "old"}


# --- what a server does not take -----------------------------------------------------------------


def test_a_sort_that_is_refused_is_left_out(server: Server, whole: Json) -> None:
    server.refuse = lambda r: 400 if "_sort" in r.args else None
    cards, evidence = server.cards()
    assert cards == whole
    assert not evidence.gaps
    again = [q for _, _, q in server.asked if "code" in q and "_sort" not in q]
    assert again
    assert {q["_count"] for q in again} == {"100"}


def test_without_a_sort_every_page_is_read(server: Server) -> None:
    """The newest result may be on the last page, however the first looks."""
    server.refuse = lambda r: 400 if "_sort" in r.args else None
    hour = "2026-01-01T{:02}:00:00Z"
    old = [magnesium(2.0, id=f"o{n}", effectiveDateTime=hour.format(20 - n)) for n in range(20)]
    first = bundle(*old, link=[{"relation": "next", "url": "/fhir/Observation?page=2"}])
    plain = server._found

    def paged(target: str, query: dict[str, str]) -> Json:
        if query.get("page") == "2":
            return whole_prefetch()["magnesium"]  # type: ignore[no-any-return]
        return first if "19123-9" in query.get("code", "") else plain(target, query)

    server._found = paged  # type: ignore[method-assign]
    cards, evidence = server.cards()
    assert len(evidence.lab("magnesium")) == 21
    assert cards


def test_a_400_for_another_reason_stays_a_gap(server: Server) -> None:
    server.refuse = lambda r: 400 if "/Observation" in r.path else None
    _, evidence = server.cards()
    assert evidence.gaps["magnesium"].reason == "the record's server failed"
    asked = [q for _, p, q in server.asked if p.endswith("/Observation") and "19123-9" in q["code"]]
    assert ["_sort" in query for query in asked] == [True, False]


@pytest.mark.parametrize("status", [403, 405, 414, 501])
def test_where_get_is_refused_it_is_posted(status: int, server: Server, whole: Json) -> None:
    def refuse(r: Request) -> int | None:
        return status if r.method == "GET" and r.query_string else None

    server.refuse = refuse
    cards, evidence = server.cards()
    assert cards == whole
    assert not evidence.gaps
    posted = [(p, q) for m, p, q in server.asked if m == "POST"]
    assert all(path.endswith("/_search") for path, _ in posted)
    assert {q["patient"] for _, q in posted} == {"p1"}
    assert len(posted) == sum(not need.single for need in NEEDS)


def test_posted_and_without_a_sort(server: Server, whole: Json) -> None:
    def refuse(r: Request) -> int | None:
        if r.method == "GET" and r.query_string:
            return 405
        return 400 if "_sort" in r.form else None

    server.refuse = refuse
    cards, evidence = server.cards()
    assert cards == whole
    assert not evidence.gaps


def test_the_first_refusal_is_the_reason(server: Server) -> None:
    server.refuse = lambda r: (
        (403 if r.method == "GET" else 404) if "/Patient" not in r.path else None
    )
    _, evidence = server.cards()
    assert evidence.gaps["magnesium"].reason == "the record refused us access to it"
    assert {m for m, p, _ in server.asked if "/Encounter/" in p} == {"GET"}


@pytest.mark.parametrize(("status", "method"), [(307, "POST"), (308, "POST"), (303, "GET")])
def test_a_form_follows_where_it_is_sent(status: int, method: str, server: Server) -> None:
    server.refuse = lambda r: 405 if r.method == "GET" and r.query_string else None
    plain = server.answer

    def moved(r: Request) -> Response:
        if r.path.endswith("/Condition/_search"):
            return Response(status=status, headers={"Location": "/fhir/moved"})
        return plain(r)

    server.serve(moved)
    _, evidence = server.cards()
    assert "conditions" not in evidence.gaps
    (asked,) = [(m, q) for m, p, q in server.asked if p == "/fhir/moved"]
    assert asked == (method, {"patient": "p1"} if method == "POST" else {})


def test_what_can_be_asked_otherwise() -> None:
    assert Way("/fhir/Condition?patient=p1").otherwise(404) is None
    assert Way("/fhir/Condition?patient=p1").otherwise(400) is None
    assert Way("/fhir/Patient/p1").otherwise(403) is None
    page = Way("/fhir/Condition/_search?page=2", posts=True)
    assert page.asked == ("/fhir/Condition/_search", "page=2")
    assert page.otherwise(403) is None


# --- tokens and scopes ---------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", " ", None])
def test_an_empty_token_is_none(token: str | None, server: Server, whole: Json) -> None:
    lent = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": ""}
    value = request("patient-view", prefetch={}, fhirAuthorization=lent)
    cards, evidence = server.cards(value)
    assert cards == whole
    assert not evidence.gaps


def test_a_scope_that_is_missing_is_named(server: Server) -> None:
    lent = {
        "access_token": "abc",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/Patient.read",
    }
    value = request("patient-view", prefetch={"patient": patient()}, fhirAuthorization=lent)
    _, evidence = server.cards(value)
    assert evidence.gaps["magnesium"].reason.endswith(
        "(scope forbids: patient/Observation.rs is missing)"
    )
    assert evidence.gaps["encounter"].reason.endswith(
        "(scope forbids: patient/Encounter.r is missing)"
    )

"""Ehr: what is asked of the record's FHIR server, with which token, and what is made of it."""

from __future__ import annotations

import gzip
import io
import json
import logging
import multiprocessing
import ssl
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cards.evidence import NEED, NEEDS, Evidence, Need
from cards.protocol import shipped
from service.answer import answer
from service.cdshooks.request import Authorization, read_hook
from service.config.settings import Settings
from service.ehr import Ehr, read_hosts
from service.ehr.grant import EXPIRED, read_grant
from service.ehr.page import Page, read_page
from service.ehr.wire import Wire
from service.gather import gather
from service.observe import Observer, metrics
from service.server.app import create_app
from tests.contract.shapes import (
    NOW,
    SERVICE,
    Json,
    body,
    bundle,
    draft,
    lab,
    magnesium,
    patient,
    prefetch,
    request,
    without,
)
from tests.fhir_server.raw import Raw, reply

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
STANDARD = shipped("standard")
TOKEN = {"access_token": "abc.DEF-1_2~3+4/5==", "token_type": "Bearer", "expires_in": 300}
NOTHING_ELSE = {n.name: bundle() for n in NEEDS if not n.single}


class Record:
    """A FHIR server that holds a prefetch: answers each need by its query, remembers requests."""

    def __init__(self, httpserver: HTTPServer, held: Json, base: str = "/fhir") -> None:
        self.held, self.base = held, base
        self.requests: list[Request] = []
        self.extra: dict[str, Json] = {}
        self.delay = 0.0
        self.ehr = Ehr(read_hosts([f"{httpserver.host}:{httpserver.port}"]), 2)
        self.url = httpserver.url_for(base)
        httpserver.expect_request(_Any()).respond_with_handler(self)  # type: ignore[arg-type]

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        time.sleep(self.delay)
        found = self.extra.get(request.path.removeprefix(self.base + "/")) or self._find(request)
        if found is None:
            return Response('{"resourceType":"OperationOutcome"}', 404)
        return Response(json.dumps(found), content_type="application/fhir+json")

    def _find(self, request: Request) -> Json | None:
        target = request.path.removeprefix(self.base + "/")
        for need in NEEDS:
            type_, _, id_ = target.partition("/")
            if need.single:
                one: Json | None = self.held.get(need.name)
                if one is not None and (type_, id_) == (need.type, one["id"]):
                    return one
            elif type_ == need.type and not id_:
                asked = need.template().partition("code=")[2].partition("&")[0]
                if asked == request.args.get("code", ""):
                    many: Json = self.held.get(need.name, bundle())
                    return many
        return None

    def ask(self, value: Json) -> Evidence:
        hook = read_hook(body(value | {"fhirServer": self.url}), SERVICE[value["hook"]])
        return gather(hook, STANDARD, fetch=self.ehr)[0]


class _Any(str):
    """Matches every path (pytest-httpserver compares with ==)."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


@pytest.fixture(scope="module")
def make_httpserver(loopback: None) -> Iterator[HTTPServer]:
    """With threads, so that what one test leaves unanswered keeps no other waiting."""
    with HTTPServer("127.0.0.1", 0, threaded=True) as server:
        yield server


@pytest.fixture
def record(httpserver: HTTPServer) -> Record:
    return Record(httpserver, prefetch())


def bare(hook: str = "patient-view", *drafts: Json, **more: Any) -> Json:
    return request(hook, *drafts, prefetch={}, **more)


# --- what is asked ------------------------------------------------------------------------------


def test_everything_is_fetched_when_nothing_came(record: Record) -> None:
    evidence = record.ask(bare())
    assert not evidence.gaps
    assert evidence.patient is not None
    assert len(evidence.lab("magnesium")) == 1
    assert len(record.requests) == len(NEEDS)
    assert {r.method for r in record.requests} == {"GET"}


def test_the_same_cards_however_it_came(record: Record) -> None:
    whole = answer(body(request()), "magnesium-patient-view", NOW).body
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    link = [{"relation": "next", "url": "https://elsewhere.example.org/?page=2"}]
    shapes: dict[str, Json] = {
        "none": {},
        "null": dict.fromkeys(prefetch()),
        "outcome": dict.fromkeys(prefetch(), outcome),
        "paged": {
            name: bundle(link=link) if not NEED[name].single else value
            for name, value in prefetch().items()
        },
    }
    for name, shape in shapes.items():
        value = request(prefetch=shape) | {"fhirServer": record.url}
        given = answer(body(value), "magnesium-patient-view", NOW, fetch=record.ehr)
        assert given.body == whole, name
        assert not given.evidence.gaps


def test_a_null_that_the_server_confirms_is_a_fact(record: Record) -> None:
    del record.held["encounter"]
    record.held["magnesium"] = bundle()
    value = request()
    value["prefetch"] |= {"encounter": None, "magnesium": None}
    assert not record.ask(value).gaps
    record.held["magnesium"] = {"resourceType": "OperationOutcome"}
    assert set(record.ask(value).gaps) == {"magnesium"}


def test_a_whole_prefetch_asks_for_nothing(record: Record) -> None:
    record.ask(request())
    assert not record.requests


def test_the_patient_is_read_only_when_absent(record: Record) -> None:
    record.ask(without(request(), "prefetch/weight"))
    assert [r.path for r in record.requests] == ["/fhir/Observation"]


def test_an_irrelevant_order_asks_for_nothing(record: Record) -> None:
    record.ask(bare("order-select", draft("723", "Amoxicillin")))
    assert not record.requests


def test_a_server_with_a_slash_at_its_end(record: Record) -> None:
    record.url += "/"
    assert not record.ask(bare()).gaps
    assert not any("//" in r.path for r in record.requests)


def test_the_same_connection_serves_the_next_call(httpserver: HTTPServer) -> None:
    class Pool(Wire):
        made = 0

        def _pool(self, *args: Any) -> Any:
            pool = super()._pool(*args)
            self.made = pool.num_connections
            return pool

    def act(connection: Any, over: threading.Event, line: str) -> None:
        answer_ = reply(json.dumps(bundle()).encode()).replace(b"Connection: close\r\n", b"")
        connection.sendall(answer_)
        while connection.recv(65_536):
            connection.sendall(answer_)

    with Raw(act) as raw:
        wire = Pool()
        ehr = Ehr(read_hosts([f"127.0.0.1:{raw.port}"]), 2, wire=wire)
        value = without(request(), "prefetch/weight")
        value["fhirServer"] = f"http://127.0.0.1:{raw.port}"
        for _ in range(4):
            hook = read_hook(body(value), "magnesium-patient-view")
            assert not gather(hook, STANDARD, fetch=ehr)[0].gaps
        assert len(raw.connections) == 1


def test_a_connection_that_went_stale_is_no_failure() -> None:
    def act(connection: Any, over: threading.Event, line: str) -> None:
        connection.sendall(reply(json.dumps(bundle()).encode()).replace(b"close", b"keep-alive"))
        connection.close()  # although it said otherwise

    with Raw(act) as raw:
        ehr = Ehr(read_hosts([f"127.0.0.1:{raw.port}"]), 2)
        value = without(request(), "prefetch/weight")
        value["fhirServer"] = f"http://127.0.0.1:{raw.port}"
        for _ in range(4):
            hook = read_hook(body(value), "magnesium-patient-view")
            assert not gather(hook, STANDARD, fetch=ehr)[0].gaps


# --- the token ------------------------------------------------------------------------------------


def test_the_token_is_sent_and_no_other(record: Record) -> None:
    record.ask(bare(fhirAuthorization=TOKEN))
    assert {r.headers["Authorization"] for r in record.requests} == {
        f"Bearer {TOKEN['access_token']}"
    }
    record.requests.clear()
    record.ask(bare())
    assert not any("Authorization" in r.headers for r in record.requests)


@pytest.mark.parametrize("lifetime", [0, -5, 0.0, "0", "-1"])
def test_an_expired_token_is_not_sent(lifetime: Any, record: Record) -> None:
    evidence = record.ask(bare(fhirAuthorization=TOKEN | {"expires_in": lifetime}))
    assert evidence.gaps["magnesium"].reason == EXPIRED
    assert not record.requests


@pytest.mark.parametrize("lifetime", [None, "soon", "NaN", [], 1e9, "300"])
def test_a_lifetime_that_says_nothing_is_no_obstacle(lifetime: Any, record: Record) -> None:
    evidence = record.ask(bare(fhirAuthorization=TOKEN | {"expires_in": lifetime}))
    assert not evidence.gaps


def test_a_token_is_not_used_beyond_its_life(record: Record) -> None:
    record.delay = 0.6
    started = time.perf_counter()
    evidence = record.ask(bare(fhirAuthorization=TOKEN | {"expires_in": 0.2}))
    assert time.perf_counter() - started < 0.5
    assert evidence.gaps["magnesium"].reason == EXPIRED


@pytest.mark.parametrize(
    "more",
    [
        {"access_token": "a\r\nX: y"},
        {"access_token": "a b"},
        {"access_token": "é"},
        {"access_token": "a" * 20_000},
        {"token_type": "mac"},
    ],
)
def test_a_token_that_cannot_be_one_is_not_sent(more: Json, record: Record) -> None:
    evidence = record.ask(bare(fhirAuthorization=TOKEN | more))
    assert evidence.gaps["magnesium"].reason == "the access lent for it cannot be used"
    assert not record.requests


def test_a_grant_does_not_show_its_token() -> None:
    grant = read_grant(Authorization(access_token="secret"), "p1")
    assert "secret" not in repr(grant)
    assert "secret" not in str(grant)


# --- scopes ---------------------------------------------------------------------------------------

LABORATORY = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
SCOPES: dict[str, tuple[str, str]] = {
    # scope: (needs covered, needs covered in part), of the five below
    "": ("patient magnesium weight conditions encounter", ""),
    "patient/*.read": ("patient magnesium weight conditions encounter", ""),
    "user/*.*": ("patient magnesium weight conditions encounter", ""),
    "system/*.rs": ("patient magnesium weight conditions encounter", ""),
    "user/*.cruds": ("patient magnesium weight conditions encounter", ""),
    "user/Patient.read user/Observation.read": ("patient magnesium weight", ""),
    "patient/Observation.rs": ("magnesium weight", ""),
    "patient/Observation.s": ("magnesium weight", ""),
    "patient/Observation.r": ("", ""),
    "patient/*.r": ("patient encounter", ""),
    "patient/*.s": ("magnesium weight conditions", ""),
    "patient/Observation.write patient/Condition.cud": ("", ""),
    "launch openid fhirUser": ("", ""),
    "patient/observation.read": ("", ""),
    f"patient/Observation.rs?category={LABORATORY}": ("magnesium", "weight"),
    "patient/Observation.rs?category=laboratory,vital-signs": ("magnesium weight", ""),
    f"patient/Observation.rs?category={LABORATORY} patient/Observation.rs": (
        "magnesium weight",
        "",
    ),
    "patient/Observation.rs?status=final": ("", "magnesium weight"),
    "patient/Observation.rs?category=laboratory&status=final": ("", "magnesium weight"),
    "patient/Condition.rs?category=problem-list-item": ("", "conditions"),
}
FIVE = "patient magnesium weight conditions encounter".split()


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes_decide_what_may_be_asked(scope: str, record: Record) -> None:
    covered, part = (names.split() for names in SCOPES[scope])
    value = request(fhirAuthorization=TOKEN | {"scope": scope, "patient": "p1"})
    for name in FIVE:
        del value["prefetch"][name]
    evidence = record.ask(value)
    forbidden = set(FIVE) - set(covered) - set(part)
    assert set(evidence.gaps) == forbidden | set(part)
    for name in forbidden:
        assert "scope forbids" in evidence.gaps[name].reason
    for name in part:
        assert "only part" in evidence.gaps[name].reason
    assert len(record.requests) == len(covered) + len(part)


def test_a_part_is_used_and_is_not_all(record: Record) -> None:
    value = without(request(), "prefetch/weight")
    scope = f"patient/Observation.rs?category={LABORATORY}"
    evidence = record.ask(value | {"fhirAuthorization": TOKEN | {"scope": scope}})
    assert len(evidence.lab("weight")) == 1
    assert "weight" in evidence.gaps


@pytest.mark.parametrize(
    ("bound", "scope", "may"),
    [
        ("p1", "patient/*.read", True),
        ("Patient/p1", "patient/*.read", True),
        ("p2", "patient/*.read", False),
        ("p2", "user/*.read", True),
        (None, "patient/*.read", True),
    ],
)
def test_a_token_for_another_patient_gives_nothing(
    bound: str | None, scope: str, may: bool, record: Record
) -> None:
    value = bare(fhirAuthorization=TOKEN | {"scope": scope, "patient": bound})
    assert (not record.ask(value).gaps) is may
    assert bool(record.requests) is may


# --- pages ----------------------------------------------------------------------------------------


def paged(record: Record, need: str, *pages: list[Json]) -> None:
    """Holds a need in pages, linked as servers do: absolute and relative, in turn."""
    type_ = NEED[need].type
    for number, page in enumerate(pages):
        link = []
        if number + 1 < len(pages):
            path = f"{type_}?_page={number + 1}&x=a|b%7Cc d"
            link = [{"relation": "next", "url": path if number % 2 else f"{record.url}/{path}"}]
        if number == 0:
            record.held[need] = bundle(*page, link=link)
        else:
            record.extra[f"{type_}?{number}"] = bundle(*page, link=link)
    find = record._find

    def follow(request: Request) -> Json | None:
        number = request.args.get("_page")
        return record.extra[f"{type_}?{number}"] if number else find(request)

    record._find = follow  # type: ignore[method-assign]


def condition(id_: str) -> Json:
    return {
        "resourceType": "Condition",
        "id": id_,
        "subject": {"reference": "Patient/p1"},
        "code": {"text": id_},
    }


def test_pages_are_read_to_the_end(record: Record) -> None:
    paged(record, "conditions", *[[condition(f"c{i}")] for i in range(5)])
    evidence = record.ask(bare())
    assert not evidence.gaps
    assert [r.id for r in evidence.of_type("Condition")] == [f"c{i}" for i in range(5)]


def test_labs_are_read_as_far_as_was_asked(record: Record) -> None:
    results = [lab("777-3", 200, "10*3/uL", h) for h in range(1, 9)]
    paged(record, "platelets", results[:2], results[2:4], results[4:])
    evidence = record.ask(bare())
    assert not evidence.gaps
    assert len(evidence.lab("platelets")) == 4  # three were asked for


def test_what_came_before_a_page_failed_is_kept_and_is_not_all(record: Record) -> None:
    paged(record, "conditions", [condition("c0")], [condition("c1")], [])
    del record.extra["Condition?2"]
    record.extra["Condition?2"] = {"resourceType": "OperationOutcome"}
    evidence = record.ask(bare())
    assert evidence.gaps["conditions"].reason == "the record answered with an error"
    assert [r.id for r in evidence.of_type("Condition")] == ["c0", "c1"]


# --- what comes back ------------------------------------------------------------------------------


def outcome(*severities: str) -> Json:
    issues = [{"severity": s, "code": "x"} for s in severities]
    return {"resourceType": "OperationOutcome", "issue": issues}


@pytest.mark.parametrize("severities", [["warning"], ["information", "warning"], ["warning"] * 3])
def test_a_warning_in_a_result_is_no_failure(severities: list[str], record: Record) -> None:
    record.held["conditions"] = bundle(outcome(*severities))
    record.held["magnesium"] = bundle(magnesium(), outcome(*severities))
    evidence = record.ask(bare())
    assert not evidence.gaps
    assert len(evidence.lab("magnesium")) == 1


@pytest.mark.parametrize("severities", [["error"], ["fatal"], ["warning", "error"], []])
def test_an_error_in_a_result_is_a_gap(severities: list[str], record: Record) -> None:
    record.held["conditions"] = bundle(outcome(*severities))
    evidence = record.ask(bare())
    assert evidence.gaps["conditions"].reason == "the record answered with an error"


def test_one_bad_entry_is_unread_and_the_rest_counts(record: Record) -> None:
    record.held["magnesium"] = bundle(magnesium(), magnesium(1, 3, status={}))
    evidence = record.ask(bare())
    assert not evidence.gaps
    assert len(evidence.lab("magnesium")) == 1
    assert [lost.need for lost in evidence.unread] == ["magnesium"]


def test_somebody_elses_results_among_ours(record: Record) -> None:
    """The server did not look for our patient: what it did not send is unknown."""
    theirs = magnesium(2.0, 1, id="theirs", subject={"reference": "Patient/p2"})
    record.held["magnesium"] = bundle(theirs, magnesium())
    evidence = record.ask(bare())
    assert "another patient" in evidence.gaps["magnesium"].reason
    assert [r.id for r in evidence.lab("magnesium")] == ["19123-9-2"]


def test_another_patient_than_was_asked_for(record: Record) -> None:
    record.extra["Patient/p1"] = patient("p2")
    evidence = record.ask(bare())
    assert evidence.patient is None
    assert "another patient" in evidence.gaps["patient"].reason


def test_a_packed_answer_is_unpacked(httpserver: HTTPServer) -> None:
    packed = gzip.compress(json.dumps(bundle(magnesium())).encode())
    httpserver.expect_request("/fhir/Observation").respond_with_data(
        packed, headers={"Content-Encoding": "gzip"}
    )
    value = without(request(), "prefetch/magnesium")
    value["fhirServer"] = httpserver.url_for("/fhir")
    ehr = Ehr(read_hosts([f"{httpserver.host}:{httpserver.port}"]), 2)
    hook = read_hook(body(value), "magnesium-patient-view")
    assert len(gather(hook, STANDARD, fetch=ehr)[0].lab("magnesium")) == 1


def test_a_redirect_within_the_server_is_followed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/old/Observation").respond_with_data(
        status=307, headers={"Location": "/new/Observation?x=1"}
    )
    httpserver.expect_request("/new/Observation").respond_with_json(bundle(magnesium()))
    value = without(request(), "prefetch/magnesium") | {"fhirServer": httpserver.url_for("/old")}
    ehr = Ehr(read_hosts([f"{httpserver.host}:{httpserver.port}"]), 2)
    hook = read_hook(body(value), "magnesium-patient-view")
    assert len(gather(hook, STANDARD, fetch=ehr)[0].lab("magnesium")) == 1


# --- Medications ----------------------------------------------------------------------------------


def ordered(id_: str, reference: str) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": reference},
    }


def medication(id_: str, **more: Any) -> Json:
    return {"resourceType": "Medication", "id": id_, **more}


def test_medications_are_resolved(record: Record) -> None:
    ref = {"reference": "Medication/c"}
    record.held["medications"] = bundle(
        ordered("1", "Medication/a"),
        ordered("2", f"{record.url}/Medication/b/_history/3"),
        ordered("3", "Medication/gone"),
    )
    record.held["administrations"] = bundle(
        ordered("4", "Medication/a") | {"resourceType": "MedicationAdministration"}
    )
    record.extra |= {
        "Medication/a": medication("a", ingredient=[{"itemReference": ref}]),
        "Medication/b": medication("b"),
        "Medication/c": medication("c"),
        "Medication/d": medication("d"),
    }
    evidence = record.ask(bare("order-sign", ordered("draft", "Medication/d")))
    assert {r.id for r in evidence.of_type("Medication")} == {"a", "b", "c", "d"}
    assert not evidence.gaps
    paths = [r.path for r in record.requests if "/Medication/" in r.path]
    assert len(paths) == len(set(paths)) == 5


def test_a_medication_of_a_whole_prefetch_is_resolved_too(record: Record) -> None:
    record.extra["Medication/a"] = medication("a")
    evidence = record.ask(request("order-sign", ordered("draft", "Medication/a")))
    assert [r.id for r in evidence.of_type("Medication")] == ["a"]
    assert [r.path for r in record.requests] == ["/fhir/Medication/a"]


def test_medications_wait_for_no_one_beyond_the_deadline(record: Record) -> None:
    record.ehr.deadline, record.delay = 0.4, 0.25
    record.held["medications"] = bundle(ordered("1", "Medication/a"))
    record.extra["Medication/a"] = medication("a")
    started = time.perf_counter()
    evidence = record.ask(bare())
    assert time.perf_counter() - started < 0.65
    assert not evidence.of_type("Medication")


def test_medications_need_their_scope(record: Record) -> None:
    scope = {"fhirAuthorization": TOKEN | {"scope": "patient/MedicationRequest.read"}}
    record.ask(request("order-sign", ordered("draft", "Medication/a"), **scope))
    assert not record.requests


def test_many_medications_are_bounded(record: Record) -> None:
    record.held["medications"] = bundle(*[ordered(f"o{i}", f"Medication/{i}") for i in range(300)])
    record.ask(bare())
    assert sum("/Medication/" in r.path for r in record.requests) == 100


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own for ehr.example.org, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ehr.example.org")])
    start = datetime(2020, 1, 1)  # noqa: DTZ001 - x509 has no zones
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ehr.example.org")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls_server(certificate: Path, loopback: None) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer("127.0.0.1", 0, ssl_context=context) as server:
        server.expect_request("/fhir/Observation").respond_with_json(bundle(magnesium()))
        yield server


def over_tls(server: HTTPServer, host: str, trusted: ssl.SSLContext | None) -> Evidence:
    hosts = read_hosts([f"{host}:{server.port}", "127.0.0.1"])
    ehr = Ehr(hosts, 2, wire=Wire(trusted), resolve=lambda *_: ["127.0.0.1"])
    value = without(request(), "prefetch/magnesium")
    value["fhirServer"] = f"https://{host}:{server.port}/fhir"
    return gather(read_hook(body(value), "magnesium-patient-view"), STANDARD, fetch=ehr)[0]


def test_tls_is_for_the_name_at_the_address_that_was_checked(
    tls_server: HTTPServer, certificate: Path
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    assert not over_tls(tls_server, "ehr.example.org", trusted).gaps
    assert tls_server.log[0][0].host == f"ehr.example.org:{tls_server.port}"


@pytest.mark.parametrize("host", ["other.example.org", "127.0.0.1", "ehr.example.org"])
def test_a_server_that_cannot_prove_its_name_is_told_nothing(
    host: str, tls_server: HTTPServer, certificate: Path
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    evidence = over_tls(tls_server, host, None if host == "ehr.example.org" else trusted)
    assert evidence.gaps["magnesium"].reason == "the record's server could not prove its identity"
    assert not tls_server.log


def test_a_handshake_that_hangs_ends_at_the_deadline() -> None:
    def act(connection: Any, over: threading.Event, line: str) -> None: ...

    with Raw(act) as raw:  # waits for a head that never comes
        ehr = Ehr(read_hosts([f"127.0.0.1:{raw.port}"]), 0.4)
        value = without(request(), "prefetch/magnesium")
        value["fhirServer"] = f"https://127.0.0.1:{raw.port}/fhir"
        started = time.perf_counter()
        hook = read_hook(body(value), "magnesium-patient-view")
        evidence = gather(hook, STANDARD, fetch=ehr)[0]
        assert time.perf_counter() - started < 0.65
        assert evidence.gaps["magnesium"].reason == "the record did not answer in time"


# --- as a whole -----------------------------------------------------------------------------------


def test_the_service_asks_the_servers_of_its_settings(record: Record) -> None:
    host = record.url.split("/")[2]
    for hosts, status in (((host,), 200), ((), 412)):
        app = create_app(Settings(fhir_hosts=hosts), now=lambda: NOW)
        given = app.test_client().post(
            "/cds-services/magnesium-patient-view", json=bare(fhirServer=record.url)
        )
        assert given.status_code == status
    value = request(prefetch={"patient": patient()}, fhirServer=record.url)
    given = app.test_client().post("/cds-services/magnesium-patient-view", json=value)
    assert "server not allowed" in given.text


def test_a_fault_of_ours_costs_one_need_and_is_told(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    record.ehr.witness = Observer(out)

    def page(text: bytes, need: Need, patient_id: str) -> Page:
        if need.name == "weight":
            raise KeyError("a value of p1")
        return read_page(text, need, patient_id)

    monkeypatch.setattr("service.ehr.talk.read_page", page)
    evidence = record.ask(bare())
    assert {name: gap.reason for name, gap in evidence.gaps.items()} == {
        "weight": "it could not be read"
    }
    told = json.loads(out.getvalue())
    assert told["error"] == "KeyError"
    assert "test_ehr.py" in told["where"][-1]
    assert "p1" not in out.getvalue()
    counted = metrics().decode()
    reason = 'need="weight",reason="it could not be read"'
    assert f"repletion_unfetched_total{{{reason}}} 1.0" in counted


def test_nothing_of_the_patient_or_the_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def act(connection: Any, over: threading.Event, line: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n{}")

    with Raw(act) as raw:
        value = bare(fhirServer=f"http://127.0.0.1:{raw.port}/fhir", fhirAuthorization=TOKEN)
        ehr = Ehr(read_hosts(["127.0.0.1"]), 1)
        gather(read_hook(body(value), "magnesium-patient-view"), STANDARD, fetch=ehr)
        assert any("patient=p1" in line for line in raw.requests)
    assert not caplog.text


def _fetch_in_child(ehr: Ehr, value: bytes, found: Any) -> None:
    hook = read_hook(value, "magnesium-patient-view")
    found.put(len(gather(hook, STANDARD, fetch=ehr)[0].gaps))


def test_it_may_be_made_before_the_workers_are_forked(record: Record) -> None:
    fork = multiprocessing.get_context("fork")
    found = fork.Queue()
    value = body(bare(fhirServer=record.url))
    children = [
        fork.Process(target=_fetch_in_child, args=(record.ehr, value, found)) for _ in range(2)
    ]
    for child in children:
        child.start()
    assert [found.get(timeout=20) for _ in children] == [0, 0]
    for child in children:
        child.join()


def serving(seconds: float) -> Raw:
    """A quick server that takes ``seconds`` for each answer."""
    of = {need.type: bundle() for need in NEEDS}
    whole = prefetch()

    def answer_to(line: bytes) -> bytes:
        type_ = line.split()[1].decode().removeprefix("/fhir/").partition("?")[0]
        name = {"Patient/p1": "patient", "Encounter/e1": "encounter"}.get(type_)
        return json.dumps(whole[name] if name else of[type_]).encode()

    def act(connection: Any, over: threading.Event, line: str) -> None:
        data = line.encode()
        while data:
            time.sleep(seconds)
            found = reply(answer_to(data)).replace(b"Connection: close\r\n", b"")
            connection.sendall(found)
            data = connection.recv(65_536)

    return Raw(act)


def test_all_needs_at_once_take_little_more_than_one() -> None:
    with serving(0.03) as raw:
        ehr = Ehr(read_hosts([f"127.0.0.1:{raw.port}"]), 2)
        value = body(bare(fhirServer=f"http://127.0.0.1:{raw.port}/fhir"))
        taken = []
        for _ in range(9):
            started = time.perf_counter()
            given = answer(value, "magnesium-patient-view", NOW, fetch=ehr)
            taken.append(time.perf_counter() - started)
            assert not given.evidence.gaps
        assert statistics.median(taken) < 0.15


def test_calls_side_by_side_keep_their_deadline() -> None:
    with serving(5) as raw:
        ehr = Ehr(read_hosts([f"127.0.0.1:{raw.port}"]), 0.5)
        value = body(
            request(prefetch={"patient": patient()})
            | {"fhirServer": f"http://127.0.0.1:{raw.port}/fhir"}
        )

        def once(_: int) -> float:
            started = time.perf_counter()
            given = answer(value, "magnesium-patient-view", NOW, fetch=ehr)
            assert "magnesium" in given.evidence.gaps
            return time.perf_counter() - started

        # Sixteen threads and the server share the test machine: the best of a few rounds is ours.
        rounds = []
        for _ in range(4):
            with ThreadPoolExecutor(8) as threads:
                rounds.append(max(threads.map(once, range(16))))
            if rounds[-1] <= 0.75:
                break
    assert min(rounds) <= 0.75


def test_the_prefetch_that_a_record_holds_is_whole() -> None:
    """The Record of these tests answers each need with its own prefetch."""
    assert set(prefetch()) == {n.name for n in NEEDS}
    assert msgspec.json.decode(body(prefetch()))

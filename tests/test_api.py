"""HTTP: routes, statuses, headers, the log line and the metrics."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cards.evidence import NEEDS
from cards.protocol import PROFILES, Protocol, shipped
from service.cdshooks.request import SERVICES
from service.cdshooks.schema import explain
from service.config.protocol import load_protocol
from service.config.settings import Settings, SettingsError
from service.errors import NotAuthenticated
from service.observe import Observer, RequestLine, correlation_id
from service.server.app import create_app
from service.store import open_store
from service.trust import Caller
from service.web import routes
from service.web.service import Service
from tests.contract.shapes import NOW, SERVICE, Json, body, changed, request, without

ORIGIN = {"Origin": "http://127.0.0.1:9300"}
HOOK = "/cds-services/magnesium-patient-view"


class Bench:
    """One application, its client and what it logged."""

    def __init__(
        self,
        now: datetime = NOW,
        protocol: Protocol | None = None,
        **settings: Any,
    ) -> None:
        self.out = io.StringIO()
        self.app: Flask = create_app(
            Settings(**settings), now=lambda: now, observer=Observer(self.out), protocol=protocol
        )
        self.client: FlaskClient = self.app.test_client()

    def hook(self, value: Json, **more: Any) -> Any:
        return self.client.post(f"/cds-services/{SERVICE[value['hook']]}", json=value, **more)

    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def is_outcome(response: Any) -> bool:
    return response.content_type == "application/json" and not explain(
        "operation-outcome", response.data
    )


# --- discovery ------------------------------------------------------------------------------


def test_discovery(bench: Bench) -> None:
    response = bench.client.get("/cds-services")
    assert response.status_code == 200
    assert not explain("discovery", response.data)
    services = response.get_json()["services"]
    assert {s["id"]: s["hook"] for s in services} == dict(SERVICES)
    for service in services:
        assert list(service["prefetch"]) == [need.name for need in NEEDS]


def test_templates_use_what_every_client_can_fill(bench: Bench) -> None:
    for service in bench.client.get("/cds-services").get_json()["services"]:
        for template in service["prefetch"].values():
            tokens = set(re.findall(r"\{\{(.*?)\}\}", template))
            assert tokens <= {"context.patientId", "context.encounterId"}
            parameters = re.findall(r"[?&]([^=]+)=", template)
            assert len(parameters) == len(set(parameters))  # the Sandbox joins repeats


# --- hooks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", SERVICE)
def test_a_hook_is_answered_with_cards(bench: Bench, hook: str) -> None:
    response = bench.hook(request(hook))
    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert not explain("response", response.data)
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/fhir+json", "application/json+fhir"]
)
def test_what_clients_call_json(bench: Bench, kind: str) -> None:
    sent = bench.client.post(HOOK, data=body(request()), content_type=kind)
    assert sent.status_code == 200


ERRORS: dict[str, tuple[Callable[[FlaskClient], Any], int]] = {
    "malformed": (lambda c: c.post(HOOK, data=b"{", content_type="application/json"), 400),
    "another hook": (lambda c: c.post(HOOK, json=request("order-sign")), 400),
    "no patient": (lambda c: c.post(HOOK, json=without(request(), "prefetch/patient")), 412),
    "unknown service": (lambda c: c.post("/cds-services/x", json=request()), 404),
    "unknown feedback": (lambda c: c.post("/cds-services/x/feedback", json={}), 404),
    "unknown route": (lambda c: c.get("/cds-service"), 404),
    "wrong method": (lambda c: c.get(HOOK), 405),
    "put": (lambda c: c.put("/cds-services"), 405),
    "no type": (lambda c: c.post(HOOK, data=body(request())), 415),
    "form": (lambda c: c.post(HOOK, data={"a": "b"}), 415),
    "gzip": (lambda c: c.post(HOOK, json={}, headers={"Content-Encoding": "gzip"}), 415),
    "too large": (
        lambda c: c.post(HOOK, data=b" " * 10_000_002, content_type="application/json"),
        413,
    ),
    "feedback of nothing": (lambda c: c.post(f"{HOOK}/feedback", json={}), 400),
}


@pytest.mark.parametrize("shape", ERRORS)
def test_errors_are_outcomes_that_a_web_client_can_read(bench: Bench, shape: str) -> None:
    send, status = ERRORS[shape]
    response = send(bench.client)
    assert response.status_code == status
    assert is_outcome(response)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Vary"] == "Origin"
    assert response.headers["X-Correlation-Id"]


def test_405_names_the_methods(bench: Bench) -> None:
    assert bench.client.get(HOOK).headers["Allow"] == "OPTIONS, POST"


def test_the_body_limit_is_the_settings(bench: Bench) -> None:
    data = body(request())
    small = Bench(max_body_mb=(len(data) - 1) / 1e6).client
    exact = Bench(max_body_mb=len(data) / 1e6).client
    assert small.post(HOOK, data=data, content_type="application/json").status_code == 413
    assert exact.post(HOOK, data=data, content_type="application/json").status_code == 200


def test_a_chunked_body_has_the_same_limit() -> None:
    data = body(request())
    for size, status in ((len(data) - 1, 413), (len(data), 200)):
        response = Bench(max_body_mb=size / 1e6).client.post(
            HOOK,
            input_stream=io.BytesIO(data),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
        )
        assert response.status_code == status


def test_a_fault_of_ours_tells_nothing(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Jane Doe, magnesium 1.1")

    monkeypatch.setattr(routes, "answer", fail)
    response = bench.hook(request())
    assert response.status_code == 500
    assert is_outcome(response)
    text = response.get_json()["issue"][0]["details"]["text"]
    assert text == (
        "The service failed to evaluate this request."
        f" Correlation id: {response.headers['X-Correlation-Id']}"
    )
    (line,) = bench.lines()
    assert line["level"] == "error"
    assert line["error"] == "RuntimeError"
    assert any("test_api.py" in place for place in line["where"])
    assert "Jane" not in bench.out.getvalue()


def test_shadow_mode_sends_no_card() -> None:
    bench = Bench(mode="shadow")
    assert bench.hook(request()).data == b'{"cards":[]}'
    assert bench.lines()[0]["cards"] == 1


def test_the_test_clock_reaches_the_cards() -> None:
    response = Bench(clock="last-result").hook(request())
    assert response.get_json()["cards"][0]["summary"].startswith("TEST CLOCK")


# --- CORS -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cds-services", HOOK, f"{HOOK}/feedback"])
def test_preflight_as_the_sandbox_sends_it(bench: Bench, path: str) -> None:
    asked = {"Access-Control-Request-Headers": "authorization,content-type", **ORIGIN}
    response = bench.client.options(path, headers=asked)
    assert response.status_code == 204
    assert response.data == b""
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_only_named_origins_when_there_is_a_list() -> None:
    bench = Bench(cors_origins=("https://ehr.example.org",))
    theirs = bench.client.get("/cds-services", headers={"Origin": "https://ehr.example.org"})
    assert theirs.headers["Access-Control-Allow-Origin"] == "https://ehr.example.org"
    others = bench.client.get("/cds-services", headers=ORIGIN)
    assert "Access-Control-Allow-Origin" not in others.headers
    assert others.headers["Vary"] == "Origin"


# --- who may call -----------------------------------------------------------------------------


def test_a_route_needs_authentication_unless_it_opts_out() -> None:
    def refuse(_: object) -> Caller:
        raise NotAuthenticated

    app = Flask("locked")
    service = Service(
        settings=Settings(),
        protocol=shipped("standard"),
        now=lambda: NOW,
        observer=Observer(io.StringIO()),
        authenticate=refuse,
    )
    routes.add_routes(app, service)
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<service_id>", "magnesium-patient-view")
        post = "POST" in (rule.methods or ())
        response = client.post(path, json=request()) if post else client.get(path)
        open_ = path in ("/healthz", "/readyz")
        assert response.status_code == (200 if open_ else 401), path
        if not open_:
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert response.get_json()["issue"][0]["code"] == "login"
        assert client.options(path, headers=ORIGIN).status_code == 204
    assert client.get("/nowhere").status_code == 401


# --- feedback ---------------------------------------------------------------------------------

CARD = "14e6e1ac-d299-4316-af48-e0cd2c0295df"
ACCEPTED = {
    "card": CARD,
    "outcome": "accepted",
    "acceptedSuggestions": [{"id": "99d4c886-82c9-454c-8f06-0e4b4ce1a23c"}],
    "outcomeTimestamp": "2026-11-22T01:14:45.729Z",
}
OVERRIDDEN = {
    "card": CARD,
    "outcome": "overridden",
    "outcomeTimestamp": "2026-11-22T01:14:50Z",
    "overrideReason": {"reason": {"code": "contra", "system": "urn:x:or"}, "userComment": "no"},
}


@pytest.mark.parametrize(
    "items",
    [[ACCEPTED], [OVERRIDDEN], [ACCEPTED, OVERRIDDEN], [without(OVERRIDDEN, "overrideReason")], []],
)
def test_feedback_is_taken(bench: Bench, items: list[Json]) -> None:
    response = bench.client.post(f"{HOOK}/feedback", json={"feedback": items})
    assert response.status_code == 200
    assert bench.lines()[0]["feedback"] == len(items)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (without(ACCEPTED, "card"), "/feedback/1"),
        (ACCEPTED | {"outcome": "ignored"}, "/feedback/1/outcome"),
        (ACCEPTED | {"acceptedSuggestions": []}, "/feedback/1/acceptedSuggestions"),
        (without(ACCEPTED, "acceptedSuggestions"), "/feedback/1"),
        (ACCEPTED | {"outcomeTimestamp": "yesterday"}, "/feedback/1/outcomeTimestamp"),
        (ACCEPTED | {"card": "c1"}, "/feedback/1/card"),
        (7, "/feedback/1"),
    ],
)
def test_one_bad_item_is_named_and_the_good_count(bench: Bench, bad: Any, words: str) -> None:
    value = {"feedback": [ACCEPTED, bad, OVERRIDDEN]}
    response = bench.client.post(f"{HOOK}/feedback", json=value)
    assert response.status_code == 400
    assert words in response.get_json()["issue"][0]["diagnostics"]
    assert bench.lines()[0]["feedback"] == 2


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 9999, b'{"feedback": {}}', b"\xff"])
def test_feedback_that_is_none(bench: Bench, data: bytes) -> None:
    response = bench.client.post(f"{HOOK}/feedback", data=data, content_type="application/json")
    assert response.status_code == 400
    assert is_outcome(response)


# --- the rest ---------------------------------------------------------------------------------


def test_openapi_describes_every_route(bench: Bench) -> None:
    response = bench.client.get("/openapi.json")
    document = response.get_json()
    assert document["openapi"] == "3.1.0"
    for service in SERVICES:
        assert f"/cds-services/{service}" in document["paths"]
        assert f"/cds-services/{service}/feedback" in document["paths"]
    text = response.data.decode()
    for reference in set(re.findall(r'"#(/[^"]+)"', text)):
        at: Any = document
        for part in reference.strip("/").split("/"):
            at = at[part]


def test_health_and_readiness(bench: Bench) -> None:
    assert bench.client.get("/healthz").get_json() == {"status": "ok"}
    ready = bench.client.get("/readyz").get_json()
    protocol = shipped("standard")
    assert ready["status"] == "ready"
    assert ready["protocol"]["hash"] == protocol.hash
    assert ready["protocol"]["reviewOverdue"] is False


def test_readiness_reports_an_overdue_review() -> None:
    due: date = shipped("standard").review_due
    late = Bench(now=NOW.replace(year=due.year + 1))
    response = late.client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json()["protocol"]["reviewOverdue"] is True


def test_pages_for_people(bench: Bench) -> None:
    assert b"Repletion" in bench.client.get("/").data
    protocol = bench.client.get("/protocol")
    assert protocol.content_type == "text/html; charset=utf-8"
    assert protocol.data


def test_metrics(bench: Bench) -> None:
    bench.hook(request())
    bench.hook(without(request(), "prefetch/weight"))
    bench.client.post(f"{HOOK}/feedback", json={"feedback": [ACCEPTED]})
    text = bench.client.get("/metrics").get_data(as_text=True)
    for name in ("requests_total", "request_seconds_count", "cards_total", "gaps_total"):
        assert f"repletion_{name}" in text
    assert 'repletion_gaps_total{need="weight"}' in text
    assert 'outcome="accepted"' in text


def test_the_log_line_has_closed_keys_and_nothing_of_the_patient(bench: Bench) -> None:
    secret = "Zq9-secret"
    value = changed(request("order-select"), "hookInstance", secret)
    value["context"]["userId"] = f"Practitioner/{secret}"
    value["fhirServer"] = f"https://ehr.example.org/{secret}"
    value["fhirAuthorization"] = {"access_token": secret}
    value["prefetch"]["patient"]["name"] = [{"family": secret}]
    headers = {"Authorization": f"Bearer {secret}", "Cookie": secret}
    bench.hook(value, headers=headers)
    bench.hook(without(value, "prefetch/patient"), headers=headers)
    bench.client.get(f"/{secret}?{secret}")
    bench.client.open("/cds-services", method=secret)
    assert secret not in bench.out.getvalue()
    assert len(bench.lines()) == 4
    keys = set(RequestLine.__dataclass_fields__) | {"event", "level", "timestamp"}
    for line in bench.lines():
        assert set(line) <= keys


@pytest.mark.parametrize(
    ("server", "host", "setting"),
    [
        ("https://ehr.example.org/r4", "ehr.example.org", "REPLETION_FHIR_HOSTS=ehr.example.org"),
        ("https://EHR.example.org:8443", "ehr.example.org:8443", "=ehr.example.org:8443"),
        ("http://ehr.example.org", "ehr.example.org", "and https in the record's fhirServer"),
        ("https://10.2.3.4/r4", "10.2.3.4", "REPLETION_FHIR_HOSTS=10.2.3.4"),
        ("https://user:Zq9@ehr.example.org", None, "no plain http or https URL"),
        ("https://a.example.org/?Zq9", None, "no plain http or https URL"),
        (f"https://{'a.' * 200}org", None, "no plain http or https URL"),
    ],
)
def test_a_server_that_is_not_allowed_is_named_in_the_log_with_the_setting(
    server: str, host: str | None, setting: str
) -> None:
    bench = Bench()
    bench.hook({**without(request(), "prefetch/weight"), "fhirServer": server})
    (line,) = bench.lines()
    assert line.get("fhir_refused") == host
    assert setting in line["allowed_by"]
    assert "Zq9" not in bench.out.getvalue()


def test_nothing_is_said_of_hosts_when_nobody_was_to_be_asked(bench: Bench) -> None:
    bench.hook(without(request(), "prefetch/weight"))
    assert not {"fhir_refused", "allowed_by"} & set(bench.lines()[0])


def test_the_metrics_tell_nothing_of_the_patient(bench: Bench) -> None:
    secret = "Zq9-secret"
    value = changed(request("order-select"), "hookInstance", secret)
    value["context"]["userId"] = f"Practitioner/{secret}"
    value["fhirServer"] = f"https://{secret}.example.org"
    value["fhirAuthorization"] = {"access_token": secret}
    value["prefetch"]["patient"]["name"] = [{"family": secret}]
    text = json.dumps(value).replace('"p1"', f'"{secret}"').replace("/p1", f"/{secret}")
    headers = {"Authorization": f"Bearer {secret}", "Cookie": secret}
    bench.hook(json.loads(text), headers=headers)
    bench.hook(without(json.loads(text), "prefetch/patient"), headers=headers)
    bench.client.get(f"/{secret}?{secret}")
    metrics = bench.client.get("/metrics").get_data(as_text=True)
    assert "repletion_request_seconds_count" in metrics
    assert secret.lower() not in metrics.lower()


def test_the_correlation_id_is_the_callers_trace() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert correlation_id(f"00-{trace}-00f067aa0ba902b7-01") == trace
    for header in (None, "", "00-x", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{trace}"):
        assert re.fullmatch("[0-9a-f]{32}", correlation_id(header))


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_the_trace_goes_on_in_the_answer(bench: Bench) -> None:
    def returned(header: str | None) -> list[str]:
        headers = {} if header is None else {"traceparent": header}
        found: str = bench.client.get("/healthz", headers=headers).headers["traceparent"]
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", found)
        return found.split("-")

    assert returned(f"00-{TRACE}-{SPAN}-01")[1::2] == [TRACE, "01"]
    assert returned(f"00-{TRACE}-{SPAN}-00")[1::2] == [TRACE, "00"]
    assert returned(f"00-{TRACE}-{SPAN}-01")[2] != SPAN
    assert returned(f"cc-{TRACE}-{SPAN}-01-more")[1] == TRACE  # a version to come
    for wrong in (
        None,
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
    ):
        assert returned(wrong)[1::2] != [TRACE, "01"]


def test_readiness_tells_of_the_store(bench: Bench, tmp_path: Path) -> None:
    assert bench.client.get("/readyz").get_json()["store"] == "none"
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    app = create_app(Settings(), now=lambda: NOW, observer=Observer(io.StringIO()), store=store)
    assert app.test_client().get("/readyz").get_json()["store"] == "ok"
    store.engine.dispose()
    (tmp_path / "store.db").unlink()
    (tmp_path / "store.db").mkdir()
    down = app.test_client().get("/readyz")
    assert (down.status_code, down.get_json()["store"]) == (200, "down")


def test_chunks_that_are_none(bench: Bench) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise RuntimeError("Zq9-secret")

    response = bench.client.post(
        HOOK,
        input_stream=Broken(),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert response.status_code == 400
    assert is_outcome(response)
    assert "Zq9" not in bench.out.getvalue() + response.text


def test_the_protocol_is_a_profile_or_a_file() -> None:
    assert load_protocol(PROFILES[-1]).name == shipped(PROFILES[-1]).name
    with pytest.raises(SettingsError, match="neither a shipped profile"):
        load_protocol("/nowhere.toml")

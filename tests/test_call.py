"""``repletion call``: what it sends, what it never shows, and how it ends."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import ECKey, OctKey, RSAKey
from pytest_httpserver import HTTPServer
from rich.console import Console
from werkzeug import Request, Response

from service.call.address import AddressError, read_address
from service.call.meaning import exit_code, meaning
from service.call.message import MessageError, read_message
from service.call.show import Show
from service.call.token import KeyRefused, read_client
from service.cli import main
from service.trust import Call, Trust, read_clients
from tests.contract.golden import FIXTURES
from tests.tokens import BASE, ISSUER, JKU, ec, rsa, write_clients

pytestmark = pytest.mark.real_clock  # the command moves times to the present
Json = dict[str, Any]
FIXTURE = FIXTURES / "hooks/potassium-with-low-magnesium.json"
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
CARD = {
    "summary": "A summary that is a good deal longer than one line of a terminal is wide " * 2,
    "indicator": "warning",
    "source": {"label": "Somebody"},
    "detail": "Some **detail**.",
    "suggestions": [
        {
            "label": "Do it",
            "isRecommended": True,
            "actions": [{"type": "create", "description": "x"}],
        }
    ],
}
DISCOVERY = {
    "services": [
        {"hook": "order-select", "id": "s1", "title": "T", "prefetch": {"patient": "", "qtc": ""}}
    ]
}


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["call", *arguments], input=stdin)


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    """Another CDS Hooks server, with one service for order-select."""
    httpserver.expect_request("/cds-services").respond_with_json(DISCOVERY)
    return httpserver


def answering(server: HTTPServer, content: Any, status: int = 200) -> str:
    server.expect_request("/cds-services/s1", method="POST").respond_with_json(
        content, status=status
    )
    return server.url_for("")


# --- how it ends ------------------------------------------------------------------------------


def test_a_card_is_shown_whole(server: HTTPServer) -> None:
    result = run(str(FIXTURE), "--url", answering(server, {"cards": [CARD]}))
    assert result.exit_code == 0
    shown = " ".join(result.output.replace("│", " ").split())
    for words in (f"WARNING: {CARD['summary']}".strip(), "★ Do it", "create: x", "1 card.", "200"):
        assert words in shown
    assert " ms" in shown
    # The one key that discovery asks for and the fixture does not bring is named.
    sent = json.loads(server.log[-1][0].get_data())
    assert ("qtc" in sent["prefetch"]) != ("not in it: qtc" in shown)


@pytest.mark.parametrize(
    ("status", "content", "code", "words"),
    [
        (200, {"cards": []}, 3, "nothing to say"),
        (200, {"services": []}, 5, "no list `cards`"),
        (200, [], 5, "no list `cards`"),
        (400, {"issue": [{"severity": "error", "details": {"text": "no hook"}}]}, 4, "no hook"),
        (401, {}, 4, "audience"),
        (404, {}, 4, "No CDS service is at this URL"),
        (412, {}, 4, "too little data"),
        (500, {}, 4, "correlation id"),
        (503, {}, 4, "not ready"),
    ],
)
def test_how_it_ends_otherwise(
    server: HTTPServer, status: int, content: Any, code: int, words: str
) -> None:
    result = run(str(FIXTURE), "--url", answering(server, content, status))
    assert (result.exit_code, words in result.output) == (code, True), result.output
    assert f": {status}, " in result.output
    assert "Traceback" not in result.output


def test_no_redirect_is_followed(server: HTTPServer) -> None:
    for path in ("/cds-services/s1", "/elsewhere"):
        away = Response(status=307, headers={"Location": server.url_for("/elsewhere")})
        server.expect_request(path).respond_with_response(away)
    result = run(str(FIXTURE), "--url", server.url_for(""))
    assert result.exit_code == 4
    assert "Location: " in result.output
    assert "not followed" in result.output
    assert [request.path for request, _ in server.log] == ["/cds-services", "/cds-services/s1"]


@pytest.mark.loopback
def test_nobody_listens() -> None:
    result = run(str(FIXTURE), "--url", "http://127.0.0.1:9")
    assert result.exit_code == 5
    assert "nobody listens there" in result.output


def test_a_server_that_drips_is_given_up(server: HTTPServer) -> None:
    import time

    def slow(_: Request) -> Response:
        time.sleep(1)
        return Response("{}")

    server.expect_request("/cds-services/s1").respond_with_handler(slow)
    result = run(str(FIXTURE), "--url", server.url_for(""), "--timeout", "0.3")
    assert (result.exit_code, "within 0.3 s" in result.output) == (5, True)


def test_a_broken_discovery_does_not_keep_it_from_calling(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/cds-services").respond_with_json({}, status=500)
    url = answering(httpserver, {"cards": [CARD]})
    assert run(str(FIXTURE), "--url", f"{url}/cds-services/s1").exit_code == 0
    assert run(str(FIXTURE), "--url", url, "--service", "s1").exit_code == 0


def test_which_service_is_asked_for_when_two_are_for_the_hook(httpserver: HTTPServer) -> None:
    services = [{"hook": "order-select", "id": "a"}, {"hook": "order-select", "id": "b"}]
    httpserver.expect_request("/cds-services").respond_with_json({"services": services})
    result = run(str(FIXTURE), "--url", httpserver.url_for(""))
    assert (result.exit_code, "offered: a, b" in result.output) == (4, True)


def test_the_exit_codes() -> None:
    assert [exit_code(200, 2), exit_code(200, 0), exit_code(302, None), exit_code(401, None)] == [
        0, 3, 4, 4,
    ]  # fmt: skip
    assert exit_code(200, None) == 5
    assert all(meaning(status) for status in (200, 204, 307, 418, 599))


# --- what may be called -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "discovery", "service"),
    [
        ("https://h", "https://h/cds-services", None),
        ("https://h/", "https://h/cds-services", None),
        ("https://h/a/", "https://h/a/cds-services", None),
        ("https://h/a/cds-services", "https://h/a/cds-services", None),
        ("https://h/cds-services/x", "https://h/cds-services", "x"),
    ],
)
def test_the_forms_of_a_url(url: str, discovery: str, service: str | None) -> None:
    address = read_address(url, insecure=False, is_loopback=False)
    assert (address.discovery, address.service) == (discovery, service)


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "https://", "https://u:p@h", "https://h/?a=b"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(AddressError):
        read_address(url, insecure=True, is_loopback=False)


def test_plain_http_goes_no_further_than_this_machine() -> None:
    result = run(str(FIXTURE), "--url", "http://ehr.example.org")
    assert (result.exit_code, "--insecure" in result.output) == (2, True)
    assert read_address("http://h", insecure=True, is_loopback=False).discovery
    assert read_address("http://127.0.0.1", insecure=False, is_loopback=True).discovery


# --- times ------------------------------------------------------------------------------------


def message(data: Json, **options: Any) -> Json:
    chosen = {"captured": None, "as_is": False, **options}
    found = read_message(json.dumps(data).encode(), NOW, "new", **chosen)
    content = json.loads(found.body)
    assert isinstance(content, dict)
    return content | {"how": found.how}


CAPTURED = {
    "hook": "patient-view",
    "hookInstance": "old",
    "prefetch": {
        "a": {"effectiveDateTime": "2025-01-01T06:00:00Z", "issued": "2025-01-01T07:00:00Z"},
        "b": {"boundsPeriod": {"end": "2025-01-09T07:00:00Z"}},
    },
}


def test_a_captured_request_is_moved_so_that_its_newest_time_of_writing_is_now() -> None:
    found = message(CAPTURED)
    assert found["prefetch"]["a"]["effectiveDateTime"] == "2026-03-01T07:00:00Z"
    assert found["prefetch"]["b"]["boundsPeriod"]["end"] == "2026-03-09T08:00:00Z"
    assert found["hookInstance"] == "new"
    assert "424 d 1 h 0 min" in found["how"]


def test_or_by_when_it_was_captured_or_not_at_all() -> None:
    captured = datetime(2025, 1, 1, 10, 0, tzinfo=UTC)
    found = message(CAPTURED, captured=captured)
    assert found["prefetch"]["a"]["effectiveDateTime"] == "2026-03-01T04:00:00Z"
    assert message(CAPTURED, as_is=True) == CAPTURED | {"how": "sent as it is"}
    timeless = {"hook": "x", "prefetch": {}}
    assert message(timeless)["how"] == "no time in it to move"


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"hook": 1}', b"[" * 99_999])
def test_what_is_no_request_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(data, NOW, "new", captured=None, as_is=False)
    result = run("-", "--url", "http://127.0.0.1:9", stdin=data)
    assert (result.exit_code, "standard input" in result.output) == (2, True)


def test_a_wrong_time_of_capture_is_refused() -> None:
    result = run(str(FIXTURE), "--url", "http://127.0.0.1:9", "--captured", "then")
    assert (result.exit_code, "--captured then" in result.output) == (2, True)


# --- who calls --------------------------------------------------------------------------------


def private(key: ECKey | RSAKey, **more: Any) -> Json:
    return {**key.as_dict(private=True), **more}


class Unused:
    def use_token(self, key: bytes, expires: float, now: float) -> bool:
        return True


@pytest.mark.parametrize(("key", "kid"), [(ec("ehr"), "ehr-ec"), (rsa("ehr"), "ehr-rsa")])
def test_our_own_door_lets_a_signed_call_in(key: ECKey | RSAKey, kid: str, tmp_path: Path) -> None:
    audience = f"{BASE}/cds-services/magnesium-patient-view"
    jwk = json.dumps(private(key, use="sig", key_ops=["sign"])).encode()
    client = read_client(jwk, ISSUER, kid, JKU, "north")
    trust = Trust(read_clients(write_clients(tmp_path)), Unused(), lambda: NOW)
    token = client.token(audience, NOW + timedelta(seconds=5), "one")
    caller = trust.caller(f"Bearer {token}", Call((audience,)))
    assert (caller.issuer, caller.tenant) == (ISSUER, "north")


@pytest.mark.parametrize(
    ("jwk", "words"),
    [
        ({"keys": []}, "key set"),
        ([], "not one JWK"),
        (ec("a").as_dict(private=False) | {"kid": "k"}, "no private part"),
        (private(ec("a")) | {"kid": None}, "has no kid"),
        (private(ec("small", "P-256"), kid="k"), "neither EC P-384"),
        (private(OctKey.generate_key(256), kid="k"), "no private part"),  # type: ignore[arg-type]
        (private(rsa("short", 1024), kid="k"), "neither EC P-384"),
        (private(ec("a"), kid="k") | {"x": "!"}, "cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_key_that_cannot_sign_is_refused_without_a_word_of_it(jwk: Any, words: str) -> None:
    with pytest.raises(KeyRefused) as refused:
        read_client(json.dumps(jwk).encode(), ISSUER, None, None, None)
    assert words in str(refused.value)
    secret = jwk.get("d") if isinstance(jwk, dict) else None
    assert secret is None or secret not in str(refused.value)


def test_neither_token_nor_key_is_shown(server: HTTPServer, tmp_path: Path) -> None:
    """Not with --verbose, and not when the server quotes what it was sent."""
    tokens: list[str] = []

    def echo(request: Request) -> Response:
        tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        lent = request.get_json()["fhirAuthorization"]["access_token"]
        issue = {"severity": "error", "details": {"text": f"{tokens[-1]} {lent}"}}
        return Response(json.dumps({"issue": [issue]}), 403, {"X-Quoted": tokens[-1]})

    server.expect_request("/cds-services/s1").respond_with_handler(echo)
    key = tmp_path / "key.jwk"
    jwk = private(ec("ehr"), kid="k1")
    key.write_text(json.dumps(jwk))
    body = json.loads(FIXTURE.read_bytes())["request"]
    body |= {"fhirAuthorization": {"access_token": "lent-by-the-record"}}
    url = server.url_for("")
    signed = ("--client-key", str(key), "--issuer", ISSUER)
    result = run("-", "--url", url, *signed, "--verbose", stdin=json.dumps(body).encode())
    assert result.exit_code == 4, result.output
    assert "> Authorization: Bearer (not shown)" in result.output
    assert "< X-Quoted: (not shown)" in result.output
    discovered = server.log[0][0].headers["Authorization"].removeprefix("Bearer ")
    assert len({discovered, *tokens}) == 2, "each call has a token of its own"
    for secret in (*tokens, discovered, jwk["d"], "lent-by-the-record"):
        assert secret not in result.output
        assert secret.rpartition(".")[2] not in result.output


def test_key_and_issuer_go_together(tmp_path: Path) -> None:
    result = run(str(FIXTURE), "--url", "http://127.0.0.1:9", "--issuer", "x")
    assert (result.exit_code, "go together" in result.output) == (2, True)
    key = tmp_path / "key"
    key.write_text("secret words")
    result = run(
        str(FIXTURE), "--url", "http://127.0.0.1:9", "--client-key", str(key), "--issuer", "x"
    )
    assert result.exit_code == 2
    assert "secret words" not in result.output


# --- what the other side says -----------------------------------------------------------------


@pytest.mark.parametrize(
    "card",
    [
        None, 3, "text", {}, {"summary": 1, "source": [], "suggestions": [1, {"actions": "x"}]},
        {"summary": "\x1b[2J\x07gone", "detail": "\x1b]0;title\x07", "indicator": "\x1b[31m"},
    ],
)  # fmt: skip
def test_any_card_is_shown_inert(card: Any) -> None:
    out = io.StringIO()
    Show(Console(file=out, width=80)).card(card)
    assert out.getvalue()
    assert not {"\x1b", "\x07"} & set(out.getvalue())


def test_what_is_no_outcome_is_shown_as_it_is_but_inert() -> None:
    out = io.StringIO()
    Show(Console(file=out, width=80)).trouble(b"<html>\x1b[2J\xff" + b"x" * 9999)
    assert "<html>" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue()) < 3000

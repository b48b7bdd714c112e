"""Nothing of a patient, a clinician or a token leaves a request, except in its own answer.

Secrets are planted in every field of real requests to the real server, one field at a time so
that the request gets as far as it can, and in every other place a caller can write to. Then the
logs, the metrics, the trace headers, the error bodies and the database are searched.
"""

from __future__ import annotations

import copy
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import create_engine, select, text

from service.observe import RequestLine
from service.store.tables import unrecognised
from tests import databases
from tests.contract.shapes import MAGNESIUM_OXIDE, draft, request, sandbox_order
from tests.server import Server, free_port, serving
from tests.tokens import ISSUER, ec, signed, write_clients

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
Json = dict[str, Any]
SECRET = "Zq9x7SECRET"
# A clinical value that no card, count or time of ours comes to by chance.
VALUE = 1.034567891
SCRAPER = "of the scraper, long enough"
LINE = {*RequestLine.__dataclass_fields__, "event", "level", "timestamp", "pid", "text"}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every text, number, truth or null in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from leaves(inner, (*path, position))
    else:
        yield path


def planted(base: Json, path: tuple[str | int, ...], number: int) -> Json:
    new = copy.deepcopy(base)
    at: Any = new
    for part in path[:-1]:
        at = at[part]
    old = at[path[-1]]
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        at[path[-1]] = VALUE
    elif path[-1] in ("reference", "patientId", "userId") and isinstance(old, str):
        at[path[-1]] = f"{old}-{SECRET}{number:04}"
    else:
        at[path[-1]] = f"{SECRET}{number:04}"
    return new


def requests(fhir: str) -> Iterator[tuple[str, Json]]:
    """(path, body), a secret in one field of each."""
    lent = {
        "fhirServer": fhir,
        "fhirAuthorization": {
            "access_token": f"{SECRET}-access",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "client-7",
            "patient": "p1",
        },
    }
    drafts = [draft(), sandbox_order(*MAGNESIUM_OXIDE)]
    number = 0
    for base in (
        request("patient-view", **lent),
        request("order-sign", *drafts, **lent),
        request("order-select", *drafts, **lent),
    ):
        base["prefetch"]["patient"]["name"] = [{"family": "x", "given": ["y"]}]
        base["prefetch"]["patient"]["identifier"] = [{"system": "urn:x", "value": "z"}]
        for path in leaves(base):
            number += 1
            yield f"/cds-services/magnesium-{base['hook']}", planted(base, path, number)
    card = "14e6e1ac-d299-4316-af48-e0cd2c0295df"
    items: Json = {
        "feedback": [
            {
                "card": card,
                "outcome": "overridden",
                "outcomeTimestamp": "2026-03-01T08:00:00Z",
                "overrideReason": {
                    "reason": {"code": "x", "system": "urn:x", "display": "x"},
                    "userComment": "x",
                },
            },
            {
                "card": card,
                "outcome": "accepted",
                "outcomeTimestamp": "2026-03-01T08:00:00Z",
                "acceptedSuggestions": [{"id": card}],
            },
        ]
    }
    for path in leaves(items):
        number += 1
        yield "/cds-services/magnesium-patient-view/feedback", planted(items, path, number)


def token(base: str, path: str, number: int, **more: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": ISSUER,
        "aud": base + path,
        "iat": now,
        "exp": now + 300,
        "jti": f"{SECRET}-jti-{number}",
        "sub": f"{SECRET}-sub",
        "tenant": f"{SECRET}-tenant",
        "name": f"{SECRET}-name",
        **more,
    }
    header = {"alg": "ES384", "typ": "JWT", "kid": "ehr-ec", "zzz": f"{SECRET}-header"}
    return signed(header, claims, ec("ehr"))


HEADERS = {
    "Cookie": f"a={SECRET}",
    "User-Agent": SECRET,
    "Referer": f"https://x.org/{SECRET}",
    "Origin": f"https://{SECRET}.example.org",
    "X-Forwarded-For": SECRET,
    "X-Correlation-Id": SECRET,
    "traceparent": f"00-{SECRET}-00f067aa0ba902b7-01",
    "tracestate": f"a={SECRET}",
    "baggage": f"patient={SECRET}",
    "Accept": SECRET,
}


def odd_calls(server: Server, base: str) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """Secrets where no field is: paths, queries, methods, headers, tokens, malformed HTTP."""
    view = "/cds-services/magnesium-patient-view"
    body = json.dumps(request()).encode()
    bad = {"iss": f"https://{SECRET}.org", "aud": SECRET, "jti": SECRET, "exp": SECRET}
    for name, value in bad.items():
        yield ask(server, "POST", view, body, token(base, view, 1, **{name: value}))
    yield ask(server, "POST", view, body, f"{SECRET}.{SECRET}.{SECRET}")
    yield ask(server, "POST", view, body, SECRET)
    for path in (
        f"/{SECRET}",
        f"/cds-services/{SECRET}",
        f"{view}?name={SECRET}",
        f"/a%00{SECRET}",
    ):
        yield ask(server, "GET", path, None, token(base, path, 2))
        yield ask(server, "POST", path, body, token(base, path, 3))
    yield ask(server, SECRET.upper(), view, body, token(base, view, 4))
    yield ask(server, "POST", view, SECRET.encode(), token(base, view, 5))
    yield ask(server, "POST", view, b'{"' + SECRET.encode(), token(base, view, 6))
    more = {"Content-Type": f"text/{SECRET}"}
    yield ask(server, "POST", view, body, token(base, view, 7), more)
    for data in (
        f"GET /{SECRET} HTTP/9.9\r\nAuthorization: Bearer {SECRET}\r\n\r\n",
        f"{SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{SECRET} : {SECRET}\r\n\r\n",
        f"POST {view} HTTP/1.1\r\nContent-Length: {SECRET}\r\n\r\n",
        f"POST {view} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
            raw.sendall(data.encode())
            raw.shutdown(socket.SHUT_WR)
            yield 400, {}, raw.recv(65_536)


def ask(
    server: Server,
    method: str,
    path: str,
    body: bytes | None,
    bearer: str,
    more: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    connection = server.connect()
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
    connection.request(method, path, body, {**headers, **HEADERS, **(more or {})})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), content


def searched(what: str, content: str | bytes) -> None:
    found = content if isinstance(content, str) else content.decode(errors="replace")
    for needle in (SECRET, SECRET.lower(), SECRET.upper(), str(VALUE), "eyJ"):
        assert needle not in found, (
            f"{what}: {re.findall(f'.{{0,80}}{needle}.{{0,80}}', found)[:2]}"
        )


@pytest.mark.parametrize(
    "kind",
    ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.slow])],
)
def test_planted_secrets_stay_where_they_are(
    kind: str, tmp_path: Path, httpserver: HTTPServer
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    # A FHIR server that answers with secrets, in good and in bad form.
    httpserver.expect_request(re.compile("/fhir/Observation.*")).respond_with_json(
        {"resourceType": "OperationOutcome", "text": SECRET}, 500, {"X-Secret": SECRET}
    )
    httpserver.expect_request(re.compile("/fhir/Condition.*")).respond_with_data(f"<{SECRET}>")
    with ExitStack() as stack:
        url = (
            f"sqlite:///{tmp_path}/store.db"
            if kind == "sqlite"
            else stack.enter_context(databases.postgres())
        )
        server = stack.enter_context(
            serving(
                tmp_path,
                2,
                port,
                auth="jwt",
                clients=write_clients(tmp_path),
                base_url=base,
                proxies="127.0.0.1",
                database_url=url,
                secret=f"{SECRET}-setting",
                metrics_token=SCRAPER,
                fhir_hosts=f"localhost:{httpserver.port}",
                rate_limit=0,
            )
        )
        statuses: dict[int, int] = {}
        calls = list(requests(httpserver.url_for("/fhir")))
        assert len(calls) >= 200
        answers = [
            ask(server, "POST", path, json.dumps(body).encode(), token(base, path, 100 + n))
            for n, (path, body) in enumerate(calls)
        ]
        answers += odd_calls(server, base)
        for status, headers, content in answers:
            statuses[status] = statuses.get(status, 0) + 1
            assert status < 500
            searched("headers", json.dumps(headers))
            if status != 200:
                searched("error", content)
        assert statuses[200] > 150  # most went all the way
        assert statuses[400] > 10
        status, metrics = server.call(
            "GET", "/metrics", None, {"Authorization": f"Bearer {SCRAPER}"}
        )
        assert status == 200
        searched("metrics", metrics)
        assert SCRAPER.encode() not in metrics
        for line in server.lines():
            assert set(line) <= LINE
        searched("log", server.out)
        searched("server log", server.err)
        codes = told(url)
        assert codes  # some of the secrets stood where a code does
        if kind == "sqlite":
            for path in tmp_path.glob("store.db*"):
                searched(path.name, codes.sub("", path.read_bytes().decode(errors="replace")))
        else:
            searched("database", codes.sub("", dumped(url)))
    searched("log of the end", server.out + server.err)


def told(url: str) -> re.Pattern[str]:
    """What is stored as it was sent, because it stood where a code, a system or a unit does: the
    page for those who map them needs it."""
    kept = unrecognised.c
    with create_engine(url.replace("postgresql:", "postgresql+psycopg:")).connect() as connection:
        rows = connection.execute(select(kept.system, kept.code, kept.unit, kept.text)).all()
    assert not any(SECRET in row.text for row in rows)
    found = sorted({re.escape(v) for row in rows for v in row[:3] if SECRET in v}, reverse=True)
    return re.compile("|".join(found) or "(?!)")


def dumped(url: str) -> str:
    """Every row of every table, as text."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalars()
        found = [connection.execute(text(f"SELECT t::text FROM {t} t")).scalars() for t in tables]
        content = "\n".join(str(row) for rows in found for row in rows)
    engine.dispose()
    assert content
    return content

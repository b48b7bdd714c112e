"""What holds against the many, the slow and the large: on the real server."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.errors import TooMany
from service.web.limit import Limiter
from tests import databases
from tests.certificate import write_certificate
from tests.contract.shapes import body, now_request, request
from tests.server import Server, free_port, serving
from tests.tokens import ISSUER, PATIENTS_KEY, ec, signed, write_clients

VIEW = "/cds-services/magnesium-patient-view"
pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]


def token(port: int, jti: str, path: str = VIEW, **more: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": ISSUER, "aud": f"http://127.0.0.1:{port}{path}", "iat": now, "exp": now + 300}
    header = {"alg": "ES384", "typ": "JWT", "kid": "ehr-ec"}
    return "Bearer " + signed(header, {**claims, "jti": jti, **more}, ec("ehr"))


@contextmanager
def guarded(folder: Path, workers: int = 1, **settings: object) -> Iterator[Server]:
    """A server in jwt mode, as if behind a proxy on this machine."""
    port = free_port()
    given: dict[str, object] = {
        "auth": "jwt",
        "clients": write_clients(folder),
        "base_url": f"http://127.0.0.1:{port}",
        "proxies": "127.0.0.1",
        "secret": PATIENTS_KEY,
        **settings,
    }
    with serving(folder, workers, port, **given) as server:
        yield server


def storm(server: Server, authorization: str, times: int, threads: int) -> Counter[int]:
    """The statuses of ``times`` calls with one token, sent as much at once as can be."""
    data = body(request())
    start = threading.Barrier(threads)

    def run(count: int) -> Counter[int]:
        found: Counter[int] = Counter()
        connection = server.connect()
        connection.connect()
        start.wait()
        for _ in range(count):
            headers = {"Authorization": authorization, "Content-Type": "application/json"}
            connection.request("POST", VIEW, data, headers)
            answer = connection.getresponse()
            answer.read()
            found[answer.status] += 1
        connection.close()
        return found

    with ThreadPoolExecutor(threads) as pool:
        shares = [times // threads] * threads
        return sum(pool.map(run, shares), Counter())


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_one_token_a_thousand_times_at_once(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = (
            f"sqlite:///{tmp_path}/store.db"
            if kind == "sqlite"
            else stack.enter_context(databases.postgres())
        )
        server = stack.enter_context(guarded(tmp_path, 4, database_url=url))
        found = storm(server, token(server.port, "one"), 1000, 50)
        assert found == {200: 1, 401: 999}
        # Every one was asked of the store or of its worker's memory, none was lost to a fault.
        assert {line.get("refused", "ok") for line in server.lines()} == {"ok", "replayed"}


@pytest.mark.postgres
def test_two_machines_on_one_database(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with databases.postgres() as url, ExitStack() as stack:
        one = stack.enter_context(guarded(tmp_path / "a", database_url=url))
        base = {"base_url": f"http://127.0.0.1:{one.port}"}
        two = stack.enter_context(guarded(tmp_path / "b", database_url=url, **base))
        shown = {"Authorization": token(one.port, "one")}
        assert one.call("POST", VIEW, body(request()), shown)[0] == 200
        assert two.call("POST", VIEW, body(request()), shown)[0] == 401


# --- rates ------------------------------------------------------------------------------------


def test_a_bucket_fills_and_empties() -> None:
    at = 0.0
    limiter = Limiter(10, lambda: at)
    for _ in range(20):
        limiter.take("a")
    with pytest.raises(TooMany):
        limiter.take("a")
    limiter.take("b")
    at = 0.1
    limiter.take("a")
    with pytest.raises(TooMany):
        limiter.take("a")
    for _ in range(1000):
        Limiter(0).take("a")


def test_a_client_in_a_loop_is_slowed_and_others_are_not(tmp_path: Path) -> None:
    with guarded(tmp_path, rate_limit=2) as server:
        path = "/cds-services"

        def get(number: int, **more: Any) -> int:
            shown = {"Authorization": token(server.port, str(number), path, **more)}
            status, content = server.call("GET", path, None, shown)
            assert (status == 429) == (b'"throttled"' in content)
            return status

        found = [get(n) for n in range(8)]
        assert found[:4] == [200] * 4
        assert 429 in found
        now = {"Authorization": token(server.port, "x")}
        assert server.call("POST", VIEW, body(request()), now)[0] == 429
        assert server.call("GET", "/healthz")[0] == 200


# --- slow clients -----------------------------------------------------------------------------


def dribble(server: Server, data: bytes, count: int) -> list[socket.socket]:
    """Connections that have sent ``data``, which is no whole request, and say no more."""
    found = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(data)
        found.append(connection)
    return found


SLOW = {
    "say nothing": b"",
    "half a header": b"POST " + VIEW.encode() + b" HTTP/1.1\r\nHost: x\r\nX-A: ",
    "half a body": b"POST " + VIEW.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n"
    b"Content-Type: application/json\r\n\r\n{",
    "half a long body": b"POST " + VIEW.encode() + b" HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 999999\r\nContent-Type: application/json\r\n\r\n" + b" " * 140_000,
}


@pytest.mark.parametrize("how", SLOW)
def test_slow_clients_do_not_silence_the_service(how: str, tmp_path: Path) -> None:
    """More of them than the worker has threads (16)."""
    with serving(tmp_path, fhir_deadline_s=1) as server:
        held = dribble(server, SLOW[how], 30)
        time.sleep(0.3)
        started = time.monotonic()
        status, content = server.call("POST", VIEW, body(now_request()))
        waited = time.monotonic() - started
        assert status == 200
        assert b'"cards":[{' in content
        # A long body is read by a thread: 30 take 16 threads twice, each time 3 s (the FHIR
        # deadline and 2 s) and a beat. The others wait in the loop, and nobody for them.
        assert waited < (10 if how == "half a long body" else 1), waited
        for connection in held:
            connection.close()


def test_strangers_with_long_bodies_are_let_go(tmp_path: Path) -> None:
    """Their 401 is sent without the rest of the body: a second for each thread they took."""
    with guarded(tmp_path) as server:
        held = dribble(server, SLOW["half a long body"], 30)
        time.sleep(0.3)
        started = time.monotonic()
        shown = {"Authorization": token(server.port, "one")}
        assert server.call("POST", VIEW, body(request()), shown)[0] == 200
        assert time.monotonic() - started < 3.5
        assert held[0].recv(100).startswith(b"HTTP/1.1 401")
        for connection in held:
            connection.close()


def test_a_second_request_that_stops_halfway_holds_no_thread(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        held = []
        for _ in range(30):
            connection = server.connect()
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            connection.sock.sendall(SLOW["half a header"])
            held.append(connection)
        time.sleep(0.3)
        started = time.monotonic()
        assert server.call("POST", VIEW, body(request()))[0] == 200
        assert time.monotonic() - started < 1
        for connection in held:
            connection.close()


PIECES = {
    "byte by byte": lambda data: [data[n : n + 1] for n in range(len(data))],
    "in three": lambda data: [data[:40], data[40:-20], data[-20:]],
    "two at once": lambda data: [data + data],
    "one and a half": lambda data: [data + data[:70], data[70:]],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, loopback: None) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.mark.parametrize("how", PIECES)
@pytest.mark.parametrize("chunked", [False, True])
def test_requests_in_pieces(how: str, chunked: bool, server: Server) -> None:
    content = b'{"feedback":[]}'
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if chunked else content
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(content)
    head = b"POST %s/feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    data = head % VIEW.encode() + length + b"\r\n\r\n" + sent
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in PIECES[how](data):
            connection.sendall(piece)
            time.sleep(0.001)
        expected = 2 if how in ("two at once", "one and a half") else 1
        found = b""
        while found.count(b"HTTP/1.1 200") < expected and (more := connection.recv(65_536)):
            found += more
    assert found.count(b"HTTP/1.1 200") == expected, found


def test_a_large_body_is_read_whole(tmp_path: Path) -> None:
    value = request()
    value["x"] = "y" * 3_000_000
    with serving(tmp_path) as server:
        status, content = server.call("POST", VIEW, body(value))
        assert (status, content[:10]) == (200, b'{"cards":[')
        headers = {"Expect": "100-continue"}
        assert server.call("POST", VIEW, body(request()), headers)[0] == 200


def test_a_client_that_stays_on_the_line_does_not_hold_the_loop(tmp_path: Path) -> None:
    """gunicorn waits in its loop, up to 2 s, for a client to hang up."""
    with serving(tmp_path) as server:
        held = []
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", server.port))
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            connection.recv(10)
            held.append(connection)
        started = time.monotonic()
        assert server.call("GET", "/healthz")[0] == 200
        assert time.monotonic() - started < 1
        for connection in held:
            connection.close()


# --- large and odd requests -------------------------------------------------------------------


def raw(server: Server, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(data)
        connection.settimeout(10)
        found = b""
        while chunk := connection.recv(65_536):
            found += chunk
            if b"\r\n\r\n" in found and found.split(b"\r\n\r\n", 1)[1].endswith(b"}"):
                break
        return found


def test_limits_of_a_request(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_mb=0.2) as server:
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        shapes = {
            b"414": b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n",
            b"431": head + b"A: " + b"a" * 20_000 + b"\r\n\r\n",
            b"431 ": head + b"".join(b"A%d: 1\r\n" % n for n in range(80)) + b"\r\n",
            b"400": b"s3cret nonsense\r\n\r\n",
            b"400 ": head + b"S3cret: \x00\r\n\r\n",
        }
        for status, data in shapes.items():
            found = raw(server, data)
            assert found.startswith(b"HTTP/1.1 " + status.strip()), found[:80]
            assert b"OperationOutcome" in found
            assert b"s3cret" not in found.lower()
        deep = b"[" * 50_000
        for data, status_code in ((b" " * 300_000, 413), (deep, 400), (b"{}", 400)):
            assert server.call("POST", VIEW, data)[0] == status_code
        assert "s3cret" not in (server.out + server.err).lower()
        assert all(line["event"] in ("request", "server") for line in server.lines())


def test_a_refused_client_that_still_sends_sees_the_answer(tmp_path: Path) -> None:
    with guarded(tmp_path) as server:
        for _ in range(5):
            assert server.call("POST", VIEW, b" " * 900_000)[0] == 401


# --- TLS --------------------------------------------------------------------------------------


def test_jwt_mode_over_our_own_tls(tmp_path: Path) -> None:
    import ssl
    import urllib.request

    cert, key = write_certificate(tmp_path)
    port = free_port()
    given = {
        "auth": "jwt",
        "clients": write_clients(tmp_path),
        "base_url": f"https://localhost:{port}",
        "secret": PATIENTS_KEY,
        "tls_cert": cert,
        "tls_key": key,
    }
    with serving(tmp_path, 1, port, **given):
        shown = token(port, "one", aud=f"https://localhost:{port}/cds-services")
        call = urllib.request.Request(
            f"https://localhost:{port}/cds-services", headers={"Authorization": shown}
        )
        context = ssl.create_default_context(cafile=str(cert))
        # A client that begins a handshake and stops: its thread is not lost.
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(b"\x16\x03\x01")
            with urllib.request.urlopen(call, timeout=10, context=context) as answer:
                assert answer.status == 200


# --- metrics ----------------------------------------------------------------------------------


def test_metrics_add_up_over_workers(tmp_path: Path) -> None:
    with serving(tmp_path, 3) as server:

        def run(_: int) -> int:
            return server.call("POST", VIEW, body(request()))[0]

        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(run, range(120))) == {200}
        assert len({line["pid"] for line in server.lines() if "pid" in line} or {0}) >= 1
        for _ in range(6):  # whichever worker answers
            text = server.call("GET", "/metrics")[1].decode()
            count = re.search(
                r'repletion_requests_total\{route="/cds-services/<service_id>",'
                r'status="200"\} (\S+)',
                text,
            )
            assert count is not None
            assert float(count[1]) == 120
            seconds = re.search(r"repletion_request_seconds_count\{.*?\} (\S+)", text)
            assert seconds is not None
            assert float(seconds[1]) == 120

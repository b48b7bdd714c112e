"""Where we may call: nothing that a request says makes us connect to a host that is not listed.

Every attempt runs against a trap: a listener on each loopback address in reach that counts who
connects. The first test shows that the trap would notice.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from cards.evidence import Evidence
from cards.protocol import shipped
from service.cdshooks.request import read_hook
from service.ehr import Ehr, Hosts, read_hosts
from service.ehr.hosts import read_base
from service.gather import gather
from tests.contract.shapes import Json, body, bundle, draft, patient, request, without
from tests.fhir_server.raw import Raw, reply, trap

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
STANDARD = shipped("standard")
NOT_ALLOWED = "not in the request, server not allowed"


@dataclass
class Traps:
    """The same port on IPv4 and IPv6 loopback, and on a second address."""

    four: Raw
    six: Raw
    other: Raw
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = self.four.port

    def caught(self) -> int:
        return sum(len(raw.connections) for raw in (self.four, self.six, self.other))


@pytest.fixture
def traps() -> Iterator[Traps]:
    with trap() as four, trap("::1", four.port) as six, trap("127.0.0.2", four.port) as other:
        yield Traps(four, six, other)


def ask(server: str, ehr: Ehr, value: Json | None = None) -> Evidence:
    value = value or request(prefetch={"patient": patient()})
    hook = read_hook(body(value | {"fhirServer": server}), "magnesium-patient-view")
    return gather(hook, STANDARD, fetch=ehr)[0]


def local(httpserver: HTTPServer) -> Ehr:
    return Ehr(read_hosts([f"127.0.0.1:{httpserver.port}"]), 1)


def test_the_trap_notices(traps: Traps) -> None:
    ask(f"http://127.0.0.1:{traps.port}/fhir", Ehr(read_hosts([f"127.0.0.1:{traps.port}"]), 1))
    assert traps.caught()


# --- fhirServer itself ------------------------------------------------------------------------

# {t}: the trap's port, {p}: that of the allowed server on 127.0.0.1.
URLS = """
    http://127.0.0.1:{t}/fhir
    https://127.0.0.1:{t}/fhir
    http://localhost:{t}/fhir
    http://LOCALHOST:{t}/fhir
    http://localhost.:{t}/fhir
    http://localhost:{p}/fhir
    http://[::1]:{t}/fhir
    http://[0:0:0:0:0:0:0:1]:{t}/fhir
    http://[::ffff:127.0.0.1]:{t}/fhir
    http://[::ffff:7f00:1]:{t}/fhir
    http://[::ffff:127.0.0.1]:{p}/fhir
    http://[::1%25lo]:{t}/fhir
    http://0.0.0.0:{t}/fhir
    http://[::]:{t}/fhir
    http://0:{t}/fhir
    http://2130706433:{t}/fhir
    http://2130706433:{p}/fhir
    http://0x7f000001:{t}/fhir
    http://0x7f.0.0.1:{p}/fhir
    http://017700000001:{t}/fhir
    http://0177.0.0.1:{p}/fhir
    http://127.1:{t}/fhir
    http://127.0.1:{p}/fhir
    http://127.0.0.01:{p}/fhir
    http://127.0.0.1.:{p}/fhir
    http://127.0.0.2:{t}/fhir
    http://%31%32%37.0.0.1:{t}/fhir
    http://①②⑦.⓪.⓪.①:{t}/fhir
    http://\uff11\uff12\uff17.0.0.1:{t}/fhir
    http://127。0。0。1:{t}/fhir
    http://127.0.0.1:{p}@127.0.0.1:{t}/fhir
    http://127.0.0.1:{p}%40127.0.0.1:{t}/fhir
    http://user:secret@127.0.0.1:{p}/fhir
    http://user@127.0.0.1:{p}/fhir
    http://@127.0.0.1:{t}/fhir
    http://127.0.0.1:{t}#@127.0.0.1:{p}/fhir
    http://127.0.0.1:{t}\\@127.0.0.1:{p}/fhir
    http://127.0.0.1:{p}\\@127.0.0.1:{t}/fhir
    http://127.0.0.1:{t}?@127.0.0.1:{p}/fhir
    http://127.0.0.1:{p}/fhir?to=http://127.0.0.1:{t}
    http://127.0.0.1:{p}/fhir#x
    http://127.0.0.1:{p}:{t}/fhir
    http://127.0.0.1:{p}.evil.example:{t}/fhir
    http://127.0.0.1.nip.io:{t}/fhir
    http://127.0.0.1:0/fhir
    http://127.0.0.1:99999/fhir
    http://127.0.0.1/fhir
    http:127.0.0.1:{t}/fhir
    http:/127.0.0.1:{t}/fhir
    http:///127.0.0.1:{t}/fhir
    //127.0.0.1:{t}/fhir
    127.0.0.1:{t}/fhir
    file:///etc/passwd
    file://127.0.0.1:{p}/etc/passwd
    ftp://127.0.0.1:{t}/fhir
    gopher://127.0.0.1:{t}/_GET
    dict://127.0.0.1:{t}/
    unix:///var/run/docker.sock
    data:application/json,{{}}
    javascript:fetch('http://127.0.0.1:{t}')
    jar:http://127.0.0.1:{t}/fhir!/
    ws://127.0.0.1:{t}/fhir
    http+unix://127.0.0.1:{t}/fhir
    http://ehr.example.org/fhir
    https://ehr.example.org:{t}/fhir
    https://ehr.example.org.evil.example/fhir
    https://notehr.example.org/fhir
    https://ehr-example.org/fhir
    https://ehr.example.org@evil.example/fhir
    https://ehr%2Eexample.org/fhir
    https://169.254.169.254/latest/meta-data
    http://169.254.169.254/latest/meta-data
    https://metadata.google.internal/
    https://10.2.3.4/fhir
    https://10.2.0.1/fhir
""".split()
SPACED = (
    "http://127.0.0.1:{t}/fhir ",
    " http://127.0.0.1:{p}/fhir",
    "http://127.0.0.1:{p}/fhir\r\nHost: 127.0.0.1:{t}",
    "http://127.0.0.1:{p}\t.evil.example:{t}/fhir",
    "http://127.0.0.1:{t}\x00.example.org/fhir",
    "http://127.0.0.1:{p}/" + "a" * 5000,
)


@pytest.mark.parametrize("url", [*URLS, *SPACED])
def test_a_server_that_is_not_listed_is_not_called(
    url: str, httpserver: HTTPServer, traps: Traps
) -> None:
    listed = [f"127.0.0.1:{httpserver.port}", "ehr.example.org", "10.2.0.0/16"]
    looked_up = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    evidence = ask(
        url.format(t=traps.port, p=httpserver.port), Ehr(read_hosts(listed), 1, resolve=resolve)
    )
    assert evidence.gaps["magnesium"].reason == NOT_ALLOWED
    assert not traps.caught()
    assert not httpserver.log
    assert not looked_up  # not even its name leaves the house


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    """127.0.0.1 ::1 0.0.0.0 :: 10.1.2.3 172.16.0.1 192.168.1.1 100.64.0.1 169.254.169.254
       fe80::1 fd00::1 fd00:ec2::254 ::ffff:127.0.0.1 ::ffff:10.1.2.3 64:ff9b::7f00:1
       2002:7f00:1:: 2001:0:7f00:1:: 224.0.0.1 ff02::1 240.0.0.1 255.255.255.255 192.0.2.1
       198.18.0.1 fe80::1%eth0 garbage""".split(),
)
def test_a_listed_name_leads_to_no_address_of_the_inside(address: str, traps: Traps) -> None:
    ehr = Ehr(read_hosts([f"ehr.example.org:{traps.port}"]), 1, resolve=lambda *_: [address])
    evidence = ask(f"https://ehr.example.org:{traps.port}/fhir", ehr)
    assert evidence.gaps["magnesium"].reason == NOT_ALLOWED
    assert not traps.caught()


def test_a_private_address_is_called_when_it_is_listed_too() -> None:
    base = read_base("https://ehr.example.org/fhir")
    assert base is not None
    name = "ehr.example.org"
    for listed, address, may in (
        ((), "93.184.215.14", True),
        ((), "2606:2800:220:1::1", True),
        ((), "10.2.3.4", False),
        (("10.2.3.4",), "10.2.3.4", True),
        (("10.2.3.4",), "::ffff:10.2.3.4", True),
        (("10.2.3.4",), "10.2.3.5", False),
        (("10.2.0.0/16",), "10.2.3.5", True),
        (("10.2.0.0/16",), "10.3.0.1", False),
        (("fd00::/8",), "fd00::1", True),
        (("127.0.0.1",), "127.0.0.1", True),
    ):
        assert read_hosts([name, *listed]).permits(base, address) is may, (listed, address)


def test_a_network_allows_no_host() -> None:
    assert read_hosts(["10.2.0.0/16"]).base("https://10.2.3.4/fhir") is None


def test_localhost_leads_to_this_machine_only(traps: Traps) -> None:
    ehr = Ehr(read_hosts(["localhost"]), 1, resolve=lambda *_: ["93.184.215.14", "10.0.0.1"])
    evidence = ask(f"http://localhost:{traps.port}/fhir", ehr)
    assert evidence.gaps["magnesium"].reason == NOT_ALLOWED


def test_dns_that_changes_is_asked_once_and_believed_once(
    httpserver: HTTPServer, traps: Traps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one that is connected to: 19 searches, one look-up."""
    httpserver.expect_request("/fhir/Encounter/e1").respond_with_json({}, 404)
    httpserver.expect_request("/fhir/Observation").respond_with_json(bundle())
    answers = iter([["127.0.0.1"]])

    def resolve(host: str, port: int) -> list[str]:
        return next(answers, ["127.0.0.2"])

    def lookup(host: str, *rest: object, **more: object) -> object:
        assert host == "127.0.0.1", f"{host} was looked up again"
        return real(host, *rest, **more)  # type: ignore[arg-type]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    ehr = Ehr(read_hosts([f"localhost:{httpserver.port}"]), 1, resolve=resolve)
    evidence = ask(f"http://localhost:{httpserver.port}/fhir", ehr)
    assert "magnesium" not in evidence.gaps
    assert {r.host for r, _ in httpserver.log} == {f"localhost:{httpserver.port}"}
    assert not traps.caught()


def test_only_the_permitted_of_several_addresses(httpserver: HTTPServer, traps: Traps) -> None:
    httpserver.expect_request("/fhir/Observation").respond_with_json(bundle())
    ehr = Ehr(
        read_hosts([f"localhost:{httpserver.port}"]),
        1,
        resolve=lambda *_: ["10.0.0.1", "169.254.169.254", "127.0.0.1"],
    )
    assert "magnesium" not in ask(f"http://localhost:{httpserver.port}/fhir", ehr).gaps


def test_the_next_address_is_tried_when_one_leads_nowhere(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/fhir/Observation").respond_with_json(bundle())
    ehr = Ehr(
        read_hosts([f"localhost:{httpserver.port}"]),
        1,
        resolve=lambda *_: ["::1", "127.0.0.3", "127.0.0.1"],  # nobody listens at the first two
    )
    assert "magnesium" not in ask(f"http://localhost:{httpserver.port}/fhir", ehr).gaps


# --- where an allowed server sends us ----------------------------------------------------------

ELSEWHERE = """
    http://127.0.0.1:{t}/fhir/Observation
    //127.0.0.1:{t}/fhir/Observation
    https://127.0.0.1:{p}/fhir/Observation
    http://localhost:{p}/fhir/Observation
    http://[::1]:{t}/fhir/Observation
    http://2130706433:{t}/fhir
    http://127.0.0.1:{p}@127.0.0.1:{t}/fhir
    http://127.0.0.1:{p}.evil.example/fhir
    http://user:secret@127.0.0.1:{p}/fhir
    \\\\127.0.0.1:{t}/fhir
    http:\\\\127.0.0.1:{t}/fhir
    file:///etc/passwd
    ftp://127.0.0.1:{t}/
    gopher://127.0.0.1:{t}/_
    http://169.254.169.254/latest/meta-data
    https://ehr.example.org/fhir
""".split()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_redirect_elsewhere_is_not_followed(url: str, status: int, traps: Traps) -> None:
    def redirect(connection: socket.socket, over: threading.Event, line: str) -> None:
        to = url.format(t=traps.port, p=server.port)
        connection.sendall(reply(b"", f"{status} Moved", f"Location: {to}"))

    with Raw(redirect) as server:
        ehr = Ehr(read_hosts([f"127.0.0.1:{server.port}"]), 1)
        evidence = ask(f"http://127.0.0.1:{server.port}/fhir", ehr)
    assert evidence.gaps["magnesium"].reason == "the record sent us on to another server"
    assert not traps.caught()
    assert all(line.split()[1].startswith("/fhir/") for line in server.requests)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_next_page_elsewhere_is_not_read(url: str, httpserver: HTTPServer, traps: Traps) -> None:
    to = url.format(t=traps.port, p=httpserver.port)
    page = bundle(link=[{"relation": "next", "url": to}])
    httpserver.expect_request("/fhir/Observation").respond_with_json(page)
    evidence = ask(f"http://127.0.0.1:{httpserver.port}/fhir", local(httpserver))
    assert evidence.gaps["magnesium"].reason == "more pages exist, on another server"
    assert not traps.caught()


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:{t}/fhir/Medication/1",
        "http://127.0.0.1:{p}@127.0.0.1:{t}/Medication/1",
        "//127.0.0.1:{t}/Medication/1",
        "@127.0.0.1:{t}/Medication/1",
        "Medication/..",
        "Medication/1?x=http://127.0.0.1:{t}/",
        "Medication/%2e%2e%2fadmin",
        "Medication/1#x",
        "Medication/1\r\nHost: 127.0.0.1:{t}",
    ],
)
def test_a_medication_elsewhere_is_not_read(
    reference: str, httpserver: HTTPServer, traps: Traps
) -> None:
    asked = []

    def medication(request: Request) -> Response:
        asked.append(request.path)
        return Response(status=404)

    httpserver.expect_request("/fhir/Medication/1").respond_with_handler(medication)
    value = request(fhirServer="x")
    to = reference.format(t=traps.port, p=httpserver.port)
    order = draft(id="o1", status="active", medicationReference={"reference": to})
    value["prefetch"]["medications"] = bundle(without(order, "medicationCodeableConcept"))
    ask(f"http://127.0.0.1:{httpserver.port}/fhir", local(httpserver), value)
    assert not traps.caught()
    # What is left of a strange reference may at most be an id, read from our own server.
    assert set(asked) <= {"/fhir/Medication/1"}
    assert all(r.path == "/fhir/Medication/1" for r, _ in httpserver.log)


@pytest.mark.parametrize("id_", ["@127.0.0.1:{t}", "..", "1?http:", "#", "%2e%2e", "1\r\nHost: x"])
def test_an_id_leads_nowhere_else(id_: str, httpserver: HTTPServer, traps: Traps) -> None:
    value = request(prefetch={})
    value["context"]["encounterId"] = id_.format(t=traps.port)
    value["context"]["patientId"] = id_.format(t=traps.port)
    ask(f"http://127.0.0.1:{httpserver.port}/fhir", local(httpserver), value)
    assert not traps.caught()
    assert all(r.path.startswith("/fhir/") for r, _ in httpserver.log)


def test_the_environment_sends_us_nowhere(
    httpserver: HTTPServer, traps: Traps, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{traps.port}")
    httpserver.expect_request("/fhir/Observation").respond_with_json(bundle())
    evidence = ask(f"http://127.0.0.1:{httpserver.port}/fhir", local(httpserver))
    assert "magnesium" not in evidence.gaps
    assert not traps.caught()


# --- the list ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "allowed", "refused"),
    [
        ("", "", "http://127.0.0.1/ https://ehr.example.org/"),
        (
            "ehr.example.org",
            "https://ehr.example.org/fhir https://EHR.example.org https://ehr.example.org:443/a/",
            "http://ehr.example.org/fhir https://ehr.example.org:8443/ http://ehr.example.org:443/",
        ),
        (
            "ehr.example.org:8443",
            "https://ehr.example.org:8443/fhir",
            "https://ehr.example.org/fhir http://ehr.example.org:8443/fhir",
        ),
        (
            "127.0.0.1,localhost,::1",
            "http://127.0.0.1:9100/r4 http://localhost/fhir https://127.0.0.1:1/",
            "http://127.0.0.2/ http://[::1]/",
        ),
        ("[::1]", "http://[::1]:80/ http://[0::1]/", "http://127.0.0.1/ http://localhost/"),
        ("10.2.3.4", "https://10.2.3.4/fhir", "http://10.2.3.4/fhir https://10.2.3.4:8443/"),
    ],
)
def test_what_an_entry_allows(entries: str, allowed: str, refused: str) -> None:
    names = [e for e in entries.split(",") if e and e != "::1"]
    hosts = read_hosts(names)
    assert all(hosts.base(url) is not None for url in allowed.split()), entries
    assert all(hosts.base(url) is None for url in refused.split()), entries


@pytest.mark.parametrize(
    "entry",
    """http://x/ https://ehr.example.org * *.example.org ehr.example.org:0 ehr.example.org:x
       ehr.example.org:70000 ::1 127.1 0x7f.1 2130706433 10.2.3.4/8 user@host a_b:
       -x ① [::1""".split(),
)
def test_a_wrong_entry_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither host"):
        read_hosts([entry])


def test_nothing_is_allowed_by_default() -> None:
    assert Hosts().base("https://ehr.example.org/fhir") is None

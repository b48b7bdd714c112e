"""The command line, the fixture clock, and the real server once."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cards.protocol import PROFILES
from service.cdshooks.fixture import read_fixture
from service.cdshooks.schema import explain
from service.cli import main
from service.config.settings import described
from service.server import demo
from tests.contract.golden import FIXTURES
from tests.contract.shapes import body, patient, request

JSON = {"Content-Type": "application/json"}
SEVERE = str(FIXTURES / "hooks" / "severe-patient-view.json")
ROOT = FIXTURES.parent


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_bytes(body(request()))
    return path


# --- decide -----------------------------------------------------------------------------------


def test_decide_prints_each_stage(file: Path) -> None:
    result = run("decide", str(file), "--now", "2026-03-01T08:00:00Z")
    assert result.exit_code == 0, result.output
    assert len(result.output.splitlines()) > 1


def test_decide_json_is_exactly_the_response(file: Path) -> None:
    result = run("decide", str(file), "--now", "2026-03-01T08:00:00Z", "--json")
    assert json.loads(result.output)["cards"][0]["indicator"] == "critical"


def test_decide_moves_a_fixture_to_the_time_asked_for() -> None:
    for now in ("2026-03-01T08:00:00Z", "2030-10-10T10:10:10+03:00", "2027-01-01T00:00"):
        result = run("decide", SEVERE, "--now", now, "--json")
        assert json.loads(result.output)["cards"][0]["indicator"] == "critical"


@pytest.mark.real_clock
def test_decide_moves_a_fixture_to_the_present() -> None:
    assert json.loads(run("decide", SEVERE, "--json").output)["cards"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "Expecting"),
        (b"[]", "expected a request for"),
        (b'{"hook": "order-review"}', "expected a request for"),
        (b"[" * 99_999, "nested too deeply"),
        (body(request(prefetch={})), "HTTP 412"),
        (body(request(prefetch={"patient": patient("p2")})), "HTTP 412"),
    ],
)
def test_decide_says_what_is_wrong(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    result = run("decide", str(file), "--now", "2026-03-01T08:00:00Z")
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_decide_takes_standard_input(file: Path) -> None:
    asked = ["decide", "-", "--now", "2026-03-01T08:00:00Z", "--json"]
    result = CliRunner().invoke(main, asked, input=file.read_bytes())
    assert json.loads(result.output)["cards"][0]["indicator"] == "critical"
    refused = CliRunner().invoke(main, asked, input=b"{")
    assert (refused.exit_code, "standard input: " in refused.output) == (2, True)


def test_decide_takes_a_patient_bundle_as_the_workbench_does(file: Path) -> None:
    sent = request()
    entries = [{"resource": sent["prefetch"]["patient"]}]
    for value in sent["prefetch"].values():
        entries += (value or {}).get("entry", [])
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    result = run("decide", str(file), "--now", "2026-03-01T08:00:00Z", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["cards"][0]["indicator"] == "critical"
    assert "Made from a Bundle" in result.stderr
    at_sign = run("decide", str(file), "--now", "2026-03-01T08:00:00Z", "--hook", "order-sign")
    assert at_sign.exit_code == 0, at_sign.output
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": []}))
    refused = run("decide", str(file), "--now", "2026-03-01T08:00:00Z")
    assert (refused.exit_code, "holds no Patient" in refused.output) == (2, True)


def test_decide_refuses_a_time_that_is_none(file: Path) -> None:
    result = run("decide", str(file), "--now", "yesterday")
    assert result.exit_code == 2
    assert "not an ISO 8601" in result.output


def test_decide_with_another_protocol(file: Path) -> None:
    now = ("--now", "2026-03-01T08:00:00Z")
    assert run("decide", str(file), "--protocol", PROFILES[-1], *now).exit_code == 0
    result = run("decide", str(file), "--protocol", "/nowhere.toml", *now)
    assert result.exit_code == 2
    assert "neither a shipped profile" in result.output


# --- protocol ---------------------------------------------------------------------------------


@pytest.mark.real_clock
def test_protocol_new_writes_a_file_that_checks_and_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "ward.toml"
    for options in ([], ["--short"]):
        file.unlink(missing_ok=True)
        assert run("protocol", "new", str(file), *options).exit_code == 0
        checked = run("protocol", "check", str(file))
        assert (checked.exit_code, "ward" in checked.output) == (0, True)
    assert run("protocol", "new", str(file)).exit_code == 2


@pytest.mark.real_clock
def test_protocol_check_and_show(tmp_path: Path) -> None:
    assert "valid" in run("protocol", "check").output
    assert "valid" in run("protocol", "check", PROFILES[-1]).output
    assert run("protocol", "show").output.strip()
    bad = tmp_path / "bad.toml"
    bad.write_text("bad = [")
    result = run("protocol", "check", str(bad))
    assert result.exit_code == 2
    assert "bad.toml" in result.output


# --- serve ------------------------------------------------------------------------------------


def test_serve_help_lists_every_setting() -> None:
    text = run("serve", "--help").output
    for name, _, _ in described():
        assert name in text


def test_serve_refuses_to_start_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("serve", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "loopback only" in result.output
    monkeypatch.setenv("REPLETION_PROTOCOL", "/nowhere.toml")
    assert "neither a shipped profile" in run("serve").output
    monkeypatch.setenv("REPLETION_PROTCOL", "x")
    assert "there is no such setting" in run("serve").output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.loopback
@pytest.mark.real_clock
@pytest.mark.parametrize("workers", [1, 2])
def test_the_real_server_answers_and_ends_on_sigterm(workers: int) -> None:
    port = free_port()
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "service.cli",
            "serve",
            "--port",
            str(port),
            "--workers",
            str(workers),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        assert demo._answers(f"{base}/healthz", server)
        fixture = read_fixture(Path(SEVERE).read_bytes())
        assert fixture is not None
        call = urllib.request.Request(
            f"{base}/cds-services/{fixture.service}",
            fixture.body(datetime.now(UTC)),
            {"Content-Type": "application/json"},
        )
        for _ in range(4):
            with urllib.request.urlopen(call, timeout=10) as answer:
                assert json.loads(answer.read())["cards"][0]["indicator"] == "critical"
        with urllib.request.urlopen(f"{base}/metrics", timeout=10) as metrics:
            counted = metrics.read().decode()
        assert 'repletion_request_seconds_count{service="magnesium-patient-view"} 4.0' in counted
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/cds-services/magnesium-patient-view", b" " * 11_000_000, JSON)
        refused = connection.getresponse()
        assert refused.status == 413
        assert not explain("operation-outcome", refused.read())
        connection.close()
        for request_line in (b"GET / HTTP/9.9", b"secret", b"GET /" + b"a" * 9999 + b" HTTP/1.1"):
            with socket.create_connection(("127.0.0.1", port), 5) as raw:
                raw.sendall(request_line + b"\r\nAuth orization: secret\r\n\r\n")
                head, _, content = raw.makefile("rb").read().partition(b"\r\n\r\n")
            assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 414"))
            assert not explain("operation-outcome", content)
    finally:
        server.terminate()
    out, errors = server.communicate(timeout=20)
    assert "secret" not in out + errors
    assert "Traceback" not in errors
    assert server.returncode == 0
    assert all(json.loads(line)["event"] == "request" for line in out.splitlines())


@pytest.mark.loopback
@pytest.mark.real_clock
def test_the_demonstration_shows_a_card() -> None:
    port = free_port()
    shown = subprocess.Popen(
        [sys.executable, "-m", "service.server.demo", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shown.stdout is not None
    text = ""
    end = time.monotonic() + 90
    while '"event":"request"' not in text and time.monotonic() < end:
        text += shown.stdout.readline()
    shown.terminate()
    shown.communicate(timeout=20)
    # The summary whole, and the card before the first line of the log.
    card, _, after = text.partition("Serving on")
    summary = json.loads((FIXTURES / "responses/potassium-with-low-magnesium.json").read_bytes())
    whole = f"CRITICAL: {summary['cards'][0]['summary']}"
    assert whole in " ".join(card.replace("│", " ").split())
    assert "{" not in card
    assert '"event":"request"' in after
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.loopback
def test_the_demonstration_says_that_the_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.main(["--port", str(port)]) == 1
    assert f"Port {port} on 127.0.0.1 is taken" in capsys.readouterr().err


def test_help_needs_no_web_framework() -> None:
    code = (
        "import sys; from service.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'flask', 'pydantic', 'cards'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# --- fixtures in time -------------------------------------------------------------------------

OLD = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def moved(value: object, new: datetime, key: str = "x") -> object:
    data = {"now": "2026-03-01T08:00:00Z", "service": "s", "request": {key: value}}
    fixture = read_fixture(json.dumps(data).encode())
    assert fixture is not None
    return json.loads(fixture.body(new))[key]


@pytest.mark.parametrize(
    ("key", "value", "after"),
    [
        ("issued", "2026-03-01T07:30:00Z", "2026-03-02T10:30:00Z"),
        ("issued", "2026-03-01T07:30:00.120+02:00", "2026-03-02T10:30:00.120+02:00"),
        ("effectiveDateTime", "2026-03-01T07:30", "2026-03-02T10:30"),
        ("authoredOn", "2026-03-01", "2026-03-02"),
        ("birthDate", "1966-05-17", "1966-05-18"),
        ("birthDate", "1966-05", "1966-05"),
        ("birthDate", "1966", "1966"),
        ("start", "2026-02", "2026-02"),
        ("code", "2026", "2026"),
        ("code", "8591", "8591"),
        ("text", "on 2026-03-01", "on 2026-03-01"),
        ("value", 1.1, 1.1),
    ],
)
def test_times_move_and_keep_their_precision(key: str, value: object, after: object) -> None:
    assert moved(value, OLD + timedelta(days=1, hours=3), key) == after


def test_months_and_years_move_with_the_calendar() -> None:
    new = datetime(2028, 1, 15, 0, 0, tzinfo=UTC)
    assert moved("2026-03", new, "birthDate") == "2028-01"
    assert moved("1966-12", new, "birthDate") == "1968-10"
    assert moved("1966", new, "birthDate") == "1968"


def test_a_bare_request_is_no_fixture() -> None:
    assert read_fixture(body(request())) is None
    assert read_fixture(b"[]") is None

"""Start: the five lines that say what runs, and one line at once when it cannot."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cards.protocol import parse_protocol, shipped
from cards.protocol.parse import shipped_bytes
from service.config.settings import Settings, SettingsError
from service.server.start import announced, check_free
from tests.certificate import write_certificate
from tests.server import free_port, serving

STANDARD = shipped("standard")
ROOT = Path(__file__).resolve().parent.parent


def lines(**settings: Any) -> tuple[str, ...]:
    return announced(Settings(**settings), STANDARD, "http://127.0.0.1:8080")


def test_the_five_lines_of_a_fresh_start() -> None:
    where, protocol, store, mode, hosts = lines()
    assert "http://127.0.0.1:8080/cds-services" in where
    assert STANDARD.file.protocol.version in protocol
    assert "signed by nobody" in protocol
    assert f"SQLite, {Path.cwd()}/repletion.db" in store
    assert "live" in mode
    assert "open (everyone on this machine" in mode
    assert "none" in hosts


def test_the_five_lines_of_a_hospital(tmp_path: Path) -> None:
    clients = tmp_path / "clients.toml"
    clients.write_text("")
    where, _, store, mode, hosts = lines(
        auth="jwt",
        clients=clients,
        base_url="https://cds.hospital.example/mg",
        database_url="postgresql://u:s3cret@db.example/mg",
        fhir_hosts=("fhir.hospital.example", "10.2.0.0/16"),
        mode="shadow",
    )
    assert "https://cds.hospital.example/mg/cds-services, listening at http://127" in where
    assert "database mg at db.example:5432" in store
    assert "s3cret" not in store
    assert "shadow" in mode
    assert f"jwt (clients of {clients})" in mode
    assert hosts.endswith("fhir.hospital.example, 10.2.0.0/16")


def test_who_reviewed_the_protocol_is_named() -> None:
    names = b'reviewers = ["B. Pharmacist", "C. Nephrologist"]'
    signed = parse_protocol(shipped_bytes("standard").replace(b"reviewers = []", names), "x.toml")
    line = announced(Settings(), signed, "http://h")[1]
    assert "reviewed by B. Pharmacist, C. Nephrologist on " in line
    assert "nobody" not in line


@pytest.mark.real_clock
@pytest.mark.loopback
def test_serve_says_them_on_standard_error_and_nothing_else(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.call("GET", "/healthz")[0] == 200
        told = server.err.splitlines()
        assert len(told) == 5
        assert told[0].endswith(f"http://127.0.0.1:{server.port}/")
        assert all(line.startswith("{") for line in server.out.splitlines())


def refused(folder: Path, *arguments: str, **settings: str) -> tuple[str, float]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPLETION_")}
    environment |= {f"REPLETION_{name.upper()}": value for name, value in settings.items()}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr, time.monotonic() - started


@pytest.mark.real_clock
@pytest.mark.loopback
def test_a_taken_port_is_said_at_once_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line, seconds = refused(tmp_path, "--port", str(port))
    assert f"127.0.0.1:{port} is taken by another program" in line
    assert seconds < 15  # gunicorn tries five times, a second apart; a busy machine starts slowly
    assert not (tmp_path / "repletion.db").exists()


@pytest.mark.real_clock
@pytest.mark.loopback
def test_an_unreachable_database_is_said_in_one_line(tmp_path: Path) -> None:
    url = f"postgresql://u:s3cret@127.0.0.1:{free_port()}/mg"
    line, _ = refused(tmp_path, "--port", str(free_port()), database_url=url)
    assert "REPLETION_DATABASE_URL: postgresql://127.0.0.1:" in line
    assert "nobody listens there" in line
    assert "set REPLETION_DATABASE_URL=postgresql://USER" in line
    assert "s3cret" not in line


@pytest.mark.real_clock
@pytest.mark.loopback
@pytest.mark.parametrize("name", ["protocol", "clients", "tls_cert"])
def test_an_unknown_file_is_said_in_one_line(tmp_path: Path, name: str) -> None:
    settings = {name: "/nowhere/file"}
    if name == "tls_cert":
        settings["tls_key"] = str(write_certificate(tmp_path)[1])
    line, _ = refused(tmp_path, "--port", str(free_port()), **settings)
    assert f"REPLETION_{name.upper()}: " in line
    assert "/nowhere/file" in line


@pytest.mark.loopback
def test_other_addresses_that_cannot_be_had() -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:80.* nothing can listen there"):
        check_free("192.0.2.1", 8080)
    check_free("127.0.0.1", 0)
    check_free("[::1]", 0)

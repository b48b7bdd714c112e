"""The real server for tests: `repletion serve` in a process of its own, and ways to talk to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_STARTS_WITHIN_S = 90.0  # on a machine that others use as well


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A server that runs. ``out`` and ``err`` are what it wrote so far."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    tls: bool = False
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    @property
    def out(self) -> str:
        return (self.folder / "out.log").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err.log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        """The log. What is said at the start (service.server.start) is for people: not here."""
        told = (self.out + self.err).splitlines()
        return [json.loads(line) for line in told if line.startswith("{")]

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> tuple[int, bytes]:
        connection = self.connect(timeout)
        try:
            given = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body, {**given, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def serving(
    folder: Path, workers: int = 1, port: int | None = None, **settings: object
) -> Iterator[Server]:
    """A server in ``folder`` (its database and logs), settings as keyword arguments."""
    port = port or free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPLETION_")}
    environment |= {f"REPLETION_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port)]
    root = str(Path(__file__).resolve().parent.parent)
    with (folder / "out.log").open("wb") as out, (folder / "err.log").open("wb") as err:
        process = subprocess.Popen(
            [*command, "--workers", str(workers)],
            cwd=folder,
            env=environment | {"PYTHONPATH": root},
            stdout=out,
            stderr=err,
        )
    server = Server(port, folder, process)
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: Server) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end and server.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not start:\n{server.out}{server.err}")

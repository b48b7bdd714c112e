"""Record: a FHIR server that takes its time, holding the patients that the bodies leave out.

Every search is answered after ``--wait`` milliseconds with the newest ``_count`` resources of
its need, as a record would. All of it is made and encoded before the first question.

    python -m tests.bench.record --port N --now ISO8601 [--wait 5] [--count 64]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec

from tests.bench.bodies import TARGET, Hook, bundle, patients
from tests.bench.load import ROOT
from tests.server import free_port

_HOOK: Hook = "order-select"
_QUERY = re.compile(r"GET /(\w+)\?patient=([\w-]+)(\S*) HTTP/1\.1\r\n")
_EMPTY = msgspec.json.encode(bundle("searchset", []))


class _Pages:
    """Answers by patient, type and code."""

    def __init__(self, now: datetime, count: int) -> None:
        self._of: dict[str, dict[str, list[Any]]] = {}
        self._made: dict[tuple[str, str, int], bytes] = {}
        for patient in patients(TARGET, _HOOK, now, count=count):
            by_code = {
                results[0]["code"]["coding"][0]["code"]: results
                for results in patient.labs().values()
                if results
            }
            self._of[patient.id] = by_code | {"MedicationRequest": list(patient.medications())}

    def answer(self, head: str) -> bytes:
        asked = _QUERY.match(head)
        if asked is None:
            return _http(b'{"resourceType":"OperationOutcome"}', "404 Not Found")
        type_, id_, rest = asked.groups()
        most = re.search(r"_count=(\d+)", rest)
        count = int(most[1]) if most else 1_000
        for key, resources in self._of.get(id_, {}).items():
            if key == type_ or (type_ == "Observation" and f"|{key}" in unquote(rest)):
                made = self._made.get((id_, key, count))
                if made is None:
                    page = msgspec.json.encode(bundle("searchset", resources[:count]))
                    made = self._made[id_, key, count] = _http(page)
                return made
        return _http(_EMPTY)


def _http(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/fhir+json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, pages: _Pages, wait_s: float) -> None:
        self._pages, self._wait_s, self._data = pages, wait_s, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            answer = self._pages.answer(head.decode() + "\r\n")
            loop = asyncio.get_running_loop()
            loop.call_later(self._wait_s, self._transport.write, answer)  # type: ignore[attr-defined]


@contextmanager
def record(now: datetime, core: int | None, wait_ms: float = 5, count: int = 64) -> Iterator[str]:
    """The base URL of such a server, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.record", "--port", str(port)]
    given = ["--now", now.isoformat(), "--wait", str(wait_ms), "--count", str(count)]
    process = subprocess.Popen([*command, *given], cwd=ROOT)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            except OSError:
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.record", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--now", type=datetime.fromisoformat, required=True)
    parser.add_argument("--wait", type=float, default=5, help="milliseconds")
    parser.add_argument("--count", type=int, default=64, help="patients")
    given = parser.parse_args(arguments)
    pages = _Pages(given.now, given.count)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(pages, given.wait / 1000), "127.0.0.1", given.port
        )
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()

"""Load: the client, one process on a core of its own, as little overhead as Python allows.

One epoll loop over raw keep-alive sockets. Threads would wait for each other's lock and the
latencies would show that; a loop that only copies bytes costs some 50 µs a request, and
``Round.client_cpu`` tells how much it was.

Closed loop: each connection sends its next request when it has the answer. With ``rate`` an
open loop: requests start when they are due, whether or not earlier ones are answered, and
latency counts from when they were due, so that a server that stalls is not spared.

``python -m tests.bench.load`` answers Plans on its standard input with Rounds.
"""

from __future__ import annotations

import os
import pickle
import select
import socket
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from tests.bench.bodies import Body, Hook, Size, instance, pool

ROOT = Path(__file__).resolve().parents[2]
_SILENT_S = 60.0  # a server that says nothing for so long has failed


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. Without ``size`` a GET of ``path``.

    Ends after ``seconds``, after ``most`` requests, or when ``tokens`` (each is sent once) run
    out; ``until_refused``: when no connection can be made any more (a server that is stopped).
    ``anew``: a connection for each request.
    """

    port: int
    path: str
    connections: int = 1
    seconds: float = 1.0
    most: int = 10_000_000
    size: Size | None = None
    hook: Hook = "order-select"
    now: datetime | None = None
    count: int = 64
    server: str = ""
    tokens: tuple[str, ...] = ()
    rate: float | None = None
    until_refused: bool = False
    anew: bool = False


@dataclass(slots=True)
class Round:
    """What came of a Plan: for each answered request when it began (seconds into the round) and
    how long it took (ms).

    ``faults`` by kind. "lost": the request was sent, whole or in part, and the connection ended
    before its answer did. "refused" is no loss: nothing had been sent.
    """

    at: array[float] = field(default_factory=lambda: array("d"))
    ms: array[float] = field(default_factory=lambda: array("d"))
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    client_cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.ms) / self.seconds if self.seconds else 0.0

    @property
    def lost(self) -> int:
        return sum(n for kind, n in self.faults.items() if kind not in ("refused", "closed"))


class _Connection:
    """One keep-alive connection: what is left to send, what has come of the answer."""

    __slots__ = ("answer", "began", "left", "sock", "whole")

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.left = memoryview(b"")
        self.answer = bytearray()
        self.whole = 0  # bytes of the whole answer, once its header is here
        self.began: float | None = None  # None: nothing is in flight

    def send(self) -> bool:
        """True when all has been handed to the kernel."""
        if self.left:
            with suppress(BlockingIOError):
                self.left = self.left[self.sock.send(self.left) :]
        return not self.left

    def receive(self) -> str:
        """ "" while more is to come, else the status, "closed" or "lost"."""
        try:
            data = self.sock.recv(262_144)
        except BlockingIOError:
            return ""
        except OSError:
            data = b""
        if not data:
            return "closed" if self.began is None else "lost"
        self.answer += data
        if not self.whole:
            end = self.answer.find(b"\r\n\r\n")
            if end < 0:
                return ""
            head = bytes(self.answer[:end]).lower()
            self.whole = end + 4 + int(head.partition(b"content-length:")[2].split()[0])
        if len(self.answer) < self.whole:
            return ""
        return self.answer[9:12].decode()

    def closes(self) -> bool:
        """Whether the answer says that the server hangs up."""
        head = bytes(self.answer).partition(b"\r\n\r\n")[0].lower()
        return b"\r\nconnection: close" in head


class _Loop:
    def __init__(self, plan: Plan) -> None:
        self._plan, self._round = plan, Round()
        self._requests = _requests(plan)
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._sent = 0

    def run(self) -> Round:
        plan, result = self._plan, self._round
        for _ in range(plan.connections):
            self._connect()
        cpu, began = time.process_time(), time.perf_counter()
        self._began, end = began, began + plan.seconds
        step = 1 / plan.rate if plan.rate else 0.0
        due, heard = began, began
        while True:
            now = time.perf_counter()
            more = now < end and self._sent < plan.most
            while more and self._idle and (not step or due <= now):
                more = self._begin(due if step else time.perf_counter())
                due += step
            if len(self._idle) == len(self._open) and (not more or not self._open):
                break
            wait = _SILENT_S
            if more and self._idle:
                wait = max(due - time.perf_counter(), 0)
            elif plan.until_refused:
                wait = max(end - now, 0.001)
            events = self._poll.poll(wait)
            for number, _ in events:
                self._serve(self._open[number])
            heard = time.perf_counter() if events else heard
            if time.perf_counter() - heard > _SILENT_S:
                result.faults["silent"] += len(self._open) - len(self._idle)
                break
        result.seconds = time.perf_counter() - began
        result.client_cpu = time.process_time() - cpu
        for connection in self._open.values():
            connection.sock.close()
        self._poll.close()
        return result

    def _connect(self) -> None:
        try:
            connection = _Connection(self._plan.port)
        except OSError:
            self._round.faults["refused"] += 1
            return
        number = connection.sock.fileno()
        self._open[number] = connection
        self._idle.append(connection)
        self._poll.register(number, select.EPOLLIN)

    def _begin(self, began: float) -> bool:
        """Sends the next request; False when there is none left."""
        request = next(self._requests, None)
        if request is None:
            return False
        connection = self._idle.pop(0)
        connection.left, connection.began = memoryview(request), began
        connection.whole = 0
        connection.answer.clear()
        self._sent += 1
        self._push(connection)
        return True

    def _push(self, connection: _Connection) -> None:
        try:
            mask = select.EPOLLIN if connection.send() else select.EPOLLIN | select.EPOLLOUT
        except OSError:
            # It may have been answered and closed before all was sent: what was said is read.
            connection.left, mask = memoryview(b""), select.EPOLLIN
        self._poll.modify(connection.sock.fileno(), mask)

    def _serve(self, connection: _Connection) -> None:
        if connection.left:
            self._push(connection)
        status = connection.receive()
        if not status:
            return
        began = connection.began
        if status in ("closed", "lost"):
            self._round.faults[status] += 1
        elif began is not None:
            now = time.perf_counter()
            if status != "200":
                self._round.faults[status] += 1
            else:
                self._round.at.append(began - self._began)
                self._round.ms.append((now - began) * 1000)
            connection.began = None
            if not connection.closes():
                self._idle.append(connection)
                return
        self._drop(connection)
        self._connect()

    def _drop(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        number = connection.sock.fileno()
        self._poll.unregister(number)
        del self._open[number]
        connection.sock.close()


def _requests(plan: Plan) -> Iterator[bytes]:
    """Whole HTTP requests, each with a body of its own and a fresh hookInstance."""
    if plan.size is None:
        while True:
            yield f"GET {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\n\r\n".encode()
    bodies = _bodies(plan.size, plan.hook, plan.now, plan.count, plan.server)
    first = f"POST {plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\n"
    first += "Content-Type: application/json\r\n"
    if plan.anew:
        first += "Connection: close\r\n"
    heads = [f"{first}Content-Length: {len(body)}\r\n".encode() for body in bodies]
    tokens = iter(plan.tokens)
    number = 0
    while True:
        head, body = heads[number], bodies[number]
        number = (number + 1) % len(bodies)
        if plan.tokens:
            token = next(tokens, None)
            if token is None:
                return
            head += f"Authorization: Bearer {token}\r\n".encode()
        yield b"".join((head, b"\r\n", body.head, instance().encode(), body.tail))


@lru_cache(maxsize=8)
def _bodies(size: Size, hook: Hook, now: datetime | None, count: int, server: str) -> list[Body]:
    assert now is not None, "a Plan with a body says when it is"
    return pool(size, hook, now, count=count, server=server)


def run(plan: Plan) -> Round:
    """The Round of a Plan, in this process."""
    return _Loop(plan).run()


# --- in a process of its own --------------------------------------------------------------------


class Client:
    """A process that runs Plans. ``core``: the only one it runs on."""

    def __init__(self, process: subprocess.Popen[bytes], core: int | None) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        if core is not None:
            os.sched_setaffinity(process.pid, {core})

    def start(self, plan: Plan) -> None:
        pickle.dump(plan, self._to)
        self._to.flush()

    def result(self) -> Round:
        """Of the Plan that was started; waits for it."""
        found = pickle.load(self._from)
        assert isinstance(found, Round)
        return found

    def run(self, plan: Plan) -> Round:
        self.start(plan)
        return self.result()


@contextmanager
def client(core: int | None = None) -> Iterator[Client]:
    """A Client in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Client(process, core)
    finally:
        process.kill()
        process.wait()


def main(plans: BinaryIO, rounds: BinaryIO) -> None:
    while True:
        try:
            plan = pickle.load(plans)
        except EOFError:
            return
        pickle.dump(run(plan), rounds)
        rounds.flush()


if __name__ == "__main__":
    # The classes that are pickled are those of the importable module, not of __main__.
    from tests.bench import load

    load.main(sys.stdin.buffer, sys.stdout.buffer)

"""Raw: a TCP server on loopback that does with each connection what it is told.

What an HTTP server will not do for us: hang, drip, break off, never end. ``Trap`` is one that
nobody may connect to.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

Act = Callable[[socket.socket, threading.Event, str], None]


class Raw:
    """Reads each request's head, then calls ``act(connection, over, first line)``."""

    def __init__(self, act: Act, host: str = "127.0.0.1", port: int = 0) -> None:
        self.act, self.over = act, threading.Event()
        self.connections: list[socket.socket] = []
        self.requests: list[str] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65_536)
                if not part:
                    return
                head += part
            line = head.split(b"\r\n", 1)[0].decode()
            self.requests.append(line)
            self.act(connection, self.over, line)

    def __enter__(self) -> Raw:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.close()


@contextmanager
def trap(host: str = "127.0.0.1", port: int = 0) -> Iterator[Raw]:
    """A listener that counts who connects (``connections``), and answers as a FHIR server would,
    so that a visitor has no reason to leave."""

    def act(connection: socket.socket, over: threading.Event, line: str) -> None:
        connection.sendall(reply(b'{"resourceType":"Bundle","type":"searchset"}'))

    with Raw(act, host, port) as raw:
        yield raw


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    head = [f"HTTP/1.1 {status}", "Content-Type: application/fhir+json", *headers]
    if not any(h.lower().startswith(("content-length", "transfer-encoding")) for h in headers):
        head.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(head) + "\r\nConnection: close\r\n\r\n").encode() + body

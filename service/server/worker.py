"""Worker: gunicorn's thread worker, less patient, and quoting nothing of a request.

What gunicorn's own lacks here:

- an answer to what is no HTTP at all that does not quote the offending line or header (it may
  be a token), and a log that does not either;
- patience with an end: its threads wait for a slow client as long as that likes. Here the loop
  gathers a request, and it takes a thread once it is whole (without TLS, up to _GATHERED bytes);
  what is not read and answered in time is cut off, sooner when others wait for a thread;
- no waiting in the loop: it closes connections there, up to 2 s each;
- an end that loses nobody: gunicorn listens until the last answer is given, and closes a
  connection that was made meanwhile without reading its request.
"""

from __future__ import annotations

import logging
import os
import re
import selectors
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from service.errors import BadRequest, ServiceError, Unexpected
from service.observe import correlation_id, where

_TEXT = "The HTTP request cannot be read."
# Seconds from the first byte of a request to the last of its answer. 10 MB take 8 s at 10 Mbit/s.
_REQUEST_S = 15.0
# For a request to arrive in the loop, from the first byte or, on a new connection, the accept.
_ARRIVES_S = 15.0
# Bytes that the loop holds of one request; what is longer is read by a thread. A request of the
# usual size is whole; a thousand connections (gunicorn's most) hold 128 MB.
_GATHERED = 131_072
_CLOSERS = 4


class Arriving:
    """A request as far as it has come: ``data``."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._whole: int | None = None  # bytes of the whole request, once its header is here

    def add(self, data: bytes) -> bool:
        """Takes more of it. True when a thread should have it: whole, long, or odd."""
        self.data += data
        if self._whole is None:
            end = self.data.find(b"\r\n\r\n")
            if end >= 0:
                self._whole = end + 4 + _body_length(bytes(self.data[: end + 2]))
        return len(self.data) >= _GATHERED or (
            self._whole is not None and len(self.data) >= self._whole
        )


_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
_NOW = re.compile(rb"\r\n(?:transfer-encoding|expect):", re.IGNORECASE)


def _body_length(head: bytes) -> int:
    """The bytes to wait for after a header. 0 where that is not simple: gunicorn's parser
    judges, here nothing is accepted or refused."""
    length = _LENGTH.search(head)
    return int(length[1]) if length and not _NOW.search(head) else 0


class Worker(ThreadWorker):  # type: ignore[misc]
    """See above. ``pressed_s``: seconds for a request while others wait for a thread."""

    pressed_s = 4.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handled: dict[TConn, float] = {}
        self._arriving: dict[TConn, Arriving] = {}
        self._closers: ThreadPoolExecutor | None = None

    def init_process(self) -> None:
        self._closers = ThreadPoolExecutor(_CLOSERS)
        super().init_process()

    # --- slow clients -----------------------------------------------------------------------

    def enqueue_req(self, conn: TConn) -> None:
        """Waits in the loop for a new connection's request; gunicorn gives it a thread at once."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
        else:
            self._await(conn)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """A kept connection brings its next request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        if conn.cfg.is_ssl:
            super().enqueue_req(conn)
        else:
            self._await(conn)

    def _await(self, conn: TConn) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + _ARRIVES_S
        self.pending_conns.append(conn)
        self._arriving[conn] = Arriving()
        self.poller.register(
            conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """More of a request is here: to a thread with it, once it is whole."""
        arriving = self._arriving[conn]
        if not conn.cfg.is_ssl:
            try:
                data = client.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data and not arriving.add(data):
                return
        del self._arriving[conn]
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        conn.data_ready = True
        if arriving.data:
            conn.init()  # without TLS it only makes the parser
            conn.parser.unreader.unread(bytes(arriving.data))
        super().enqueue_req(conn)

    def murder_pending(self) -> None:
        """Hangs up on who is too slow."""
        super().murder_pending()
        if len(self._arriving) > len(self.pending_conns):
            waiting = set(self.pending_conns)
            self._arriving = {c: a for c, a in self._arriving.items() if c in waiting}

    def handle(self, conn: TConn) -> Any:
        self._handled[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._handled.pop(conn, None)

    def notify(self) -> None:
        """The heartbeat, at least once a second in the loop's thread."""
        super().notify()
        if not self._handled:
            return
        pressed = self.tpool._work_queue.qsize() > 0
        before = time.monotonic() - (self.pressed_s if pressed else _REQUEST_S)
        for conn, since in list(self._handled.items()):
            if since < before and self._handled.pop(conn, None) is not None:
                self.log.warning("slow client cut off")
                try:
                    # The thread that waits on it wakes up. socket.socket's own method: that of
                    # a TLS socket would take its state away under the thread's hands.
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
                except OSError:
                    self.log.debug("the client is gone")

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Closes elsewhere: the loop must not wait for a client to hang up."""
        if self._closers is None or (not fs.cancelled() and fs.exception() is None and fs.result()):
            super().finish_request(conn, fs)
            return
        closing = self._closers.submit(conn.close, True)
        closing.add_done_callback(lambda _: self.method_queue.defer(self._closed))

    def _closed(self) -> None:
        self.nr_conns -= 1

    # --- the end ----------------------------------------------------------------------------

    def set_accept_enabled(self, enabled: bool) -> None:
        """At the end takes who has connected already, and turns everybody else away at once.

        An answer given now says "Connection: close", so clients connect anew: one who is
        refused has sent nothing yet, and may turn to another instance.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns:  # the kernel's queue: accept() is silent at its end
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    # --- what is no HTTP --------------------------------------------------------------------

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answers an OperationOutcome and hangs up; logs what kind of fault it was, no more."""
        id_ = correlation_id(None)
        error: ServiceError = BadRequest.saying(_TEXT)
        if isinstance(exc, LimitRequestLine):
            status = "414 URI Too Long"
        elif isinstance(exc, LimitRequestHeaders):
            status = "431 Request Header Fields Too Large"
        elif isinstance(exc, ParseException):
            status = "400 Bad Request"
        else:
            status, error = "500 Internal Server Error", Unexpected(id_)
        self.log.warning("not HTTP", exc_info=exc, extra={"correlation_id": id_})
        body = error.outcome()
        head = (
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"X-Correlation-Id: {id_}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("the client is gone")


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's own messages, as JSON lines like all others (service.observe)."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_Lines())


class _Lines(logging.Formatter):
    """One line of closed keys. Of a message only the constant part: its arguments, and the text
    of an exception, may quote a request."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "event": "server",
            "pid": os.getpid(),
        }
        if isinstance(record.msg, str):
            # About our own address, not about a request: "Connection in use: ('::', 8080)".
            ours = record.module == "sock"
            line["text"] = record.getMessage() if ours else record.msg
        correlation = getattr(record, "correlation_id", None)
        if correlation is not None:
            line["correlation_id"] = correlation
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["where"] = where(record.exc_info[1])
        return msgspec.json.encode(line).decode()

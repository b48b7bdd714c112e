"""Worker: gunicorn's thread worker, with our answer to what is no HTTP at all.

gunicorn's own answer is HTML that quotes the offending line or header, and its log quotes it,
too: that may be a token.
"""

from __future__ import annotations

import socket
from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from service.errors import BadRequest, ServiceError, Unexpected
from service.observe import correlation_id, where

_TEXT = "The HTTP request cannot be read."


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers an OperationOutcome and hangs up; logs what kind of fault it was, no more."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
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
        self.log.warning("%s: %s %s at %s", status[:3], id_, type(exc).__name__, where(exc))
        body = error.outcome()
        head = (
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"X-Correlation-Id: {id_}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode() + body)
        except OSError:
            self.log.debug("the client is gone")

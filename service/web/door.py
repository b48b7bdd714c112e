"""Door: what every request passes on its way in and out: who, how long, CORS, errors, the log.

A view asks for authentication unless it is marked ``open_to_all``; CORS preflight never does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from service.errors import (
    BadRequest,
    ServiceError,
    TooLarge,
    Unexpected,
    UnknownService,
    WrongMethod,
)
from service.observe import (
    RequestLine,
    correlation_id,
    trace_returned,
    where,
)
from service.trust import ANYONE, Refused
from service.web.body import json_answer
from service.web.service import Service

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
_DRAINED = 3  # times the largest body
_DRAINED_S = 1.0
_UNREAD = 1_000_000  # bytes of a body that nobody looked at, read away before the answer
# A method is free text of the caller: only these are logged.
_METHODS = frozenset({"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"})
View = TypeVar("View", bound=Callable[..., Response])


def open_to_all(view: View) -> View:
    """Marks a route that asks for no authentication."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def for_scrapers(view: View) -> View:
    """Marks the route of the metrics, which is opened by a token of its own."""
    view.for_scrapers = True  # type: ignore[attr-defined]
    return view


def _drain(most: int) -> None:
    """Reads what is left of a refused body away, within reason."""
    if request.content_length is None and not request.environ.get("wsgi.input_terminated"):
        return  # no body, and a read would wait for one
    stream, line = request.environ["wsgi.input"], request.environ.get("gunicorn.socket")
    end = time.monotonic() + _DRAINED_S
    with suppress(Exception):  # chunks that are none, a client that is gone: no matter any more
        if line is not None:  # the server's: one who sends slowly does not hold this thread
            line.settimeout(_DRAINED_S)
        while most > 0 and time.monotonic() < end and (chunk := stream.read(min(most, 65_536))):
            most -= len(chunk)
    if line is not None:
        line.setblocking(True)


class Door:
    """What every request passes on its way in and out: who, how long, CORS, errors, the log."""

    def __init__(self, app: Flask, service: Service) -> None:
        self._app, self._service = app, service
        app.before_request(self.enter)
        app.after_request(self.leave)
        app.register_error_handler(Exception, self.fail)

    def enter(self) -> Response | None:
        g.started = time.perf_counter()
        g.line = RequestLine(correlation_id(request.headers.get("traceparent")))
        g.caller = ANYONE
        if request.method == "OPTIONS" and not isinstance(request.routing_exception, NotFound):
            response = Response(status=204)
            response.headers.update(_PREFLIGHT)
            del response.headers["Content-Type"]
            return response
        view = self._app.view_functions.get(request.endpoint or "")
        if not getattr(view, "open_to_all", False):
            caller = None
            if getattr(view, "for_people", False):  # service.pages.view
                caller = self._service.admit(request)
            elif getattr(view, "for_scrapers", False):
                caller = (self._service.scrape or self._service.authenticate)(request)
            caller = g.caller = caller or self._service.authenticate(request)
            line: RequestLine = g.line
            line.client = caller.issuer
            line.tenant = caller.tenant if caller.listed else None
            line.store = None if caller.used_tokens_known else "down"
            self._service.limiter.take(caller.name)
        return None

    def fail(self, error: Exception) -> Response:
        line: RequestLine = g.line
        answered = _as_ours(error, line.correlation_id)
        line.error = type(answered).__name__
        line.refused = answered.reason if isinstance(answered, Refused) else None
        most = self._service.settings.max_body
        # What was refused unread: a client still sending when we hang up sees no answer.
        _drain(_DRAINED * most if isinstance(answered, TooLarge) else min(_UNREAD, most))
        if isinstance(answered, Unexpected):
            line.error, line.where = type(error).__name__, where(error)
        response = json_answer(answered.outcome(), answered.status)
        response.headers.update(answered.headers())
        return response

    def leave(self, response: Response) -> Response:
        line: RequestLine = g.line
        headers = response.headers
        headers["X-Correlation-Id"] = line.correlation_id
        headers["traceparent"] = trace_returned(
            line.correlation_id, request.headers.get("traceparent")
        )
        view = self._app.view_functions.get(request.endpoint or "")
        if not getattr(view, "is_page", False):  # pages are for whoever came to them
            self._allow_origin(headers)
        line.method = request.method if request.method in _METHODS else "?"
        line.route = request.url_rule.rule if request.url_rule is not None else "?"
        line.status = response.status_code
        line.bytes_out = response.content_length or 0
        line.ms = round((time.perf_counter() - g.started) * 1000, 3)
        self._service.observer.request(line)
        return response

    def _allow_origin(self, headers: Any) -> None:
        origins = self._service.origins
        headers["Vary"] = "Origin"
        if "*" in origins:
            headers["Access-Control-Allow-Origin"] = "*"
        elif request.origin in origins:
            headers["Access-Control-Allow-Origin"] = request.origin
        else:
            return
        headers["Access-Control-Expose-Headers"] = "X-Correlation-Id, traceparent"


def _as_ours(error: Exception, correlation: str) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, RequestEntityTooLarge):
        return TooLarge()
    if isinstance(error, NotFound):
        return UnknownService()
    if isinstance(error, MethodNotAllowed):
        return WrongMethod(allow=", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"})))
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return BadRequest.saying("The HTTP request cannot be read.")
    return Unexpected(correlation)

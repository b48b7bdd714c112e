"""The routes for machines. Thin: HTTP in, a function of the service, HTTP out.

A route asks for authentication unless it is marked ``open_to_all``; CORS preflight never does.
Who is let in may bring a protocol and a mode of its own (the clients file).
Every answer that is not 2xx is a FHIR OperationOutcome, and carries the CORS headers too:
without them a web client cannot read it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from cards.evidence import Answered, Evidence
from cards.protocol import Protocol
from service.answer import Mode, answer
from service.cdshooks.feedback import read_feedback
from service.cdshooks.openapi import openapi
from service.cdshooks.request import SERVICES, HookRequest
from service.config.settings import Settings
from service.ehr import NOT_ALLOWED, refused_server
from service.errors import (
    BadRequest,
    NotReady,
    ServiceError,
    TooLarge,
    Unexpected,
    UnknownService,
    WrongContentType,
    WrongMethod,
)
from service.gather import Fetch, fetch_nothing
from service.memory import Memory
from service.observe import (
    CONTENT_TYPE,
    Observer,
    RequestLine,
    correlation_id,
    metrics,
    trace_returned,
    where,
)
from service.store import Store, StoreDown
from service.trust import ANYONE, Caller, Refused
from service.web.discovery import discovery
from service.web.limit import Limiter

JSON = "application/json"
# What clients call JSON; the first is the specification's, the others are FHIR's, old and new.
_JSON_TYPES = frozenset({JSON, "application/fhir+json", "application/json+fhir"})
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}
_DRAINED = 3  # times the largest body
# A method is free text of the caller: only these are logged.
_METHODS = frozenset({"GET", "POST", "OPTIONS", "HEAD", "PUT", "DELETE", "PATCH"})
_DRAINED_S = 1.0
_UNREAD = 1_000_000  # bytes of a body that nobody looked at, read away before the answer
View = TypeVar("View", bound=Callable[..., Response])


def _let_in(request: Request) -> Caller:
    """Open mode: everyone who reaches the loopback interface."""
    return ANYONE


def _let_nobody(request: Request) -> Caller | None:
    """No password of the pages is set: they are for those whom ``authenticate`` lets in."""
    return None


@dataclass(frozen=True)
class Service:
    """What the routes work with; made once, shared by all threads.

    ``authenticate`` returns the Caller or raises NotAuthenticated; ``admit`` does it for pages,
    and leaves to ``authenticate`` (None) who shows no password; ``scrape`` does it for the
    metrics (None: as for any route); ``fetch`` asks the caller's FHIR server; ``store`` and
    ``memory`` are None where nothing is kept; ``protocols`` are those that clients bring, beside
    ``protocol``.
    """

    settings: Settings
    protocol: Protocol
    now: Callable[[], datetime]
    observer: Observer
    authenticate: Callable[[Request], Caller] = _let_in
    admit: Callable[[Request], Caller | None] = _let_nobody
    scrape: Callable[[Request], Caller] | None = None
    fetch: Fetch = fetch_nothing
    store: Store | None = None
    memory: Memory | None = None
    protocols: tuple[Protocol, ...] = ()
    limiter: Limiter = field(init=False)
    origins: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "origins", frozenset(self.settings.origins))
        object.__setattr__(self, "limiter", Limiter(self.settings.rate))

    @cached_property
    def _discoveries(self) -> dict[tuple[str, frozenset[str]], bytes]:
        return {}

    def discovery(self, caller: Caller) -> bytes:
        """What the service offers a caller: its services, its protocol's codes in the queries."""
        protocol = self.protocol_of(caller)
        key = (protocol.hash, caller.services)
        if key not in self._discoveries:
            self._discoveries[key] = discovery(protocol, caller.services)
        return self._discoveries[key]

    def protocol_of(self, caller: Caller) -> Protocol:
        """The protocol in force for a caller."""
        return caller.protocol or self.protocol

    def mode_of(self, caller: Caller) -> Mode:
        """``shadow`` when either the service or the client's entry says so: a hospital that is
        still watching must not be shown a card because one of its clients says "live"."""
        return "shadow" if "shadow" in (self.settings.mode, caller.mode) else "live"

    @cached_property
    def openapi(self) -> bytes:
        return openapi()

    def store_state(self) -> str:
        """Of the store: ``ok``, ``down``, or ``none`` where nothing is kept."""
        if self.store is None:
            return "none"
        return "ok" if self.store.ping() else "down"

    def review_overdue(self) -> bool:
        """Whether the protocol's review date has passed: the service runs, and says so."""
        return self.now().date() > self.protocol.review_due


def open_to_all(view: View) -> View:
    """Marks a route that asks for no authentication."""
    view.open_to_all = True  # type: ignore[attr-defined]
    return view


def for_scrapers(view: View) -> View:
    """Marks the route of the metrics, which is opened by a token of its own."""
    view.for_scrapers = True  # type: ignore[attr-defined]
    return view


def add_routes(app: Flask, service: Service) -> None:
    """Gives the application its routes, its errors and its headers."""
    # One byte more than is accepted: a chunked body is cut there without a word (_body looks).
    app.config["MAX_CONTENT_LENGTH"] = service.settings.max_body + 1
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _Door(app, service)

    def route(rule: str, view: Callable[..., Response], method: str = "GET") -> None:
        app.add_url_rule(rule, view_func=view, methods=[method], provide_automatic_options=False)

    def cds_services() -> Response:
        return json_answer(service.discovery(g.caller))

    def hook(service_id: str) -> Response:
        if service_id not in SERVICES:
            raise UnknownService
        line: RequestLine = g.line
        line.service = service_id
        settings, caller, memory = service.settings, g.caller, service.memory
        protocol = service.protocol_of(caller)
        line.mode = service.mode_of(caller)
        given = answer(
            body_of(line, settings.max_body),
            service_id,
            service.now(),
            protocol,
            fetch=service.fetch,
            answered=None if memory is None else answered_by(memory, caller, protocol),
            mode=line.mode,
            clock=settings.clock,
            page=settings.base_url and f"{settings.base_url}/protocol",
        )
        decision, evidence = given.decision, given.evidence
        line.protocol = given.protocol.hash[:12]
        line.cards, line.worst = len(decision.cards), decision.worst
        line.rules = tuple(decision.rules)
        line.gaps = tuple(evidence.gaps)
        line.unread, line.set_aside = len(evidence.unread), len(evidence.set_aside)
        unrecognised = decision.unrecognised
        line.unrecognised = dict(Counter(what.kind for what in unrecognised))
        if any(gap.reason == NOT_ALLOWED for gap in evidence.gaps.values()):
            line.fhir_refused, line.allowed_by = refused_server(
                given.request.fhir_server, settings.fhir_hosts
            )
        service.observer.cards(service_id, [card.indicator for card in decision.cards])
        service.observer.unread([lost.need for lost in evidence.unread])
        service.observer.unrecognised(line.unrecognised)
        if memory is not None:
            memory.remember(given, caller, line.mode, line.correlation_id, unrecognised)
        response = json_answer(given.body)
        response.headers["Cache-Control"] = "no-store"
        return response

    def feedback(service_id: str) -> Response:
        line: RequestLine = g.line
        if service_id in SERVICES:
            line.service = service_id
        taken = read_feedback(body_of(line, service.settings.max_body), service_id)
        if service.memory is not None:
            try:
                service.memory.take(taken, g.caller, line.correlation_id)
            except StoreDown:
                line.store = "down"
                raise NotReady from None
        line.feedback = len(taken.items)
        service.observer.feedback(service_id, [item.outcome for item in taken.items])
        if taken.bad:
            raise BadRequest(*taken.bad)
        return json_answer(b"{}")

    def openapi_json() -> Response:
        return json_answer(service.openapi)

    @open_to_all
    def healthz() -> Response:
        return json_answer(b'{"status":"ok"}')

    @open_to_all
    def readyz() -> Response:
        protocol = service.protocol
        return json_answer(
            msgspec.json.encode(
                {
                    "status": "ready",
                    # Told, and no reason to take the instance away: hooks are still answered,
                    # and with the store down every instance would go at once.
                    "store": service.store_state(),
                    "protocol": {
                        "name": protocol.name,
                        "version": protocol.version,
                        "hash": protocol.hash,
                        "reviewDue": protocol.review_due,
                        "reviewOverdue": service.review_overdue(),
                    },
                }
            )
        )

    @for_scrapers
    def metrics_text() -> Response:
        return Response(metrics(), content_type=CONTENT_TYPE)

    route("/cds-services", cds_services)
    route("/cds-services/<service_id>", hook, "POST")
    route("/cds-services/<service_id>/feedback", feedback, "POST")
    route("/openapi.json", openapi_json)
    route("/healthz", healthz)
    route("/readyz", readyz)
    route("/metrics", metrics_text)


def answered_by(
    memory: Memory, caller: Caller, protocol: Protocol
) -> Callable[[HookRequest, Evidence], Sequence[Answered]]:
    """How ``service.answer`` looks up what a caller answered to earlier cards."""

    def answered(request: HookRequest, evidence: Evidence) -> Sequence[Answered]:
        return memory.answered(caller, request, evidence, protocol)

    return answered


def json_answer(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type=JSON)


def body_of(line: RequestLine, most: int) -> bytes:
    if request.mimetype not in _JSON_TYPES or request.headers.get("Content-Encoding"):
        raise WrongContentType
    try:
        body = request.get_data(cache=False)
    except HTTPException:
        raise
    except Exception:  # what the server found wrong with its chunks; its words quote them
        raise BadRequest.saying("The body cannot be read.") from None
    line.bytes_in = len(body)
    if len(body) > most:
        raise TooLarge
    return body


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


class _Door:
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

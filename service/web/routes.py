"""The routes for machines. Thin: HTTP in, a function of the service, HTTP out.

A route asks for authentication unless it is marked ``open_to_all``; CORS preflight never does.
Who is let in may bring a protocol and a mode of its own (the clients file).
Every answer that is not 2xx is a FHIR OperationOutcome, and carries the CORS headers too:
without them a web client cannot read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from flask import Flask, Response, g

from cards.evidence import Answered, Evidence
from cards.protocol import Protocol
from service.answer import answer
from service.cdshooks.feedback import read_feedback
from service.cdshooks.request import SERVICES, HookRequest
from service.ehr import NOT_ALLOWED, refused_server
from service.errors import (
    BadRequest,
    NotReady,
    UnknownService,
)
from service.memory import Memory
from service.observe import (
    CONTENT_TYPE,
    RequestLine,
    metrics,
)
from service.store import StoreDown
from service.trust import Caller
from service.web.body import body_of, json_answer
from service.web.door import Door, for_scrapers, open_to_all
from service.web.service import Service


def add_routes(app: Flask, service: Service) -> None:
    """Gives the application its routes, its errors and its headers."""
    # One byte more than is accepted: a chunked body is cut there without a word (_body looks).
    app.config["MAX_CONTENT_LENGTH"] = service.settings.max_body + 1
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    Door(app, service)

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

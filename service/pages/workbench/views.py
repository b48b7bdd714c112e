"""The workbench over HTTP: the whole page, the parts that its script swaps in, and an answer."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from flask import Response, g, request

from cards.phrase import bare
from service.cdshooks.request import SERVICES
from service.errors import BadRequest, TooLarge, UnknownService, WrongContentType
from service.observe import RequestLine
from service.pages.origin import check_origin
from service.pages.template import render
from service.pages.view import html_page
from service.pages.workbench.bench import Bench
from service.pages.workbench.decide import ORDERABLE, Setup, decide, keep
from service.pages.workbench.filled import Filled, first_form, read_form
from service.web.body import body_of, json_answer
from service.web.routes import answered_by
from service.web.service import Service

_MOST_FIELDS = 200
T = TypeVar("T")


class _Fields(msgspec.Struct):
    """What the script sends: the form's fields in order, a name as often as it has values."""

    fields: list[tuple[str, str]]


class _Shown(msgspec.Struct):
    """A request whose card is about to be answered."""

    service: str
    body: str


def workbench_page(service: Service) -> Response:
    """``GET /``: an example, decided; ``?example=`` names another."""
    name = request.args.get("example")
    form = Filled(example=name) if name else first_form()
    return _page(service, decide(form, setup_of(service), service.now()))


def workbench_form(service: Service) -> Response:
    """``POST /``: the same page without a script."""
    check_origin(request, service.settings.base_url)
    if request.mimetype != "application/x-www-form-urlencoded":
        raise WrongContentType
    line: RequestLine = g.line
    body = request.get_data(cache=False)
    line.bytes_in = len(body)
    if len(body) > service.settings.max_body:
        raise TooLarge
    try:
        sent = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadRequest.saying("The form cannot be read.") from None
    return _page(service, decide(read_form(sent), setup_of(service), service.now()))


def workbench_parts(service: Service) -> Response:
    """``POST /workbench``: the parts of the page that a change of the form changes."""
    check_origin(request, service.settings.base_url)
    sent = _read(service, _Fields)
    fields: dict[str, list[str]] = {}
    for name, value in sent.fields[:_MOST_FIELDS]:
        fields.setdefault(name, []).append(value)
    form = read_form(fields)
    found = decide(form, setup_of(service), service.now())
    values = _values(service, found)
    parts = {
        "problems": render("workbench_problems.html", **values),
        "cards": render("workbench_cards.html", **values),
        "stages": render("workbench_stages.html", **values),
        "verdict": render("workbench_verdict.html", **values),
    }
    if form.fresh or "controls" in fields.get("want", ()):
        parts["controls"] = render("workbench_controls.html", **values)
    if form.example:
        parts["text"] = found.text
    return _fresh(json_answer(msgspec.json.encode(parts)))


def workbench_shown(service: Service) -> Response:
    """``POST /workbench/shown``: the card of this request counts as shown, on the disk when this
    returns: feedback to it follows. As a hook that the record calls, and like one it may only be
    called where no token is asked for."""
    check_origin(request, service.settings.base_url)
    if service.memory is None or service.settings.auth != "open":
        raise UnknownService
    sent = _read(service, _Shown)
    if sent.service not in SERVICES:
        raise UnknownService
    line: RequestLine = g.line
    given = keep(
        sent.body.encode("utf-8", "replace"), sent.service, setup_of(service), service.now()
    )
    line.mode = service.mode_of(g.caller)
    service.memory.remember(given, g.caller, line.mode, line.correlation_id)
    kept = service.memory.flush()
    return _fresh(json_answer(b'{"kept":true}' if kept else b'{"kept":false}'))


def setup_of(service: Service) -> Setup:
    """The running service, as the workbench works with it."""
    settings, memory, caller = service.settings, service.memory, g.caller
    return Setup(
        protocol=service.protocol,
        clock=settings.clock,
        mode=service.mode_of(caller),
        base_url=settings.base_url or request.host_url.rstrip("/"),
        bearer=settings.auth != "open",
        answered=None if memory is None else answered_by(memory, caller, service.protocol),
    )


def _page(service: Service, found: Bench) -> Response:
    return html_page(service, "workbench.html", "Workbench", **_values(service, found))


def _values(service: Service, found: Bench) -> dict[str, Any]:
    abouts = {example.name: example.title for example in found.examples}
    return {
        "bare": bare,
        "bench": found,
        "abouts": abouts,
        "orderable": ORDERABLE,
        "review_overdue": service.review_overdue(),
    }


def _read(service: Service, type_: type[T]) -> T:
    try:
        # A text within a JSON string is longer than itself.
        return msgspec.json.decode(body_of(g.line, service.settings.max_body), type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest.saying("The request of the page cannot be read.") from None


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response

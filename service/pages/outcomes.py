"""The page of outcomes: what became of the cards."""

from __future__ import annotations

from flask import Response, g

from service.api import Service
from service.errors import NotReady
from service.memory.outcomes import read_outcomes
from service.pages.view import html
from service.store import StoreDown
from service.trust import Caller


def outcomes_page(service: Service) -> Response:
    """A client sees its own; in open mode, and with the password of the pages, all is shown."""
    if service.memory is None:
        raise NotReady
    caller: Caller = g.caller
    # What another hospital does with its cards is not a client's business.
    whose = None if caller.issuer is None else service.memory.whose(caller)
    try:
        page = read_outcomes(service.memory.reports, whose=whose).as_html()
    except StoreDown:
        g.line.store = "down"
        raise NotReady from None
    return html(page)

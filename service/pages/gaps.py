"""The page of gaps: codes, units and names that are not known here, and how to connect them."""

from __future__ import annotations

from collections import Counter

from flask import Response, g

from service.errors import NotReady
from service.memory.entry import SOURCE
from service.memory.unrecognised import ENOUGH, MOST, SHORT, is_hashed, read_unrecognised
from service.pages.view import html_page
from service.store import StoreDown
from service.trust import Caller
from service.web.service import Service


def gaps_page(service: Service) -> Response:
    """A client sees its own; in open mode, and with the password of the pages, all is shown."""
    if service.memory is None:
        raise NotReady
    caller: Caller = g.caller
    whose = None if caller.issuer is None else service.memory.whose(caller)
    try:
        rows = read_unrecognised(service.memory.reports, whose)
    except StoreDown:
        g.line.store = "down"
        raise NotReady from None
    return html_page(
        service,
        "gaps.html",
        "Gaps",
        rows=rows,
        kinds=sorted(Counter(row.what.kind for row in rows).items()),
        is_hashed=is_hashed,
        source=SOURCE,
        enough=ENOUGH,
        short=SHORT,
        most=MOST,
    )

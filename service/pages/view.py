"""View: what every page answers with: HTML under headers that let nothing in from elsewhere.

A page is a function without arguments that returns a Response. It says who may see it by its
mark: ``open_to_all`` (service.web.door) or ``for_people``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any, TypeVar

from flask import Response

from service.pages.template import render
from service.web.service import Service

# No inline script, no inline style, no other host. A block of data
# (<script type="application/json">) is not executed, so it passes.
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
        " object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: then a browser says `Origin: null` even to ourselves.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
View = TypeVar("View", bound=Callable[..., Response])


def for_people(view: View) -> View:
    """Marks a page about patients or hospitals: in jwt mode it is off, unless
    REPLETION_PAGES_PASSWORD turns it on for those who know it."""
    view.for_people = True  # type: ignore[attr-defined]
    return view


def html_page(service: Service, template: str, here: str, **values: Any) -> Response:
    """A whole page. ``here`` is its name in the navigation; the template extends layout.html."""
    text = render(
        template, here=here, protocol=service.protocol, version=software_version(), **values
    )
    return html(text)


def html(text: str) -> Response:
    """HTML that is not kept by anybody: it may be about a patient."""
    response = Response(text, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(SECURITY)
    return response


@cache
def software_version() -> str:
    """The installed version of Repletion."""
    return version("repletion")

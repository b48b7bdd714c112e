"""The routes for people: the pages and what they load."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response, g, request

from service.errors import UnknownService
from service.pages.asset import assets
from service.pages.gaps import gaps_page
from service.pages.outcomes import OutcomesPage
from service.pages.protocol import ProtocolPage
from service.pages.view import SECURITY, for_people
from service.pages.workbench import (
    workbench_form,
    workbench_page,
    workbench_parts,
    workbench_shown,
)
from service.web.door import open_to_all
from service.web.service import Service

_YEAR = "public, max-age=31536000, immutable"


def add_pages(app: Flask, service: Service) -> None:
    """Gives the application its pages. After service.web's ``add_routes``, whose door they pass."""

    protocol_page, outcomes_page = ProtocolPage(service), OutcomesPage(service)

    def page(rule: str, view: Callable[..., Response], method: str = "GET") -> None:
        view.is_page = True  # type: ignore[attr-defined]  # no other origin may read it
        app.add_url_rule(
            rule,
            endpoint=f"pages.{view.__name__}",
            view_func=view,
            methods=[method],
            provide_automatic_options=False,
        )

    @open_to_all
    def static(name: str) -> Response:
        asset = assets().get(name)
        if asset is None:
            raise UnknownService
        response = Response(asset.content, mimetype=asset.mimetype)
        response.headers.update(SECURITY)
        response.set_etag(asset.version)
        asked = request.args.get("v") == asset.version
        response.headers["Cache-Control"] = _YEAR if asked else "no-cache"
        response.make_conditional(request)  # 304 when the browser has it
        return response

    @for_people
    def workbench() -> Response:
        return workbench_page(_on(service))

    @for_people
    def workbench_without_script() -> Response:
        return workbench_form(_on(service))

    @for_people
    def workbench_with_script() -> Response:
        return workbench_parts(_on(service))

    @for_people
    def shown() -> Response:
        return workbench_shown(_on(service))

    @open_to_all
    def protocol() -> Response:
        return protocol_page.answer()

    @for_people
    def outcomes() -> Response:
        return outcomes_page.answer()

    @for_people
    def gaps() -> Response:
        return gaps_page(service)

    page("/static/<name>", static)
    page("/", workbench)
    page("/", workbench_without_script, "POST")
    page("/workbench", workbench_with_script, "POST")
    page("/workbench/shown", shown, "POST")
    page("/protocol", protocol)
    page("/outcomes", outcomes)
    page("/gaps", gaps)


def _on(service: Service) -> Service:
    """The service whose workbench is on: in jwt mode for those with the password of the pages
    alone. A client's token is for its own data."""
    if g.caller.issuer is not None:
        raise UnknownService
    return service

"""The Flask application: wires settings, protocol, observer and routes together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask

from cards.protocol import Protocol
from service.api import Service, add_routes
from service.observe import Observer
from service.protocol import load_protocol
from service.settings import Settings


def create_app(
    settings: Settings,
    *,
    protocol: Protocol | None = None,
    now: Callable[[], datetime] | None = None,
    observer: Observer | None = None,
) -> Flask:
    """The WSGI application. The caller has checked where it listens (Settings.check_start)."""
    app = Flask("service", static_folder=None)
    service = Service(
        settings=settings,
        protocol=protocol or load_protocol(settings.protocol),
        now=now or (lambda: datetime.now(settings.timezone)),
        observer=observer or Observer(),
    )
    add_routes(app, service)
    return app

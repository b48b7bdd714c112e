"""Serve: one subject of the comparison under gunicorn, set up exactly as the service is.

The floors and the variants of the service run in ``service.server.serve.Server`` itself: the same
worker class, threads, keep-alive, silence of gunicorn's access log and collector settings. A
floor reads the body, answers a fixed card and does nothing else; it writes no line, the service
writes one a request.

    python -m tests.bench.serve NAME --port N [--workers N] [--worker-class C]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from cards.protocol import Protocol
from service.config.protocol import load_protocol
from service.config.settings import Settings, read_settings
from service.server import serve

FLOORS = ("orjson", "msgspec")
VARIANTS = ("service", "service-no-store", "service-no-rows")
_CARD = Path(__file__).resolve().parents[2] / "fixtures/responses/severe-patient-view.json"


def floor(read: Callable[[bytes], object]) -> WSGIApplication:
    """The least a Flask service does: reads the body, answers a card that was made before."""
    from flask import Flask, Response, request

    app = Flask("floor", static_folder=None)
    card = json.dumps(json.loads(_CARD.read_bytes()), separators=(",", ":")).encode()

    @app.post("/cds-services/<service_id>")
    def hook(service_id: str) -> Response:
        read(request.get_data(cache=False))
        return Response(card, 200, content_type="application/json")

    @app.get("/cds-services")
    def discovery() -> Response:
        return Response(card, 200, content_type="application/json")

    return app


def _application(name: str, settings: Settings, protocol: Protocol) -> WSGIApplication:
    if name == "orjson":
        import orjson

        return floor(orjson.loads)
    if name == "msgspec":
        import msgspec

        from service.cdshooks.request import _Request

        return floor(msgspec.json.Decoder(_Request).decode)
    from service.server.app import create_app
    from service.store import open_store

    if name == "service-no-store":
        return create_app(settings, protocol=protocol)
    if name == "service-no-rows":
        from service.memory import Memory

        Memory.remember = lambda *_: None  # type: ignore[method-assign]
    return create_app(settings, protocol=protocol, store=open_store(settings.database_url))


class _Server(serve.Server):
    """The product's, with another worker class where that is what is compared."""

    worker_class: str | None = None

    def load_config(self) -> None:
        super().load_config()
        if self.worker_class:
            self.cfg.set("worker_class", self.worker_class)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serve", description=__doc__)
    parser.add_argument("name", choices=(*FLOORS, *VARIANTS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--worker-class")
    given = parser.parse_args(arguments)
    settings = read_settings()
    _Server.worker_class = given.worker_class
    patched: Any = serve
    # All else is as in `repletion serve`: the metrics of several workers, the checks at start.
    patched.Server = _Server
    patched._application = lambda *made_of: _application(given.name, *made_of)
    protocol = load_protocol(settings.protocol)
    serve.serve(settings, protocol, "127.0.0.1", given.port, given.workers)


if __name__ == "__main__":
    main()

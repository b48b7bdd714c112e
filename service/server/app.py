"""The Flask application: wires settings, protocol, clients, store, observer and routes together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest

from flask import Flask, Request

from cards.protocol import Protocol
from service.config.protocol import load_protocol
from service.config.settings import Settings
from service.ehr import Ehr, read_hosts
from service.errors import NotAuthenticated
from service.gather import Fetch
from service.memory import Memory, Pseudonyms, read_key
from service.observe import Observer
from service.pages import Gate, add_pages
from service.store import Store
from service.trust import ANYONE, Call, Caller, Client, Refused, Trust, read_clients
from service.web.routes import add_routes
from service.web.service import Service


def create_app(
    settings: Settings,
    *,
    protocol: Protocol | None = None,
    now: Callable[[], datetime] | None = None,
    observer: Observer | None = None,
    store: Store | None = None,
    clients: tuple[Client, ...] | None = None,
    fetch: Fetch | None = None,
) -> Flask:
    """The WSGI application. The caller has checked where it listens (Settings.check_start).

    In jwt mode it needs a ``store`` that has been migrated; ``clients`` default to those of the
    clients file, ``fetch`` to the FHIR servers of REPLETION_FHIR_HOSTS. Raises SettingsError.
    """
    app = Flask("service", static_folder=None)
    # Its tracebacks quote requests; service.web.door tells what may be told.
    app.logger.disabled = True
    now = now or (lambda: datetime.now(settings.timezone))
    observer = observer or Observer()
    hosts = read_hosts(settings.fhir_hosts)
    if settings.auth == "jwt" and clients is None and settings.clients is not None:
        clients = read_clients(settings.clients)
    memory = None if store is None else _memory(settings, store, now, observer)
    app.extensions["memory"] = memory
    service = Service(
        settings=settings,
        protocol=protocol or load_protocol(settings.protocol),
        now=now,
        observer=observer,
        authenticate=_authenticate(settings, clients, store, now),
        admit=Gate(settings).admit,
        scrape=_scrape(settings),
        fetch=fetch or Ehr(hosts, settings.fhir_deadline_s, witness=observer),
        store=store,
        memory=memory,
        protocols=tuple(c.protocol for c in clients or () if c.protocol is not None),
    )
    add_routes(app, service)
    add_pages(app, service)
    return app


def _memory(
    settings: Settings, store: Store, now: Callable[[], datetime], observer: Observer
) -> Memory:
    return Memory(store, Pseudonyms(read_key(settings, store)), now, observer)


def _authenticate(
    settings: Settings,
    clients: tuple[Client, ...] | None,
    store: Store | None,
    now: Callable[[], datetime],
) -> Callable[[Request], Caller]:
    if settings.auth == "open":
        return lambda _: ANYONE
    base = settings.base_url
    if base is None or clients is None or store is None:
        raise ValueError("jwt mode needs base_url, clients and a store (Settings.check_start)")
    trust = Trust(clients, store, now)

    def authenticate(request: Request) -> Caller:
        if not settings.is_private(request.remote_addr):
            raise Refused("plaintext")
        if isinstance(request.routing_exception, Exception) and request.url_rule is None:
            # Nothing is here, for anyone; said only to those who may know.
            raise Refused("route")
        return trust.caller(request.headers.get("Authorization"), _call(request, base))

    return authenticate


def _scrape(settings: Settings) -> Callable[[Request], Caller]:
    """Who may read the metrics: in open mode whoever is on this machine, else who shows the one
    token for it. A client's own token counts once and for one URL: nothing for a scraper."""
    if settings.auth == "open":
        return lambda _: ANYONE
    token = settings.metrics_token
    # Hashed: the time of a comparison tells nothing, not even of the length.
    expected = None if token is None else _hash(f"Bearer {token.get_secret_value()}")

    def scrape(request: Request) -> Caller:
        if not settings.is_private(request.remote_addr):
            raise Refused("plaintext")
        shown = _hash(request.headers.get("Authorization", ""))
        if expected is None or not compare_digest(shown, expected):
            raise Refused("metrics")
        return ANYONE

    return scrape


def _hash(text: str) -> bytes:
    return sha256(text.encode("utf-8", "replace")).digest()


def _call(request: Request, base: str) -> Call:
    """What a token for this request must say: the URL in the form that discovery gives."""
    if request.url_rule is None:
        raise NotAuthenticated
    service = (request.view_args or {}).get("service_id")
    path = request.url_rule.rule.replace("<service_id>", service or "")
    url = base + (path if path != "/" else "")
    feedback = path.endswith("/feedback")
    # The specification has the feedback endpoint under the service: clients name either.
    audiences = (url, url.removesuffix("/feedback")) if feedback else (url,)
    if path == "/":
        audiences = (url, f"{url}/")
    return Call(audiences, service, writes=feedback)

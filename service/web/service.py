"""Service: what the routes work with, made once by the wiring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from flask import Request

from cards.protocol import Protocol
from service.answer import Mode
from service.cdshooks.openapi import openapi
from service.config.settings import Settings
from service.gather import Fetch, fetch_nothing
from service.memory import Memory
from service.observe import (
    Observer,
)
from service.store import Store
from service.trust import ANYONE, Caller
from service.web.discovery import discovery
from service.web.limit import Limiter


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

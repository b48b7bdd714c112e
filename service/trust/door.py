"""Door: the Caller of a request, or Refused."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol as Shape

from cards.protocol import Protocol
from service.errors import NotReady
from service.store import StoreDown
from service.trust.clients import Client, Mode
from service.trust.keys import KEY_TYPE
from service.trust.token import (
    LEEWAY_S,
    Reason,
    Refused,
    Token,
    check_claims,
    read_token,
    verify,
    warm_up,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: ``issuer`` None in open mode, where nobody says.

    ``tenant`` is the token's word, ``listed`` whether the clients file names it: only then may
    it be logged. ``protocol`` and ``mode`` None: as the settings say.
    """

    issuer: str | None = None
    tenant: str | None = None
    listed: bool = False
    protocol: Protocol | None = None
    mode: Mode | None = None
    services: frozenset[str] = frozenset()
    used_tokens_known: bool = True

    @property
    def name(self) -> str:
        """Names the caller as far as the clients file does: what limits count by."""
        tenant = self.tenant if self.listed else None
        return "" if self.issuer is None else f"{self.issuer} {tenant or ''}"


ANYONE = Caller()


@dataclass(frozen=True, slots=True)
class Call:
    """What of a request decides who may make it.

    ``audiences`` are the URLs that a token for it may name; ``service`` the CDS service that is
    called, None for other routes; ``writes`` whether the call changes what we hold.
    """

    audiences: tuple[str, ...]
    service: str | None = None
    writes: bool = False


class TokensUsed(Shape):
    """Marks a token used; False when it was before. Raises StoreDown."""

    def use_token(self, key: bytes, expires: float, now: float) -> bool: ...


class Trust:
    """Knows the clients. One for all threads."""

    def __init__(
        self, clients: Iterable[Client], used: TokensUsed, now: Callable[[], datetime]
    ) -> None:
        self._clients: dict[str, list[Client]] = {}
        for client in clients:
            self._clients.setdefault(client.issuer, []).append(client)
        self._used, self._now = used, now
        self._recent = _Recent()
        warm_up()

    def caller(self, authorization: str | None, call: Call) -> Caller:
        """The Caller whose token stands in the header ``Authorization``.

        Raises Refused; NotReady when the call writes and it cannot be told whether its token
        was used before.
        """
        token = read_token(authorization)
        client, doubt = self._client(token)
        key = client.keys.find(token.kid, KEY_TYPE[token.algorithm]) if client else None
        try:
            verify(token, key)
        except Refused:
            if doubt is not None:
                raise Refused(doubt) from None
            raise
        if client is None or doubt is not None:
            raise Refused(doubt or "issuer")
        now = self._now().timestamp()
        jti, expires = check_claims(token, call.audiences, now)
        if client.services and call.service is not None and call.service not in client.services:
            raise Refused("service")
        known = self._use_once(token, jti, expires, now, call)
        return Caller(
            issuer=client.issuer,
            tenant=token.tenant,
            listed=token.tenant in client.tenants,
            protocol=client.protocol,
            mode=client.mode,
            services=client.services,
            used_tokens_known=known,
        )

    def _client(self, token: Token) -> tuple[Client | None, Reason | None]:
        """The entry that the token is of, and what speaks against it beside its signature."""
        entries = self._clients.get(token.issuer)
        if entries is None:
            return None, "issuer"
        chosen = next((c for c in entries if token.tenant in c.tenants), None)
        chosen = chosen or next((c for c in entries if not c.tenants), None)
        if chosen is None:
            # Tried on its issuer's own key all the same: a refusal takes the same time.
            return entries[0], "tenant"
        if token.jku is not None and chosen.jku is not None and token.jku != chosen.jku:
            return chosen, "jku"
        return chosen, None

    def _use_once(self, token: Token, jti: str, expires: float, now: float, call: Call) -> bool:
        # The hash, not the jti: what a sender puts there is not ours to keep.
        key = hashlib.sha256(f"{token.issuer}\0{jti}".encode()).digest()
        first = self._recent.add(key)
        if not first:
            raise Refused("replayed")
        try:
            if not self._used.use_token(key, expires + 2 * LEEWAY_S, now):
                raise Refused("replayed")
        except StoreDown:
            # A hook only reads what its caller sent, and a silent service looks like "All
            # clear": it is answered, and only this process knows the token. Feedback is not.
            if call.writes:
                self._recent.forget(key)
                raise NotReady from None
            return False
        return True


class _Recent:
    """The tokens that this process saw last: what still holds while the store is down."""

    _MOST = 50_000

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()
        self._lock = Lock()

    def add(self, key: bytes) -> bool:
        """Whether the key is new."""
        with self._lock:
            if key in self._keys:
                return False
            self._keys[key] = None
            if len(self._keys) > self._MOST:
                self._keys.popitem(last=False)
            return True

    def forget(self, key: bytes) -> None:
        with self._lock:
            self._keys.pop(key, None)

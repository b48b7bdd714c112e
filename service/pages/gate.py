"""Gate: in jwt mode, who may see the pages about patients and hospitals.

With REPLETION_PAGES_PASSWORD whoever knows it (HTTP Basic, any user name); without it a client
with a token of its own sees its own outcomes and gaps, and the workbench is off.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from flask import Request

from service.config.settings import Settings
from service.errors import PasswordAsked, TooMany
from service.trust import ANYONE, Caller, Refused

_TRIES = 10  # wrong passwords from one address in a minute
_SPAN_S = 60.0
_ADDRESSES = 1024  # remembered; beyond that the oldest is forgotten


class Gate:
    """One for all threads of a worker."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = Lock()

    def admit(self, request: Request) -> Caller | None:
        """The Caller of a page; None to leave it to the token. Raises PasswordAsked, TooMany and,
        on a wire that others can read, Refused."""
        secret = self._settings.pages_password
        if self._settings.auth == "open" or secret is None:
            return None
        kind, _, given = (request.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "bearer":
            return None
        if not self._settings.is_private(request.remote_addr):
            raise Refused("plaintext")
        if kind.lower() != "basic":
            raise PasswordAsked
        address = request.remote_addr or ""
        self._check(address)
        if not hmac.compare_digest(_password(given), secret.get_secret_value().encode()):
            self._remember(address)
            raise PasswordAsked
        return ANYONE

    def _check(self, address: str) -> None:
        """Before the password is looked at: a right guess among too many is refused as well."""
        with self._lock:
            since = self._clock() - _SPAN_S
            recent = [at for at in self._wrong.get(address, ()) if at > since]
            if address in self._wrong:
                self._wrong[address] = recent
            if len(recent) >= _TRIES:
                raise TooMany

    def _remember(self, address: str) -> None:
        with self._lock:
            self._wrong.setdefault(address, []).append(self._clock())
            self._wrong.move_to_end(address)
            while len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)


def _password(given: str) -> bytes:
    try:
        return base64.b64decode(given.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""

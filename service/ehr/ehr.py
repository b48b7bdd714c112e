"""Ehr: the Fetch that asks the caller's FHIR server, for all needs at once.

One deadline holds for everything: finding the server, every page of every need, the Medication
resources that orders refer to, and the one more try that a temporary failure gets. At the
deadline what has come is taken, what has not is a gap, and every connection still waiting is
cut off, so that a server that hangs holds no thread of ours.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol as Shape

from service.cdshooks.request import HookRequest
from service.ehr.grant import EXPIRED, read_grant
from service.ehr.hosts import Base, Hosts
from service.ehr.talk import AT_ONCE, Talk
from service.ehr.wire import LATE, UNREACHABLE, Broken, Wire
from service.gather import Fetched, Fetches, Wanted

NOBODY = "not in the request, and no FHIR server to ask"
NOT_ALLOWED = "not in the request, server not allowed"
_THREADS = 8 * AT_ONCE  # as many calls as gunicorn has threads: none waits for another

Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, best first. Raises OSError (socket.gaierror)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Witness(Shape):
    """Told of what is fetched: seconds, reasons by need (fixed words of ours), errors."""

    def fetched(self, seconds: float, gaps: Mapping[str, str]) -> None: ...

    def fault(self, error: BaseException) -> None: ...


class Ehr:
    """Asks FHIR servers that ``hosts`` allow. One for each worker process: no thread and no
    connection exists before the first call, so that it may be made before a fork.

    ``deadline`` is in seconds. ``witness`` is told of each call and of each fault of ours;
    ``wire`` and ``resolve`` are given by tests.
    """

    def __init__(
        self,
        hosts: Hosts,
        deadline: float = 2,
        *,
        witness: Witness | None = None,
        wire: Wire | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self.hosts, self.deadline = hosts, deadline
        self.wire, self.resolve, self.witness = wire or Wire(), resolve, witness
        self.threads = ThreadPoolExecutor(_THREADS, "ehr")

    def __call__(
        self,
        request: HookRequest,
        wanted: tuple[Wanted, ...],
        references: frozenset[str] = frozenset(),
    ) -> Fetches:
        """What was wanted and could be had within the deadline (service.gather.Fetch)."""
        started = time.monotonic()
        fetches = self._fetch(request, wanted, references, started + self.deadline)
        if self.witness is not None:
            gaps = {name: f.gap for name, f in fetches.needs.items() if f.gap is not None}
            self.witness.fetched(time.monotonic() - started, gaps)
            for error in fetches.faults:
                self.witness.fault(error)
        return fetches

    def _fetch(
        self,
        request: HookRequest,
        wanted: tuple[Wanted, ...],
        references: frozenset[str],
        until: float,
    ) -> Fetches:
        if request.fhir_server is None:
            return _all(wanted, NOBODY)
        base = self.hosts.base(request.fhir_server)
        if base is None:
            return _all(wanted, NOT_ALLOWED)
        grant = read_grant(request.fhir_authorization, request.patient_id)
        if grant.refusal is not None:
            return _all(wanted, grant.refusal)
        late = LATE
        if grant.seconds is not None and grant.seconds < self.deadline:
            until, late = until - self.deadline + grant.seconds, EXPIRED
        try:
            addresses = self._addresses(base, until)
        except Broken as broken:
            return _all(wanted, broken.reason, failed=broken.reason != NOT_ALLOWED)
        talk = Talk(self.wire, self.threads, base, addresses, grant, request.patient_id, until)
        return talk.run(wanted, references, late)

    def _addresses(self, base: Base, until: float) -> tuple[str, ...]:
        """The addresses that ``base`` may be called at: looked up once, and no more after."""
        if base.address is not None:
            return (base.host,)
        looked_up = self.threads.submit(self.resolve, base.host, base.port)
        try:
            found = looked_up.result(timeout=max(until - time.monotonic(), 0))
        except TimeoutError:
            looked_up.cancel()
            raise Broken(LATE) from None
        except (OSError, UnicodeError):  # a label that is too long is a UnicodeError
            raise Broken(UNREACHABLE) from None
        allowed = tuple(a for a in found if self.hosts.permits(base, a))
        if not allowed:
            raise Broken(NOT_ALLOWED)
        return allowed


def _all(wanted: tuple[Wanted, ...], reason: str, *, failed: bool = False) -> Fetches:
    return Fetches({w.need.name: Fetched(gap=reason, failed=failed) for w in wanted})

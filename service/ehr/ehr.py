"""Ehr: the Fetch that asks the caller's FHIR server, for all needs at once.

One deadline holds for everything: finding the server, every page of every need, the Medication
resources that orders refer to, and the one more try that a temporary failure gets. At the
deadline what has come is taken, what has not is a gap, and every connection still waiting is
cut off, so that a server that hangs holds no thread of ours.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote, urljoin

from cards.evidence import Need, Unread
from cards.resource import Entry, reference_key
from service.ehr.grant import EXPIRED, Grant, read_grant
from service.ehr.hosts import Base, Hosts, read_base
from service.ehr.page import ANOTHER, Page, read_page
from service.ehr.wire import LATE, TOO_LARGE, UNREACHABLE, Broken, Call, Wire
from service.gather import Fetched, Fetches, Wanted, holds_enough, medication_references
from service.hooks import HookRequest

NOBODY = "not in the request, and no FHIR server to ask"
NOT_ALLOWED = "not in the request, server not allowed"
FORBIDDEN = "the record does not permit us to read it (scope forbids)"
_PARTLY = "the record permits us to read only part of it (scope)"
_ELSEWHERE = "the record sent us on to another server"
_ROUND = "the record sent us on, and on again"
_PAGES_ELSEWHERE = "more pages exist, on another server"
_PAGES_REPEAT = "more pages exist, and they repeat"
_PAGES_MANY = "more pages exist than are read"
_FAULT = "it could not be read"

_AT_ONCE = 32  # requests of one call at a time: more is a burden to the record's server
_THREADS = 128  # of one worker: several calls at _AT_ONCE
_PAGES = 20
_REDIRECTS = 3
_PAGE_BYTES = 4_000_000
_ALL_BYTES = 16_000_000
_MEDICATIONS = 100
_PAUSE = 0.05  # seconds before the second try, when the server names no time
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")  # FHIR: 64, no underscore; real ones are longer

# Which failures may pass: as in cumulus-fhir-support (seen with Epic and Cerner), the rest of
# 4xx says the same however often one asks.
_TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
_STATUS = MappingProxyType(
    {
        401: "the record did not accept the access lent for it",
        403: "the record refused us access to it",
        404: "the record's server does not have it",
        410: "the record's server no longer has it",
        408: LATE,
        429: "the record is too busy to answer",
        503: "the record is too busy to answer",
        504: LATE,
    }
)
Resolve = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, best first. Raises OSError (socket.gaierror)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(slots=True)
class _Ask:
    """What one need has brought so far. Written by one thread; read by another at any time."""

    need: Need
    target: str
    enough: Callable[[tuple[Entry, ...]], bool]
    partly: bool = False
    entries: tuple[Entry, ...] = ()
    unread: tuple[Unread, ...] = ()
    gap: str | None = None
    done: bool = False

    def take(self, page: Page) -> None:
        self.entries += page.entries
        self.unread += page.unread

    def fetched(self, late: str) -> Fetched:
        gap = self.gap or (None if self.done else LATE)
        if gap == LATE:
            gap = late
        return Fetched(self.entries, self.unread, gap or (_PARTLY if self.partly else None))


class Ehr:
    """Asks FHIR servers that ``hosts`` allow. One for each worker process: no thread and no
    connection exists before the first call, so that it may be made before a fork.

    ``deadline`` is in seconds. ``wire`` and ``resolve`` are given by tests.
    """

    def __init__(
        self,
        hosts: Hosts,
        deadline: float = 2,
        *,
        wire: Wire | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self.hosts, self.deadline = hosts, deadline
        self.wire, self.resolve = wire or Wire(), resolve
        self.threads = ThreadPoolExecutor(_THREADS, "ehr")

    def __call__(
        self,
        request: HookRequest,
        wanted: tuple[Wanted, ...],
        references: frozenset[str] = frozenset(),
    ) -> Fetches:
        """What was wanted and could be had within the deadline (service.gather.Fetch)."""
        until = time.monotonic() + self.deadline
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
            return _all(wanted, broken.reason)
        talk = _Talk(self, base, addresses, grant, request.patient_id, until)
        asks = [talk.ask(w) for w in wanted]
        medications = talk.run([a for a in asks if a.gap is None], references)
        needs = {ask.need.name: ask.fetched(late) for ask in asks}
        return Fetches(needs, tuple(medications))

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


@dataclass(slots=True)
class _Talk:
    """The exchanges of one call with one server."""

    ehr: Ehr
    base: Base
    addresses: tuple[str, ...]
    grant: Grant
    patient_id: str
    until: float
    bytes_left: int = _ALL_BYTES
    over: threading.Event = field(default_factory=threading.Event)
    calls: set[Call] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, wanted: Wanted) -> _Ask:
        """The _Ask of a need, its gap already set when it may not be asked."""
        target = f"{self.base.path}/{wanted.query.replace('|', '%7C')}"
        ask = _Ask(wanted.need, target, lambda found: holds_enough(wanted, found, self.patient_id))
        cover = self.grant.covers(wanted.need)
        if cover == "none":
            ask.gap = FORBIDDEN
        ask.partly = cover == "part"
        return ask

    def run(self, asks: Iterable[_Ask], references: Iterable[str]) -> list[Entry]:
        """Asks for everything and waits, until the deadline at most; the Medications found."""
        queue: deque[_Ask] = deque(asks)
        asked: set[str] = set()
        medications: list[_Ask] = []

        def refer(to: Iterable[str]) -> None:
            for id_ in sorted(self._ids(to) - asked)[: _MEDICATIONS - len(asked)]:
                asked.add(id_)
                medication = _Ask(_MEDICATION, f"{self.base.path}/Medication/{id_}", bool)
                medications.append(medication)
                queue.append(medication)

        refer(references)
        pending: dict[Future[None], _Ask] = {}
        threads = self.ehr.threads
        while (left := self.until - time.monotonic()) > 0 and (queue or pending):
            while queue and len(pending) < _AT_ONCE:
                ask = queue.popleft()
                pending[threads.submit(self._fill, ask)] = ask
            for future in wait(pending, left, FIRST_COMPLETED).done:
                ask = pending.pop(future)
                if future.exception() is not None:
                    ask.gap = _FAULT  # ours: whatever it was, the rest still counts
                refer(medication_references(ask.entries, ask.entries))
        self._hang_up(pending)
        return [entry for m in medications if m.done and m.gap is None for entry in m.entries]

    def _ids(self, references: Iterable[str]) -> set[str]:
        """The ids of Medications of this server; a reference elsewhere is not followed."""
        found = set()
        home = f"{self.base.url}/Medication/"
        for reference in references if self.grant.reads("Medication") else ():
            key = reference_key(reference)
            if "://" in reference and not reference.startswith(home):
                continue
            if key is not None and key[0] == "Medication" and _is_id(key[1]):
                found.add(key[1])
        return found

    def _hang_up(self, pending: Iterable[Future[None]]) -> None:
        self.over.set()
        for future in pending:
            future.cancel()
        with self.lock:
            calls = tuple(self.calls)
        for call in calls:
            call.end()

    # --- in the threads -------------------------------------------------------------------

    def _fill(self, ask: _Ask) -> None:
        """Reads every page of a need that is needed."""
        call = Call()
        with self.lock:
            self.calls.add(call)
        try:
            self._read(ask, call)
        except Broken as broken:
            ask.gap = broken.reason
        finally:
            with self.lock:
                self.calls.discard(call)

    def _read(self, ask: _Ask, call: Call) -> None:
        target, seen = ask.target, {ask.target}
        while True:
            page = self._page(ask.need, target, call)
            ask.take(page)
            if page.fault is not None:
                raise Broken(page.fault)
            if ask.need.single and any(
                e.resource is not None and e.resource.id not in (None, ask.target.rsplit("/", 1)[1])
                for e in page.entries
            ):
                raise Broken(ANOTHER if ask.need.type == "Patient" else _FAULT)
            if page.next is None or ask.need.single or ask.enough(ask.entries):
                break
            target = self._inside(target, page.next, _PAGES_ELSEWHERE)
            if target in seen:
                raise Broken(_PAGES_REPEAT)
            seen.add(target)
            if len(seen) > _PAGES or len(ask.entries) > _PAGES * 100:
                raise Broken(_PAGES_MANY)
        ask.done = True

    def _page(self, need: Need, target: str, call: Call) -> Page:
        """One page; a temporary failure gets one more try."""
        try:
            return self._once(need, target, call)
        except Broken as broken:
            pause = broken.pause if isinstance(broken, _Status) else _PAUSE
            late = time.monotonic() + pause >= self.until
            if not broken.temporary or late or self.over.wait(pause):
                raise
        return self._once(need, target, call)

    def _once(self, need: Need, target: str, call: Call) -> Page:
        for _ in range(1 + _REDIRECTS):
            left = self.until - time.monotonic()
            if left <= 0 or self.over.is_set():
                break
            reply = self.ehr.wire.get(
                self.base, self.addresses, target, self._headers(), call, left, self._most()
            )
            if reply.status in (301, 302, 303, 307, 308):
                target = self._inside(target, reply.headers.get("Location", ""), _ELSEWHERE)
                continue
            if reply.status != 200:
                raise _Status(reply.status, reply.headers.get("Retry-After"))
            with self.lock:
                self.bytes_left -= len(reply.body)
            return read_page(reply.body, need, self.patient_id)
        else:
            raise Broken(_ROUND)
        raise Broken(LATE)

    def _most(self) -> int:
        with self.lock:
            if self.bytes_left <= 0:
                raise Broken(TOO_LARGE)
            return min(self.bytes_left, _PAGE_BYTES)

    def _headers(self) -> Mapping[str, str]:
        headers = {
            "Accept": "application/fhir+json, application/json;q=0.9",
            "User-Agent": "repletion",
        }
        if self.grant.header is not None:
            headers["Authorization"] = self.grant.header
        return headers

    def _inside(self, target: str, link: str, otherwise: str) -> str:
        """The path and query of a link of this server; Broken when it leads elsewhere."""
        url = urljoin(self.base.root + target, link)
        where, _, query = url.partition("?")
        base = read_base(where)
        if base is None or base.origin != self.base.origin or not link:
            raise Broken(otherwise)
        path = where.split("/", 3)
        path_ = "/" + path[3] if len(path) > 3 else "/"
        return path_ + ("?" + quote(query.partition("#")[0], safe=_IN_QUERY) if query else "")


_IN_QUERY = "%!$&'()*+,;=:@/?-._~"
_MEDICATION = Need("medications", "Medication", single=True)


class _Status(Broken):
    """An HTTP status other than 200; ``pause`` seconds until another try makes sense."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        reason = _STATUS.get(status, "the record's server failed")
        super().__init__(reason, temporary=status in _TEMPORARY)
        text = (retry_after or "").strip()
        # The other form, a date, is not worth the clock of two machines: as if none was named.
        self.pause = float(text) if text.isdecimal() and len(text) < 7 else _PAUSE


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and text.strip(".") != ""


def _all(wanted: tuple[Wanted, ...], reason: str) -> Fetches:
    return Fetches({w.need.name: Fetched(gap=reason) for w in wanted})

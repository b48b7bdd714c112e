"""Talk: the exchanges of one call with one server, all of them at once.

The thread of the call hands out the work, waits until the deadline at most and takes what has
come; the others read pages. At the end every connection that still waits is cut off.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import quote, urljoin

from cards.evidence import Need, Unread
from cards.fhir.resource import Entry, reference_key
from service.ehr.grant import Grant
from service.ehr.hosts import Base, read_base
from service.ehr.page import Page, read_page
from service.ehr.way import Way, encoded
from service.ehr.wire import LATE, TOO_LARGE, Broken, Call, Wire
from service.gather import Fetched, Fetches, Wanted, holds_enough, medication_references
from service.gather.judgement import ANOTHER

_FORBIDDEN = "the record does not permit us to read it (scope forbids: patient/{}.{} is missing)"
_PARTLY = "the record permits us to read only part of it (scope)"
_ELSEWHERE = "the record sent us on to another server"
_ROUND = "the record sent us on, and on again"
_PAGES_ELSEWHERE = "more pages exist, on another server"
_PAGES_REPEAT = "more pages exist, and they repeat"
_PAGES_MANY = "more pages exist than are read"
_FAULT = "it could not be read"

AT_ONCE = 32  # requests of one call at a time: more is a burden to the record's server
_PAGES = 20
_REDIRECTS = 3
_PAGE_BYTES = 4_000_000
_ALL_BYTES = 16_000_000
_MEDICATIONS = 100
_PAUSE = 0.05  # seconds before the second try, when the server names no time
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")  # FHIR: 64, no underscore; real ones are longer

# Which failures may pass; any other 4xx says the same however often one asks.
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
    forbidden: bool = False
    missing: bool = False  # the server knows the one that was asked for, and has it not
    done: bool = False

    def take(self, page: Page) -> None:
        self.entries += page.entries
        self.unread += page.unread

    def fetched(self, late: str) -> Fetched:
        if self.done:
            return Fetched(self.entries, self.unread, _PARTLY if self.partly else None)
        gap = _forbidden(self.need) if self.forbidden else self.gap or LATE
        gap = late if gap == LATE else gap
        failed = not self.forbidden and not self.missing
        return Fetched(self.entries, self.unread, gap, failed)


@dataclass(slots=True)
class Talk:
    """The exchanges of one call with one server."""

    wire: Wire
    threads: Executor
    base: Base
    addresses: tuple[str, ...]
    grant: Grant
    patient_id: str
    until: float
    bytes_left: int = _ALL_BYTES
    over: threading.Event = field(default_factory=threading.Event)
    calls: set[Call] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, wanted: Iterable[Wanted], references: Iterable[str], late: str = LATE) -> Fetches:
        """Asks for everything and waits, until the deadline at most; ``late`` says what passing
        it means."""
        asks = [self._ask(w) for w in wanted]
        queue = deque(ask for ask in asks if not ask.forbidden)
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
        faults: list[BaseException] = []
        while (left := self.until - time.monotonic()) > 0 and (queue or pending):
            while queue and len(pending) < AT_ONCE:
                ask = queue.popleft()
                pending[self.threads.submit(self._fill, ask)] = ask
            for future in wait(pending, left, FIRST_COMPLETED).done:
                ask = pending.pop(future)
                if (fault := future.exception()) is not None:
                    ask.gap, ask.done = _FAULT, False  # ours: the rest still counts
                    faults.append(fault)
                refer(medication_references(ask.entries, ask.entries))
        self._hang_up(pending)
        found = (m.entries for m in medications if m.done)
        return Fetches(
            {ask.need.name: ask.fetched(late) for ask in asks},
            tuple(entry for entries in found for entry in entries),
            tuple(faults),
        )

    def _ask(self, wanted: Wanted) -> _Ask:
        target = f"{self.base.path}/{encoded(wanted.query)}"
        ask = _Ask(wanted.need, target, lambda found: holds_enough(wanted, found, self.patient_id))
        cover = self.grant.covers(wanted.need)
        ask.forbidden, ask.partly = cover == "none", cover == "part"
        return ask

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
            ask.missing = ask.need.single and isinstance(broken, _Status) and broken.gone
            ask.gap = broken.reason
        finally:
            with self.lock:
                self.calls.discard(call)

    def _read(self, ask: _Ask, call: Call) -> None:
        page, way = self._first(ask, call)
        target, seen = way.target, {way.target}
        while True:
            ask.take(page)
            if page.fault is not None:
                raise Broken(page.fault)
            if ask.need.single and any(
                e.resource is not None and e.resource.id not in (None, ask.target.rsplit("/", 1)[1])
                for e in page.entries
            ):
                raise Broken(ANOTHER if ask.need.type == "Patient" else _FAULT)
            if page.next is None or ask.need.single:
                break
            if way.is_sorted and ask.enough(ask.entries):
                break
            target = self._inside(target, page.next, _PAGES_ELSEWHERE)
            if target in seen:
                raise Broken(_PAGES_REPEAT)
            seen.add(target)
            if len(seen) > _PAGES or len(ask.entries) > _PAGES * 100:
                raise Broken(_PAGES_MANY)
            page = self._page(ask.need, replace(way, target=target), call)
        ask.done = True

    def _first(self, ask: _Ask, call: Call) -> tuple[Page, Way]:
        """The first page, and the way that the server took it by."""
        way, refusal = Way(ask.target), None
        while True:
            try:
                return self._page(ask.need, way, call), way
            except _Status as status:
                # What it said to the plain question is what people can do something about.
                refusal = refusal or status
                other = way.otherwise(status.status)
                if other is None:
                    raise refusal from None
                way = other

    def _page(self, need: Need, way: Way, call: Call) -> Page:
        """One page; a temporary failure gets one more try."""
        try:
            return self._once(need, way, call)
        except Broken as broken:
            pause = broken.pause if isinstance(broken, _Status) else _PAUSE
            late = time.monotonic() + pause >= self.until
            if not broken.temporary or late or self.over.wait(pause):
                raise
        return self._once(need, way, call)

    def _once(self, need: Need, way: Way, call: Call) -> Page:
        target, form = way.asked
        for _ in range(1 + _REDIRECTS):
            left = self.until - time.monotonic()
            if left <= 0 or self.over.is_set():
                break
            reply = self.wire.ask(
                self.base, self.addresses, target, self._headers(), call, left, self._most(), form
            )
            if reply.status in (301, 302, 303, 307, 308):
                form = form if reply.status in (307, 308) else None
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


_IN_QUERY = "%!$&'()*+,;=:@?-._~"  # of a link, which is encoded: but no slash, a proxy folds two
_MEDICATION = Need("medications", "Medication", single=True)


class _Status(Broken):
    """An HTTP status other than 200; ``pause`` seconds until another try makes sense;
    ``gone``: what was asked for is not there."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        reason = _STATUS.get(status, "the record's server failed")
        super().__init__(reason, temporary=status in _TEMPORARY)
        self.status, self.gone = status, status in (404, 410)
        text = (retry_after or "").strip()
        # The other form, a date, is not worth the clock of two machines: as if none was named.
        self.pause = float(text) if text.isdecimal() and len(text) < 7 else _PAUSE


def _forbidden(need: Need) -> str:
    """Names the scope that a client would have to lend."""
    return _FORBIDDEN.format(need.type, "r" if need.single else "rs")


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and text.strip(".") != ""

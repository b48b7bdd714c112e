"""Memory: what a hook asks of the store, and what feedback brings to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from cards.evidence import Answered, Evidence, Unrecognised
from cards.fhir.resource import version
from cards.protocol import Protocol
from cards.quiet import digest
from service.answer import Answer, Mode
from service.cdshooks.feedback import Feedback, FeedbackItem
from service.cdshooks.request import HookRequest
from service.memory.pseudonym import Pseudonyms
from service.memory.shown import shown_rows
from service.memory.unrecognised import Noted, write_unrecognised
from service.memory.writer import Loss, Writer
from service.observe import Observer
from service.store import Store, StoreDown
from service.store.tables import feedback, shown
from service.trust import Caller

# For what a hook can do without: its answer waits no longer.
_QUICK_S = 0.3
_REPORT_S = 10.0
# Feedback items in one transaction: nobody waits long for a great one.
_AT_ONCE = 500
_OTHER = "another"  # a result or draft that is not at hand: equal to none
_EARLIER = timedelta(days=1)  # how long after it was shown a card may still be answered

# Made once: a hook has about a millisecond.
_ANSWERS = (
    select(
        shown.c.card,
        shown.c.at,
        shown.c.findings,
        shown.c.result,
        shown.c.band,
        shown.c.alarms,
        feedback.c.outcome,
        feedback.c.outcome_at,
        feedback.c.received,
    )
    .join(
        feedback,
        and_(
            feedback.c.card == shown.c.card,
            feedback.c.client == shown.c.client,
            feedback.c.tenant == shown.c.tenant,
        ),
    )
    .where(
        shown.c.patient == bindparam("patient"),
        shown.c.client == bindparam("client"),
        shown.c.tenant == bindparam("tenant"),
        shown.c.at >= bindparam("shown_since"),
        shown.c.state == "shown",
        feedback.c.received >= bindparam("answered_since"),
    )
    .order_by(shown.c.card)
)


class Memory:
    """One for all threads. Made before the workers are forked; connects to nothing then."""

    def __init__(
        self, store: Store, names: Pseudonyms, now: Callable[[], datetime], observer: Observer
    ) -> None:
        self._store, self._quick = store, store.waiting(_QUICK_S)
        self.reports = store.waiting(_REPORT_S)  # for the page of outcomes
        self._names, self._now, self._observer = names, now, observer
        self._writer = Writer(self._write, self._lost)

    def whose(self, caller: Caller) -> tuple[str, str]:
        """(client, tenant) under which what a caller is shown and answers is kept."""
        return caller.issuer or "", self._names.tenant(caller)

    # --- hooks ------------------------------------------------------------------------------

    def remember(
        self,
        answer: Answer,
        caller: Caller,
        mode: Mode,
        correlation: str,
        unrecognised: tuple[Unrecognised, ...] = (),
    ) -> None:
        """Keeps what was shown, hushed or, in shadow mode, would have been shown, and counts what
        was not recognised. Never waits."""
        at = micros(self._now())
        try:
            rows = list(shown_rows(answer, caller, mode, self._names, at, correlation))
            rows += self._noted(answer, caller, at, unrecognised)
        except Exception as error:  # the card is made: a fault of ours here must not cost it
            self._observer.fault(error)
            self._observer.lost(1, "fault")
        else:
            self._writer.put(rows)

    def _noted(
        self, answer: Answer, caller: Caller, at: int, found: tuple[Unrecognised, ...]
    ) -> list[dict[str, Any]]:
        if not found:
            return []
        patient = self._names.patient(caller, answer.request)
        return [{"noted": Noted(*self.whose(caller), patient, at, found)}]

    def answered(
        self, caller: Caller, request: HookRequest, evidence: Evidence, protocol: Protocol
    ) -> tuple[Answered, ...]:
        """What this client answered to cards about this patient, within the quiet time.

        A store that does not answer in time is as if nothing had been answered: advice that is
        repeated is better than advice withheld.
        """
        try:
            return self._answered(caller, request, evidence, protocol)
        except StoreDown:
            pass
        except Exception as error:  # a fault of ours here must not cost the card
            self._observer.fault(error)
        self._observer.not_remembered()
        return ()

    def _answered(
        self, caller: Caller, request: HookRequest, evidence: Evidence, protocol: Protocol
    ) -> tuple[Answered, ...]:
        limit = protocol.file.limit
        span = max(
            timedelta(hours=float(limit.quiet.value)),
            timedelta(days=float(limit.maintenance_window.value)),
        )
        since = self._now() - span
        patient = self._names.patient(caller, request)
        client, tenant = self.whose(caller)
        asked = {
            "patient": patient,
            "client": client,
            "tenant": tenant,
            "shown_since": micros(since - _EARLIER),
            "answered_since": micros(since),
        }
        rows = self._quick.read(lambda c: c.execute(_ANSWERS, asked).all())
        if not rows:
            return ()
        shared = self._shared({row.card for row in rows}, patient, client, tenant)
        at_hand = _AtHand(self._names, patient, request, evidence)
        return tuple(
            answered
            for card, of_card in groupby(rows, key=lambda row: row.card)
            if card not in shared
            for answered in at_hand.answered(tuple(of_card))
        )

    def _shared(self, cards: set[str], patient: bytes, client: str, tenant: str) -> set[str]:
        """Cards that this client was shown for another patient, too: it used one hookInstance
        for both, and nobody can tell whom its answer means."""
        query = select(shown.c.card).where(
            shown.c.card.in_(cards),
            shown.c.patient != patient,
            shown.c.client == client,
            shown.c.tenant == tenant,
        )
        return set(self._quick.read(lambda c: c.execute(query).scalars().all()))

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        cards = [row for row in rows if "noted" not in row]
        noted = [row["noted"] for row in rows if "noted" in row]

        def run(connection: Connection) -> None:
            if cards:
                connection.execute(insert(shown), cards)
            write_unrecognised(connection, noted, self._names)

        self._store.write(run)

    def _lost(self, rows: int, why: Loss) -> None:
        self._observer.lost(rows, why)

    def flush(self, timeout: float = 5.0) -> bool:
        """Waits until what was remembered is stored."""
        return self._writer.flush(timeout)

    def close(self) -> None:
        """Hangs up. A later call connects again."""
        self._quick.engine.dispose()
        self.reports.engine.dispose()

    # --- feedback ---------------------------------------------------------------------------

    def take(self, given: Feedback, caller: Caller, correlation: str) -> None:
        """Stores the items, on the disk when it returns; repeats change nothing.

        Raises StoreDown: then not all are stored, and the client sends all again.
        """
        if not given.items:
            return
        received = micros(self._now())
        client, tenant = self.whose(caller)
        rows = [
            self._row(item)
            | {
                "client": client,
                "tenant": tenant,
                "service": given.service,
                "received": received,
                "correlation": correlation,
            }
            for item in given.items
        ]
        make = sqlite.insert if self._store.is_sqlite else postgresql.insert
        store = make(feedback).on_conflict_do_nothing()
        # In one order for everybody: of two calls with the same items neither waits for ever.
        rows.sort(key=lambda row: (row["card"], row["outcome"], row["outcome_at"]))

        def run(connection: Connection, some: list[dict[str, Any]]) -> None:
            standings = _standings(connection, {row["card"] for row in some}, client, tenant)
            connection.execute(
                store, [row | {"standing": standings.get(row["card"], "unknown")} for row in some]
            )

        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            self._store.write(partial(run, some=some))

    def _row(self, item: FeedbackItem) -> dict[str, Any]:
        return {
            "card": item.card.lower(),
            "outcome": item.outcome,
            "outcome_at": micros(item.at),
            "suggestions": ",".join(s.id.lower() for s in item.acceptedSuggestions or ()),
            "reason": item.reason,
            "sealed": self._names.seal(item.private),
        }


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return round(moment.timestamp() * 1_000_000)


def _standings(connection: Connection, cards: set[str], client: str, tenant: str) -> dict[str, str]:
    found: dict[str, str] = {}
    query = select(shown.c.card, shown.c.client, shown.c.tenant).distinct()
    for card, whose, where in connection.execute(query.where(shown.c.card.in_(cards))):
        if (whose, where) == (client, tenant):
            found[card] = "known"
        else:
            found.setdefault(card, "foreign")
    return found


class _AtHand:
    """Translates stored answers back: a hash into the id at hand that has it.

    So the core compares ids and knows nothing of hashes, and the store knows no id.
    """

    def __init__(
        self, names: Pseudonyms, patient: bytes, request: HookRequest, evidence: Evidence
    ) -> None:
        sources = {version(r) for results in evidence.labs.values() for r in results} | {""}
        self._results = {names.result(patient, source): source for source in sources}
        self._results.pop(None, None)
        digests = {digest(raw) for raw in request.drafts}
        self._drafts = {names.draft(patient, found): found for found in digests}

    def answered(self, rows: Sequence[Any]) -> list[Answered]:
        """The last answer to a card, for each finding that stood on it."""
        last = max(rows, key=lambda row: (row.outcome_at, row.received))
        at = min(last.outcome_at, last.received)  # a client's clock may be ahead of ours
        # The same card may have been shown again with another draft, before or after.
        showings = sorted(rows, key=lambda row: row.at)
        before = [row for row in showings if row.at <= at]
        meant = before[-1] if before else showings[0]
        findings = msgspec.json.decode(meant.findings, type=list[tuple[str, str | None]])
        return [
            Answered(
                rule=rule,
                result=self._results.get(meant.result, _OTHER),
                outcome=last.outcome,
                at=datetime.fromtimestamp(max(at, meant.at) / 1_000_000, UTC),
                acts_as=meant.band,
                draft=None if draft is None else self._drafts.get(draft, _OTHER),
                alarms=frozenset(filter(None, meant.alarms.split(","))),
            )
            for rule, draft in findings
        ]

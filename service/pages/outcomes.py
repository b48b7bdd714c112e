"""The page of outcomes: what became of the cards, by rule and over time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from urllib.parse import urlencode

from flask import Response, g, request

from cards.protocol import Protocol, cited_anchor
from service.cdshooks.request import SERVICES
from service.errors import NotReady
from service.memory.outcomes import (
    STATES,
    Mark,
    Outcomes,
    Selection,
    any_shown,
    mark,
    read_outcomes,
    rules_shown,
    wilson,
)
from service.pages.bars import HEIGHT, WIDTH, lay_out
from service.pages.view import SECURITY, html_page
from service.store import Store, StoreDown
from service.trust import Caller
from service.web.service import Service

# As far back as cards may be looked at, and what is shown without a question.
PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "all": "all time"}
_DEFAULT = "90"
_DAILY = 31  # up to so many days are drawn by the day
# Fewer are told as they are: a percentage of three cards says nothing.
ENOUGH = 20
_KEPT = 32  # counts, each a few kB


@dataclass(frozen=True, slots=True)
class Counted:
    """``rules`` are those of which there are cards; ``empty``: there is no card at all."""

    outcomes: Outcomes
    rules: tuple[str, ...]
    empty: bool


@dataclass(frozen=True, slots=True)
class Question:
    """The filter as a query names it; "" for everything. What is not known asks for everything."""

    days: str = _DEFAULT
    service: str = ""
    rule: str = ""
    mode: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Question:
        def one(name: str, known: Collection[str], default: str = "") -> str:
            value = query.get(name, default)
            return value if value in known else default

        return cls(
            one("days", PERIODS, _DEFAULT),
            one("service", SERVICES),
            query.get("rule", "")[:40],  # of a protocol that may no longer be known
            one("mode", STATES),
        )

    def asked(self, now: datetime, whose: tuple[str, str] | None) -> Selection:
        days = None if self.days == "all" else int(self.days)
        # Whole days, as they are drawn.
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Selection(
            since=None if days is None else today - timedelta(days=days),
            whose=whose,
            service=self.service or None,
            rule=self.rule or None,
            mode=self.mode or None,  # type: ignore[arg-type]  # one of STATES
            daily=days is not None and days <= _DAILY,
        )

    def query(self, **more: str) -> str:
        """As a query string."""
        parts = {"days": self.days, "service": self.service, "rule": self.rule, "mode": self.mode}
        return urlencode({name: value for name, value in (parts | more).items() if value})


class OutcomesPage:
    """Answers with the page of outcomes. Counting many thousands of cards takes a second, so what
    was counted is kept until something is shown or answered."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._counted: OrderedDict[tuple[Selection, Mark], Counted] = OrderedDict()
        self._lock = Lock()

    def answer(self) -> Response:
        """A client sees its own; in open mode, and with the password of the pages, all is shown."""
        service = self._service
        if service.memory is None:
            raise NotReady
        caller: Caller = g.caller
        # What another hospital does with its cards is not a client's business.
        whose = None if caller.issuer is None else service.memory.whose(caller)
        question = Question.of(request.args)
        try:
            found = self._count(service.memory.reports, question.asked(service.now(), whose))
        except StoreDown:
            g.line.store = "down"
            raise NotReady from None
        if request.args.get("format") == "csv":
            return _csv(found.outcomes)
        outcomes, rules = found.outcomes, found.rules
        return html_page(
            service,
            "outcomes.html",
            "Outcomes",
            outcomes=outcomes,
            total=outcomes.total,
            question=question,
            choices={
                "days": PERIODS,
                "service": SERVICES,
                "rule": {rule: rule for rule in sorted({*rules, question.rule} - {""})},
                "mode": {mode: mode for mode in STATES},
            },
            bars=lay_out(outcomes.course, timedelta(days=1 if outcomes.asked.daily else 7)),
            size=(WIDTH, HEIGHT),
            enough=ENOUGH,
            rules=_rules(service.protocol_of(caller), rules),
            empty=found.empty,
            wilson=wilson,
            mode=service.mode_of(caller),
        )

    def _count(self, store: Store, asked: Selection) -> Counted:
        key = asked, mark(store)
        with self._lock:
            found = self._counted.get(key)
        if found is None:
            outcomes = read_outcomes(store, asked)
            empty = not outcomes.course and not any_shown(store, asked.whose)
            found = Counted(outcomes, rules_shown(store, asked), empty)
            with self._lock:
                self._counted[key] = found
                while len(self._counted) > _KEPT:
                    self._counted.popitem(last=False)
        return found


def _csv(found: Outcomes) -> Response:
    response = Response(found.as_csv(), mimetype="text/csv")
    response.headers.update(SECURITY)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = 'attachment; filename="repletion-outcomes.csv"'
    return response


def _rules(protocol: Protocol, rules: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """The title of each rule and its place on the page of the protocol; "" where the protocol in
    force has none of that name."""
    found = {}
    for rule in rules:
        file = protocol.file
        entry = file.rule.get(rule) or file.stop.get(rule)
        try:
            place = cited_anchor(file, rule)
        except KeyError:
            place = ""
        found[rule] = (entry.title if entry else "", place)
    return found

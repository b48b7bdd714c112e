"""Outcomes: what became of the cards, per rule and indicator, service, tenant, protocol and time.

A card counts once, however often its call was repeated, and by the last answer of the client it
was shown to. Ignored is a card that was shown and not answered.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, select

from cards.card import OVERRIDE_REASONS
from service.memory.memory import micros
from service.store import Store
from service.store.tables import feedback, shown

_DAY = 24 * 3600 * 1_000_000
_MONDAY = 4  # the first one after 1970-01-01, a Thursday
_Z = 1.959964  # 95 %
_REASONS = dict(OVERRIDE_REASONS)


Mode = Literal["live", "shadow"]
# What a card was: shown or hushed in live mode, or kept in shadow mode.
STATES: dict[Mode, tuple[str, ...]] = {"live": ("shown", "hushed"), "shadow": ("shadow",)}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cards: those since a moment, of one (client, tenant), service, rule or mode.

    None asks for all. ``daily`` counts by day instead of by week.
    """

    since: datetime | None = None
    whose: tuple[str, str] | None = None
    service: str | None = None
    rule: str | None = None
    mode: Mode | None = None
    daily: bool = False


@dataclass(slots=True)
class Tally:
    """The cards of one group. ``reasons`` are those of the overridden, "" for none given."""

    name: tuple[str, ...]
    shown: int = 0
    hushed: int = 0
    shadow: int = 0
    accepted: int = 0
    overridden: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Counts another group into this one."""
        for name in ("shown", "hushed", "shadow", "accepted", "overridden"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons += other.reasons

    @property
    def ignored(self) -> int:
        return self.shown - self.accepted - self.overridden

    @property
    def rate(self) -> tuple[float, float, float] | None:
        """The change rate, accepted of shown, and its 95 % interval; None when none was shown."""
        return wilson(self.accepted, self.shown) if self.shown else None

    @property
    def rate_text(self) -> str:
        if self.rate is None:
            return ""
        return "{:.1f} % ({:.1f} to {:.1f})".format(*(100 * part for part in self.rate))

    @property
    def reasons_said(self) -> list[tuple[str, int]]:
        """Each reason in words, and of how many cards it is; the most frequent first."""
        return [
            (_REASONS.get(code, code) or "no reason", count)
            for code, count in self.reasons.most_common()
        ]

    @property
    def reasons_text(self) -> str:
        return ", ".join(f"{reason}: {count}" for reason, count in self.reasons_said)


@dataclass(frozen=True, slots=True)
class Section:
    """One table: ``by`` what, the names of its columns, its groups."""

    by: str
    columns: tuple[str, ...]
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """``unplaced`` counts feedback that is of no card shown to its sender: foreign, unknown.

    ``course`` are the tallies of each day or week that has cards, by its first day.
    """

    asked: Selection
    sections: tuple[Section, ...]
    unplaced: dict[str, int]
    course: dict[date, Tally]

    @property
    def total(self) -> Tally:
        """All cards together."""
        found = Tally(("all",))
        for tally in self.course.values():
            found.add(tally)
        return found

    def as_text(self) -> str:
        """Tables for a terminal."""
        parts = []
        for section in self.sections:
            head = (*section.columns, *_COUNTS, "change rate (95 %)", "reasons of overriding")
            rows = [
                (*t.name, *(str(getattr(t, c)) for c in _COUNTS), t.rate_text, t.reasons_text)
                for t in section.tallies
            ]
            widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
            lines = [
                "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
                for row in (head, *rows)
            ]
            parts.append("\n".join([f"By {section.by}", *lines]))
        said = ", ".join(f"{name}: {count}" for name, count in self.unplaced.items())
        return "\n\n".join([*parts, f"Feedback to cards that its sender was not shown: {said}"])

    def as_csv(self) -> str:
        """One line a group of every table."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        reasons = [*_REASONS, "client's own", ""]
        writer.writerow(
            ["by", "group", *_COUNTS, "change_rate", "low", "high"]
            + [f"overridden: {reason or 'no reason'}" for reason in reasons]
        )
        for section in self.sections:
            for tally in section.tallies:
                rate = [f"{part:.4f}" for part in tally.rate] if tally.rate else ["", "", ""]
                counts = [getattr(tally, name) for name in _COUNTS]
                found = [tally.reasons[reason] for reason in reasons]
                writer.writerow([section.by, _safe(" ".join(tally.name)), *counts, *rate, *found])
        return out.getvalue()


_COUNTS = ("shown", "hushed", "shadow", "accepted", "overridden", "ignored")


def _safe(text: str) -> str:
    """No formula for a spreadsheet: a tenant's name is free text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """(share, low, high): Wilson's score interval at 95 %. ``of`` is at least 1."""
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    # The ends are exact at none and at all.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == of else middle + half
    return share, low, high


def read_outcomes(store: Store, asked: Selection = Selection()) -> Outcomes:
    """The Outcomes of the cards asked for. Raises StoreDown.

    The database counts: give it a store that waits some seconds (Store.waiting).
    """
    counts = store.read(lambda c: c.execute(_counts(asked)).all())
    unplaced = {"foreign": 0, "unknown": 0}
    query = select(feedback.c.standing, func.count()).group_by(feedback.c.standing)
    query = query.where(*_of(feedback.c, feedback.c.received, asked))
    for standing, count in store.read(lambda c: c.execute(query).all()):
        if standing in unplaced:
            unplaced[standing] = count
    span = "day" if asked.daily else "week"
    groupings: tuple[tuple[str, tuple[str, ...], Callable[[Any], tuple[str, ...]]], ...] = (
        ("rule and indicator", ("rule", "indicator"), lambda r: (r.rule, r.indicator)),
        ("service", ("service",), lambda r: (r.service,)),
        ("tenant", ("client", "tenant"), lambda r: (r.client or "(open)", r.tenant or "-")),
        ("protocol", ("protocol", "hash"), lambda r: (r.protocol, r.protocol_hash[:12])),
        (span, (f"{span} from",), lambda r: (_first_day(r.span, asked).isoformat(),)),
    )
    sections = tuple(
        Section(by, columns, _tallies(counts, name)) for by, columns, name in groupings
    )
    course = {date.fromisoformat(tally.name[0]): tally for tally in sections[-1].tallies}
    return Outcomes(asked, sections, unplaced, course)


def rules_shown(store: Store, asked: Selection) -> tuple[str, ...]:
    """The rules of which there are cards, whatever rule is asked for. Raises StoreDown."""
    query = select(shown.c.rule).distinct().where(*_of(shown.c, shown.c.at, asked))
    return tuple(store.read(lambda c: c.execute(query.order_by(shown.c.rule)).scalars().all()))


Mark = tuple[int | None, ...]


def mark(store: Store) -> Mark:
    """What changes whenever something was shown, answered or pruned. Raises StoreDown.

    Cheap: for those who keep Outcomes and ask whether they still hold.
    """
    parts = (
        select(func.min(shown.c.at)),
        select(func.max(shown.c.id)),
        select(func.max(feedback.c.received)),
        select(func.count()).select_from(feedback),
    )
    # Each by itself: its index has the answer at one end.
    query = select(*(part.scalar_subquery() for part in parts))
    return tuple(store.read(lambda c: c.execute(query).one()))


def any_shown(store: Store, whose: tuple[str, str] | None) -> bool:
    """Whether there is any card at all, of one (client, tenant) or of all. Raises StoreDown."""
    query = select(shown.c.id).where(*_whose(shown.c, whose)).limit(1)
    return store.read(lambda c: c.execute(query).first()) is not None


def _tallies(counts: Iterable[Any], name: Callable[[Any], tuple[str, ...]]) -> tuple[Tally, ...]:
    found: dict[tuple[str, ...], Tally] = {}
    for row in counts:
        tally = found.setdefault(name(row), Tally(name(row)))
        setattr(tally, row.state, getattr(tally, row.state) + row.number)
        if row.state == "shown" and row.outcome is not None:
            setattr(tally, row.outcome, getattr(tally, row.outcome) + row.number)
            if row.outcome == "overridden":
                tally.reasons[row.reason or ""] += row.number
    return tuple(found[key] for key in sorted(found))


def _first_day(span: int, asked: Selection) -> date:
    days = span if asked.daily else span * 7 + _MONDAY
    return date(1970, 1, 1) + timedelta(days=days)


def _whose(columns: Any, whose: tuple[str, str] | None) -> list[ColumnElement[bool]]:
    return [] if whose is None else [columns.client == whose[0], columns.tenant == whose[1]]


def _of(columns: Any, at: ColumnElement[int], asked: Selection) -> list[ColumnElement[bool]]:
    """What cards and feedback have in common."""
    conditions = _whose(columns, asked.whose)
    if asked.since is not None:
        conditions.append(at >= micros(asked.since))
    if asked.service is not None:
        conditions.append(columns.service == asked.service)
    return conditions


def _counts(asked: Selection) -> Any:
    """How many cards of each kind there are, counted by the database."""
    kinds = [
        shown.c[name]
        for name in ("rule", "indicator", "service", "protocol", "protocol_hash", "state")
    ]
    card = [shown.c.client, shown.c.tenant, shown.c.card]
    conditions = _of(shown.c, shown.c.at, asked)
    if asked.rule is not None:
        conditions.append(shown.c.rule == asked.rule)
    if asked.mode is not None:
        conditions.append(shown.c.state.in_(STATES[asked.mode]))
    # The first showing is the card's time; a repeated call may say another indicator, and the
    # card then counts once for each.
    cards = (
        select(*card, *kinds, func.min(shown.c.at).label("at"))
        .where(*conditions)
        .group_by(*card, shown.c.patient, *kinds)
        .subquery()
    )
    place = func.row_number().over(
        partition_by=[feedback.c.client, feedback.c.tenant, feedback.c.card],
        order_by=[feedback.c.outcome_at.desc(), feedback.c.received.desc()],
    )
    ranked = select(feedback, place.label("place")).subquery()
    last = and_(
        ranked.c.client == cards.c.client,
        ranked.c.tenant == cards.c.tenant,
        ranked.c.card == cards.c.card,
        ranked.c.place == 1,
    )
    kept = [cards.c[column.name] for column in kinds]
    span = cards.c.at // _DAY if asked.daily else (cards.c.at - _MONDAY * _DAY) // (7 * _DAY)
    groups = [
        cards.c.client,
        cards.c.tenant,
        *kept,
        span.label("span"),
        ranked.c.outcome,
        ranked.c.reason,
    ]
    return (
        select(*groups, func.count().label("number"))
        .select_from(cards.outerjoin(ranked, last))
        .group_by(*groups)
    )

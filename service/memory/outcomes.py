"""Outcomes: what became of the cards, per rule and indicator, service, tenant, protocol and week.

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
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, select

from cards.card import OVERRIDE_REASONS
from cards.protocol import Protocol
from service.memory.memory import micros
from service.store import Store
from service.tables import feedback, shown

_WEEK = 7 * 24 * 3600 * 1_000_000
_MONDAY = 4 * 24 * 3600 * 1_000_000  # the first one after 1970-01-01, a Thursday
_Z = 1.959964  # 95 %
_REASONS = dict(OVERRIDE_REASONS)


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
    def reasons_text(self) -> str:
        return ", ".join(
            f"{_REASONS.get(code, code) or 'no reason'}: {count}"
            for code, count in self.reasons.most_common()
        )


@dataclass(frozen=True, slots=True)
class Section:
    """One table: ``by`` what, the names of its columns, its groups."""

    by: str
    columns: tuple[str, ...]
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """``unplaced`` counts feedback that is of no card shown to its sender: foreign, unknown."""

    since: datetime | None
    sections: tuple[Section, ...]
    unplaced: dict[str, int]

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

    def as_html(self) -> str:
        """A page."""
        rendered: str = _template().render(outcomes=self, counts=_COUNTS)
        return rendered


_COUNTS = ("shown", "hushed", "shadow", "accepted", "overridden", "ignored")


def _safe(text: str) -> str:
    """No formula for a spreadsheet: a tenant's name is free text."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


@cache
def _template() -> Any:
    from jinja2 import Environment

    text = files("service.memory").joinpath("outcomes.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """(share, low, high): Wilson's score interval at 95 %. ``of`` is at least 1."""
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    # The ends are exact at none and at all.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == of else middle + half
    return share, low, high


def read_outcomes(
    store: Store, since: datetime | None = None, whose: tuple[str, str] | None = None
) -> Outcomes:
    """The Outcomes of cards since a moment, of one (client, tenant) or all. Raises StoreDown.

    The database counts: give it a store that waits some seconds (Store.waiting).
    """
    counts = store.read(lambda c: c.execute(_counts(since, whose)).all())
    unplaced = {"foreign": 0, "unknown": 0}
    query = select(feedback.c.standing, func.count()).group_by(feedback.c.standing)
    query = query.where(*_of(feedback.c, feedback.c.received, since, whose))
    for standing, count in store.read(lambda c: c.execute(query).all()):
        if standing in unplaced:
            unplaced[standing] = count
    groupings: tuple[tuple[str, tuple[str, ...], Callable[[Any], tuple[str, ...]]], ...] = (
        ("rule and indicator", ("rule", "indicator"), lambda r: (r.rule, r.indicator)),
        ("service", ("service",), lambda r: (r.service,)),
        ("tenant", ("client", "tenant"), lambda r: (r.client or "(open)", r.tenant or "-")),
        ("protocol", ("protocol", "hash"), lambda r: (r.protocol, r.protocol_hash[:12])),
        ("week", ("week from",), lambda r: (_monday(r.week),)),
    )
    sections = tuple(
        Section(by, columns, _tallies(counts, name)) for by, columns, name in groupings
    )
    return Outcomes(since, sections, unplaced)


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


def _monday(week: int) -> str:
    start = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=week * _WEEK + _MONDAY)
    return start.date().isoformat()


def _of(
    columns: Any, at: ColumnElement[int], since: datetime | None, whose: tuple[str, str] | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions.append(at >= micros(since))
    if whose is not None:
        conditions += [columns.client == whose[0], columns.tenant == whose[1]]
    return conditions


def _counts(since: datetime | None, whose: tuple[str, str] | None) -> Any:
    """How many cards of each kind there are, counted by the database."""
    kinds = [
        shown.c[name]
        for name in ("rule", "indicator", "service", "protocol", "protocol_hash", "state")
    ]
    card = [shown.c.client, shown.c.tenant, shown.c.card]
    # The first showing is the card's week; a repeated call may say another indicator, and the
    # card then counts once for each.
    cards = (
        select(*card, *kinds, func.min(shown.c.at).label("at"))
        .where(*_of(shown.c, shown.c.at, since, whose))
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
    week = ((cards.c.at - _MONDAY) // _WEEK).label("week")
    groups = [cards.c.client, cards.c.tenant, *kept, week, ranked.c.outcome, ranked.c.reason]
    return (
        select(*groups, func.count().label("number"))
        .select_from(cards.outerjoin(ranked, last))
        .group_by(*groups)
    )


def explain_call(store: Store, correlation: str, protocol: Protocol) -> list[str]:
    """What one call said and why, in lines, as far as it can be told without the patient."""
    query = select(shown).where(shown.c.correlation == correlation).order_by(shown.c.id)
    rows = store.read(lambda c: c.execute(query).all())
    lines: list[str] = []
    for row in rows:
        lines += [
            f"{_when(row.at)}  {row.service}: {row.state}, {row.indicator}, rule {row.rule}",
            f"  rules: {row.rules}",
        ]
        if row.protocol_hash == protocol.hash:
            findings = msgspec.json.decode(row.findings, type=list[tuple[str, str | None]])
            rules = dict.fromkeys(rule for rule, _ in findings)
            lines += [f"  {rule}: {protocol.rule(rule).title}" for rule in rules]
        else:
            lines.append("  the protocol in force now is another; the rules of then: see its file")
        lines += [
            f"  the level acted as: {row.band or 'no usable level'}",
            f"  stops and flags that held: {row.alarms or 'none'}",
            f"  protocol {row.protocol}, {row.protocol_hash}; repletion {row.software}",
            f"  client {row.client or '(open)'}, tenant {row.tenant or '-'}; card {row.card}",
        ]
        lines += _answers(store, row)
    return lines


def _answers(store: Store, row: Any) -> list[str]:
    query = select(feedback).where(feedback.c.card == row.card).order_by(feedback.c.outcome_at)
    if row.state != "shown":
        return []
    answers = [
        f"  {_when(a.outcome_at)}  {a.outcome}"
        + (f", {_REASONS.get(a.reason, a.reason)}" if a.reason else "")
        + ("" if (a.client, a.tenant) == (row.client, row.tenant) else " (by another client)")
        for a in store.read(lambda c: c.execute(query).all())
    ]
    return answers or ["  not answered"]


def _when(at: int) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat()

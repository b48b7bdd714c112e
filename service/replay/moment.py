"""Moment: when a hook fires, and on which orders.

Each order is chosen by itself. Those that were written together are signed together: the orders
of one encounter (where it is stated) and minute are one order-sign. Where the record gives the day
alone, each author signs once a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from cards.fhir import target_of
from cards.fhir.instant import read_instant
from cards.fhir.resource import Resource
from cards.orders import DraftOrder
from service.replay.row import HOOKS, Trigger


@dataclass(frozen=True, slots=True)
class Written:
    """An order as it was written ``at`` a time (``exact``: the record gives the time of day);
    ``id`` is its pseudonym, ``raw`` the order as a draft, ``author`` whoever wrote it, as the
    record refers to it."""

    at: datetime
    exact: bool
    id: str
    resource: Resource
    raw: bytes
    order: DraftOrder
    author: str = ""

    def rank(self) -> tuple[datetime, str, str]:
        return self.at, self.resource.id or "", self.id


@dataclass(frozen=True, slots=True)
class Moment:
    """A hook fires ``at`` a time because of a result or of ``orders``; ``resource`` is the result
    or the first of them."""

    at: datetime
    exact: bool
    hook: str
    trigger: Trigger
    resource: Resource
    orders: tuple[Written, ...] = ()

    def rank(self) -> tuple[datetime, int, str]:
        return self.at, HOOKS.index(self.hook), self.trigger.id


def written_at(text: str | None, zone: tzinfo) -> tuple[datetime, bool] | None:
    """(when, whether to the minute): a bare date is its beginning, when nothing of that day was
    known yet."""
    instant = read_instant(text)
    if instant is None:
        return None
    if instant.exact:
        return instant.start, True
    first = instant.start.replace(tzinfo=zone)
    return first.astimezone(UTC), False


def chosen(orders: Iterable[Written]) -> Iterator[Moment]:
    """An order-select of each order."""
    return (_moment("order-select", (order,)) for order in orders)


def signed(orders: Iterable[Written], *, alone: bool = False) -> Iterator[Moment]:
    """An order-sign of the orders that were written together, when the last of them was;
    ``alone``: of each."""
    together: dict[tuple[object, ...], list[Written]] = {}
    for order in sorted(orders, key=Written.rank):
        together.setdefault((order.id,) if alone else _together(order), []).append(order)
    return (_moment("order-sign", tuple(some)) for some in together.values())


def _together(order: Written) -> tuple[object, ...]:
    encounter = order.resource.encounter
    where = target_of(encounter)
    stay = where.url if where is not None else None
    minute = order.at.replace(second=0, microsecond=0)
    return minute, order.exact, stay, "" if order.exact else order.author


def _moment(hook: str, orders: tuple[Written, ...]) -> Moment:
    first = orders[0]
    trigger = Trigger("MedicationRequest", first.id)
    return Moment(orders[-1].at, first.exact, hook, trigger, first.resource, orders)

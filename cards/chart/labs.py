"""Lab: one laboratory value that a rule may use, with its time and the resource it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from cards.evidence import Evidence
from cards.instant import Instant, read_instant
from cards.protocol import Protocol
from cards.quantity import Quantity, lab_value
from cards.resource import Resource, name

FINAL = frozenset({"final", "amended", "corrected"})
_RANK = {"corrected": 3, "amended": 2, "final": 1}


@dataclass(frozen=True, slots=True)
class Lab:
    """A value in the unit the rules speak; ``collected`` is aware."""

    quantity: Quantity
    collected: datetime
    source: str

    @property
    def value(self) -> Decimal:
        return self.quantity.value

    @property
    def comparator(self) -> str | None:
        return self.quantity.comparator

    def below(self, limit: Decimal) -> bool:
        """Certainly below: ``<x`` counts only when x does not exceed the limit (ruling 28)."""
        if self.comparator in ("<", "<="):
            return self.value < limit or (self.comparator == "<" and self.value == limit)
        return self.comparator is None and self.value < limit

    def at_least(self, limit: Decimal) -> bool:
        """Certainly at or above the limit."""
        if self.comparator in (">", ">="):
            return self.value >= limit
        return self.comparator is None and self.value >= limit


def collected_at(resource: Resource) -> Instant | None:
    """When a specimen was collected: a Period counts by its end; ``issued`` never stands for
    collection (ruling 18)."""
    period = resource.effectivePeriod
    return read_instant(
        resource.effectiveDateTime or resource.effectiveInstant or (period.end if period else None)
    )


_OLDEST = datetime.min.replace(tzinfo=UTC)


def tie_break(resource: Resource) -> tuple[datetime, int, str]:
    """Latest ``issued`` first, then corrected, amended, final (ruling 18); the id decides last,
    so that the order of resources never changes a card."""
    issued = read_instant(resource.issued)
    rank = _RANK.get(resource.status or "", 0)
    return (issued.start if issued else _OLDEST), rank, resource.id or ""


class Labs:
    """The usable values of a concept, newest first: final, amended or corrected, a number in a
    known unit, collected, not in the future.

    A patient may have hundreds of results of which a rule reads one or two: a value is read
    when it is looked at.
    """

    __slots__ = ("_concept", "_found")

    def __init__(
        self, concept: str, resources: Iterable[Resource], now: datetime, protocol: Protocol
    ) -> None:
        future = now + timedelta(minutes=float(protocol.file.result.future.value))
        self._concept = concept
        self._found: list[tuple[datetime, Resource]] = []
        for resource in resources:
            if resource.status in FINAL and resource.valueQuantity is not None:
                collected = collected_at(resource)
                if collected is not None and collected.start <= future:
                    self._found.append((collected.start, resource))
        if len(self._found) > 1:
            self._found.sort(key=lambda item: item[0], reverse=True)
            self._break_ties()

    def _break_ties(self) -> None:
        found = self._found
        if all(a[0] != b[0] for a, b in pairwise(found)):
            return
        found.sort(key=lambda item: (item[0], tie_break(item[1])), reverse=True)

    def __iter__(self) -> Iterator[Lab]:
        for collected, resource in self._found:
            quantity = resource.valueQuantity and lab_value(self._concept, resource.valueQuantity)
            if quantity:
                yield Lab(quantity, collected, name(resource))

    def newest(self, now: datetime, age: timedelta) -> Lab | None:
        """The newest value, if it is within an age, inclusive."""
        lab = next(iter(self), None)
        return lab if lab is not None and now - lab.collected <= age else None


def read_labs(concept: str, evidence: Evidence, now: datetime, protocol: Protocol) -> Labs:
    """The Labs of a concept in the evidence."""
    return Labs(concept, evidence.lab(concept), now, protocol)

"""Lab: one laboratory value that a rule may use, with its time and the resource it came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from cards.instant import Instant, read_instant
from cards.protocol import Protocol
from cards.quantity import Quantity, has_value, lab_value
from cards.resource import Resource, name, status_code

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


def tie_break(resource: Resource) -> tuple[datetime, int]:
    """Latest ``issued`` first, then corrected, amended, final (ruling 18)."""
    issued = read_instant(resource.issued)
    oldest = datetime.min.replace(tzinfo=UTC)
    return (issued.start if issued else oldest), _RANK.get(resource.status or "", 0)


def read_labs(
    concept: str, resources: Iterable[Resource], now: datetime, protocol: Protocol
) -> tuple[Lab, ...]:
    """All usable values of a concept, newest first: final, amended or corrected, a number in a
    known unit, collected, not in the future."""
    future = now + timedelta(minutes=float(protocol.file.result.future.value))
    found: list[tuple[datetime, tuple[datetime, int], Lab]] = []
    for resource in resources:
        if status_code(resource.status) not in FINAL or resource.valueQuantity is None:
            continue
        collected = collected_at(resource)
        if (
            collected is None
            or collected.start > future
            or not has_value(resource.valueQuantity.value)
        ):
            continue
        quantity = lab_value(concept, resource.valueQuantity)
        if quantity is not None:
            lab = Lab(quantity, collected.start, name(resource))
            found.append((collected.start, tie_break(resource), lab))
    found.sort(key=lambda item: item[:2], reverse=True)
    return tuple(lab for _, _, lab in found)


def newest(labs: Iterable[Lab], now: datetime, age: timedelta) -> Lab | None:
    """The newest value within an age, inclusive."""
    return next((lab for lab in labs if now - lab.collected <= age), None)

"""Lab: one laboratory value that a rule may use, with its time and the resource it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter

from msgspec import Struct

from cards.evidence import Evidence
from cards.instant import Instant, read_instant
from cards.protocol import Protocol
from cards.quantity import Quantity, lab_value
from cards.resource import Resource, name

FINAL = frozenset({"final", "amended", "corrected"})
_RANK = {"corrected": 3, "amended": 2, "final": 1}


class Lab(Struct, frozen=True, gc=False):
    """A value in the unit the rules speak; ``collected`` is aware."""

    quantity: Quantity
    collected: datetime
    resource: Resource

    @property
    def source(self) -> str:
        return name(self.resource)

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
_LATEST = datetime.max.replace(tzinfo=UTC)


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

    __slots__ = ("_concept", "_found", "ahead")

    def __init__(self, concept: str, resources: Iterable[Resource], latest: datetime) -> None:
        found = [
            (collected.start, resource)
            for resource in resources
            if resource.status in FINAL
            and resource.valueQuantity is not None
            and (collected := collected_at(resource)) is not None
        ]
        if len(found) > 1:
            found.sort(key=_BY_TIME, reverse=True)
            if any(a[0] == b[0] for a, b in pairwise(found)):
                found.sort(key=lambda item: (item[0], tie_break(item[1])), reverse=True)
        # How many are dated in the future.
        self.ahead = next((n for n, (at, _) in enumerate(found) if at <= latest), len(found))
        if self.ahead:
            found = found[self.ahead :]
        self._concept = concept
        self._found = found

    def __bool__(self) -> bool:
        """Whether there is any result, though it may not be readable."""
        return bool(self._found) or self.ahead > 0

    def __iter__(self) -> Iterator[Lab]:
        return self.between(_OLDEST, _LATEST)

    def between(self, first: datetime, last: datetime) -> Iterator[Lab]:
        """Those collected from ``first`` to ``last``, both inclusive, newest first."""
        for collected, resource in self._found:
            if collected < first:
                return
            if collected <= last:
                quantity = resource.valueQuantity
                value = lab_value(self._concept, quantity) if quantity is not None else None
                if value is not None:
                    yield Lab(value, collected, resource)

    @property
    def newest_reads(self) -> bool:
        """Whether the newest result on file, not the newest that can be read, has a value."""
        newest = next(iter(self), None)
        return newest is not None and not self.ahead and newest.resource is self._found[0][1]

    def newest(self, now: datetime, age: timedelta) -> Lab | None:
        """The newest value, if it is within an age, inclusive."""
        lab = next(iter(self), None)
        return lab if lab is not None and now - lab.collected <= age else None


_BY_TIME = itemgetter(0)


class Laboratory:
    """The Labs of each concept in the evidence, sorted when they are first looked at."""

    __slots__ = ("_evidence", "_labs", "_latest")

    def __init__(self, evidence: Evidence, now: datetime, protocol: Protocol) -> None:
        self._evidence = evidence
        self._latest = now + protocol.file.result.future.span
        self._labs: dict[str, Labs] = {}

    def __getitem__(self, concept: str) -> Labs:
        labs = self._labs.get(concept)
        if labs is None:
            labs = Labs(concept, self._evidence.lab(concept), self._latest)
            self._labs[concept] = labs
        return labs

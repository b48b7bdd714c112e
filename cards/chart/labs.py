"""Lab: one laboratory value that a rule may use, with its time and the resource it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct

from cards.evidence import Evidence
from cards.fhir.instant import Instant, read_instant
from cards.fhir.resource import Resource, name
from cards.protocol import Protocol
from cards.units.quantity import Quantity, lab_value, read_number

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


def tie_break(resource: Resource) -> tuple[datetime, int, str]:
    """Latest ``issued`` first, then corrected, amended, final (ruling 18); the id decides last,
    so that the order of resources never changes a card."""
    issued = read_instant(resource.issued)
    rank = _RANK.get(resource.status or "", 0)
    return (issued.start if issued else _OLDEST), rank, resource.id or ""


class UnreadLab(Struct, frozen=True, gc=False):
    """A result that holds a number and cannot be read: what came, and when it was collected."""

    text: str
    collected: datetime
    source: str
    why: str = "could not be read"


class Labs:
    """The usable values of a concept, newest first: final, amended or corrected, a number in a
    known unit, collected, not in the future.

    A patient may have hundreds of results of which a rule reads one or two: time and value of a
    result are read when it is looked at.
    """

    __slots__ = ("_concept", "_found", "_latest")

    def __init__(self, concept: str, resources: Iterable[Resource], latest: datetime) -> None:
        self._concept = concept
        self._found = newest_first(
            [
                r
                for r in resources
                if r.status in FINAL and (r.valueQuantity is not None or r.valueString is not None)
            ]
        )
        self._latest = latest

    def __bool__(self) -> bool:
        """Whether there is any result, though it may not be readable."""
        return next(self._dated(), None) is not None

    def __iter__(self) -> Iterator[Lab]:
        return self.between(_OLDEST, self._latest)

    def between(self, first: datetime, last: datetime) -> Iterator[Lab]:
        """Those collected from ``first`` to ``last``, both inclusive, newest first."""
        last = min(last, self._latest)
        for collected, resource in self._dated():
            if collected < first:
                return
            if collected <= last and (lab := self._read(collected, resource)) is not None:
                yield lab

    def _dated(self) -> Iterator[tuple[datetime, Resource]]:
        for resource in self._found:
            collected = collected_at(resource)
            if collected is not None:
                yield collected.start, resource

    def _read(self, collected: datetime, resource: Resource) -> Lab | None:
        quantity = resource.valueQuantity and lab_value(self._concept, resource.valueQuantity)
        return Lab(quantity, collected, resource) if quantity else None

    def unread_since(self, moment: datetime | None) -> UnreadLab | None:
        """The newest that holds a number and cannot be read (a string, an unknown unit), when it
        is newer than ``moment``, or with None than all that can be read. A text without a number
        ("test not performed") is none (ruling 163)."""
        for collected, resource in self._dated():
            if moment is not None and collected <= moment:
                return None
            if collected > self._latest:
                continue
            if self._read(collected, resource) is not None:
                if moment is None:
                    return None
            elif lost := unread_lab(resource):
                return UnreadLab(lost[0], collected, name(resource), lost[1])
        return None

    @property
    def newest_reads(self) -> bool:
        """Whether the newest result on file, not the newest that can be read, has a value."""
        collected, resource = next(self._dated(), (_OLDEST, None))
        if resource is None or collected > self._latest:
            return False
        return self._read(collected, resource) is not None

    def newest(self, now: datetime, age: timedelta) -> Lab | None:
        """The newest value, if it is within an age, inclusive, and no newer one is unreadable."""
        lab = next(iter(self), None)
        if lab is None or now - lab.collected > age or self.unread_since(lab.collected):
            return None
        return lab


_NUMBER = re.compile(r"[0-9]")
_LONGEST = 60


def unread_lab(resource: Resource) -> tuple[str, str] | None:
    """(what came, why it cannot be read) of a result without a value; None without a number."""
    quantity = resource.valueQuantity
    if quantity is None:
        text, why = resource.valueString or "", "is a text, not a number"
        number = text
    else:
        number = bytes(quantity.value).decode(errors="replace")
        unit = quantity.unit or quantity.code or ""
        text = " ".join(f"{quantity.comparator or ''}{number} {unit}".replace('"', "").split())
        why = "has no unit" if not unit else "is in a unit that cannot be read"
        if read_number(quantity.value) is None:
            why = "is a text, not a number"
    # Digits in the unit are no number.
    return (text[:_LONGEST], why) if _NUMBER.search(number[:_LONGEST]) else None


def newest_first(found: list[Resource]) -> list[Resource]:
    """The newest collected first; at one time, see ``tie_break``."""
    if len(found) < 2:
        return found
    written = [resource.effectiveDateTime or "" for resource in found]
    zone = written[0][_SECONDS:]
    if all(text[4:17:3] == "--T::" and text[_SECONDS:] == zone for text in written):
        # Written alike, to the second, in one zone: their texts stand in the order of their
        # times, and none needs to be read for it.
        found.sort(key=attrgetter("effectiveDateTime"), reverse=True)
        tied = len(set(written)) < len(written)
    else:
        found.sort(key=_when, reverse=True)
        tied = any(_when(a) == _when(b) for a, b in pairwise(found))
    if tied:
        found.sort(key=lambda resource: (_when(resource), tie_break(resource)), reverse=True)
    return found


_SECONDS = len("2026-03-14T12:00:00")


def _when(resource: Resource) -> datetime:
    collected = collected_at(resource)
    return collected.start if collected is not None else _OLDEST


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

"""Candidate: a magnesium result that may be the deciding one, and which is the newest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

from msgspec import Struct

from cards.chart.labs import collected_at, tie_break
from cards.chart.magnesium.result import UnreadResult
from cards.fhir.resource import Resource, codings, name
from cards.units.quantity import has_value, read_number

COUNTED = frozenset({"final", "amended", "corrected", "preliminary"})
IGNORED = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})
_UNDATED = datetime.min.replace(tzinfo=UTC)


class Candidate(Struct, frozen=True, gc=False):
    """A result that came; ``number`` is None when it cannot be read."""

    resource: Resource
    collected: datetime | None
    number: Decimal | None
    assumed_utc: bool
    # For the order of time: without a collection time it comes before all others.
    when: datetime

    @property
    def read(self) -> bool:
        return self.number is not None and self.number > 0


def newest_first(resources: Iterable[Resource]) -> list[Candidate]:
    """The candidates among the results, newest first (ruling 18)."""
    found = [c for r in resources if (c := _candidate(r)) is not None]
    found.sort(key=attrgetter("when"), reverse=True)
    if any(a.when == b.when for a, b in pairwise(found)):
        found.sort(key=lambda c: (c.when, tie_break(c.resource)), reverse=True)
    return found


def _candidate(resource: Resource) -> Candidate | None:
    """None for a result that is ignored: other status, no value at all, dataAbsentReason."""
    status = resource.status
    if status in IGNORED or resource.dataAbsentReason is not None:
        return None
    number = None
    if status in COUNTED:
        quantity = resource.valueQuantity
        number = read_number(quantity.value) if quantity is not None else None
        if number is None and not _has_any_value(resource):
            return None
    # Else no status, or one that FHIR does not know: it came, and nobody can tell what it is.
    collected = collected_at(resource)
    if collected is None:
        return Candidate(resource, None, number, False, _UNDATED)
    return Candidate(resource, collected.start, number, collected.assumed_utc, collected.start)


def _has_any_value(resource: Resource) -> bool:
    return bool(
        (resource.valueQuantity is not None and has_value(resource.valueQuantity.value))
        or resource.valueString
        or resource.valueCodeableConcept
        or has_value(resource.valueInteger)
    )


def unread(candidate: Candidate) -> UnreadResult:
    """What came in place of a number."""
    resource = candidate.resource
    value = resource.valueCodeableConcept
    quantity = resource.valueQuantity
    raw = bytes(quantity.value).decode(errors="replace").strip('"') if quantity else ""
    coded = next((c.display for c in codings(value) if c.display), None)
    text = resource.valueString or raw or (value.text if value else None) or coded
    return UnreadResult(name(resource), text or "no number", candidate.collected)

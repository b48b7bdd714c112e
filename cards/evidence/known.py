"""Known: since when a resource was known, and as what it stood at an earlier time.

A record tells how things stand now. Read back, a status that is final now (an order
``completed``, a condition ``resolved``) must not be seen before it came about:

| resource | known since | before what ended it |
|---|---|---|
| Patient, Medication, Specimen | ever | |
| Observation | ``issued``, else when it was collected | |
| MedicationRequest | ``authoredOn`` | ``active`` until the end its dosage states, else a guess |
| ServiceRequest | ``authoredOn`` | ``active`` for a day |
| MedicationAdministration | its start | ``in-progress`` until its end |
| Procedure | its start | ``in-progress`` until its end |
| Condition, AllergyIntolerance | ``recordedDate``, else onset | ``active`` until its abatement |
| Encounter | ``period.start`` | ``in-progress`` until ``period.end`` |

A bare date counts from the end of that day at the site: its results may be from the evening.
What has no such time is not known at any time. R4 has no time at which an order was stopped: one
without a stated end is taken as active for OPEN_ORDER, or for A_DAY when it does not repeat. What
was resolved without a date of that stays active: a stop is rather kept than lost. An entry that
the record now calls an error was never true, and a result that was amended is known since the
amended one was issued.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from msgspec import Struct
from msgspec.structs import replace

from cards import codes
from cards.evidence.abatement import abated
from cards.fhir import status_of
from cards.fhir.instant import read_instant
from cards.fhir.resource import Dosage, Period, Resource, many
from cards.orders.bounds import stated_bounds
from cards.orders.schedule import repeats

EVER = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
A_DAY = timedelta(days=1)
OPEN_ORDER = timedelta(days=90)  # the longest supply that is usual
_LASTS = frozenset({"Patient", "Medication", "Specimen"})
_ENDED_ORDER = frozenset({"completed", "stopped", "cancelled", "on-hold", "revoked"})
_ENDED_STATE = frozenset({"inactive", "remission", "resolved"})
_UNTRUE = frozenset({"entered-in-error", "not-done", "cancelled"})


class Spell(Struct, frozen=True, gc=False):
    """``resource`` is how it stood from ``since`` until just before ``until`` (None: to now)."""

    since: datetime
    until: datetime | None
    resource: Resource


def spells(resource: Resource, zone: tzinfo) -> tuple[Spell, ...]:
    """How a resource stood over time, in order; () when nobody can tell since when it was known.

    ``zone`` is the site's: where its days end.
    """
    since = known_since(resource, zone)
    if since is None:
        return ()
    before, end = _earlier(resource, since, zone)
    if before is None or (end is not None and end <= since):
        return (Spell(since, None, resource),)
    if end is None:
        return (Spell(since, None, before),)
    return Spell(since, end, before), Spell(end, None, resource)


def at(resource: Resource, moment: datetime) -> Resource | None:
    """The resource as it stood at an aware ``moment`` of the site; None when not yet known."""
    for spell in spells(resource, moment.tzinfo or UTC):
        if spell.since <= moment and (spell.until is None or moment < spell.until):
            return spell.resource
    return None


def known_since(resource: Resource, zone: tzinfo) -> datetime | None:
    """Since when a resource was known."""
    if resource.resourceType in _LASTS:
        return EVER
    for text in _times(resource):
        moment = latest(text, zone)
        if moment is not None:
            return moment
    return None


def latest(text: str | None, zone: tzinfo) -> datetime | None:
    """The latest moment a FHIR time may mean: of a bare date (month, year) the end of it."""
    instant = read_instant(text)
    if instant is None or instant.exact:
        return instant.start if instant is not None else None
    first = instant.start.replace(tzinfo=None)
    length = len((text or "").strip())
    try:
        if length == 10:
            end = first + A_DAY
        elif length == 7:
            end = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        else:
            end = first.replace(year=first.year + 1)
        return end.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def end_guessed(resource: Resource, zone: tzinfo) -> bool:
    """Whether a medication order is over now and does not state when it was to end."""
    return (
        resource.resourceType == "MedicationRequest"
        and resource.status in _ENDED_ORDER
        and _stated_end(resource, EVER, zone) is None
    )


def _times(resource: Resource) -> Iterator[str | None]:
    period = resource.effectivePeriod or Period()
    match resource.resourceType:
        case "Observation":
            yield from (resource.issued, resource.effectiveDateTime, resource.effectiveInstant)
            yield from (period.end, period.start)
        case "MedicationRequest" | "ServiceRequest":
            yield resource.authoredOn
        case "MedicationAdministration":
            yield from (period.start, resource.effectiveDateTime, period.end)
        case "Condition" | "AllergyIntolerance":
            onset = resource.onsetPeriod or Period()
            yield from (resource.recordedDate, resource.assertedDate)
            yield from (resource.onsetDateTime, onset.start, onset.end)
        case "Procedure":
            performed = resource.performedPeriod or Period()
            yield from (performed.start, resource.performedDateTime, performed.end)
        case "Encounter":
            yield (resource.period or Period()).start


def _earlier(
    resource: Resource, since: datetime, zone: tzinfo
) -> tuple[Resource | None, datetime | None]:
    """(how it stood before it was over, None when just as now; since when it is over)."""
    status = resource.status
    end: datetime | None
    match resource.resourceType:
        case "MedicationRequest" if status in _ENDED_ORDER:
            guess = OPEN_ORDER if _repeats(resource) else A_DAY
            end = _stated_end(resource, since, zone) or _after(since, guess)
            return replace(resource, status="active"), end
        case "ServiceRequest" if status in _ENDED_ORDER:
            return replace(resource, status="active"), _after(since, A_DAY)
        case "MedicationAdministration" if status not in _UNTRUE:
            start, end = _open(resource.effectivePeriod, zone)
            if end is not None:
                return replace(resource, status="in-progress", effectivePeriod=start), end
        case "Procedure" if status not in _UNTRUE:
            start, end = _open(resource.performedPeriod, zone)
            if end is not None:
                return replace(resource, status="in-progress", performedPeriod=start), end
        case "Encounter" if status not in _UNTRUE:
            start, end = _open(resource.period, zone)
            if end is not None or status == "finished":
                return replace(resource, status="in-progress", period=start), end
        case "Condition" | "AllergyIntolerance":
            return _before_abatement(resource, zone)
    return None, None


def _open(period: Period | None, zone: tzinfo) -> tuple[Period | None, datetime | None]:
    """(the period without its end, its end)"""
    if period is None:
        return None, None
    return Period(start=period.start), latest(period.end, zone)


def _before_abatement(resource: Resource, zone: tzinfo) -> tuple[Resource | None, datetime | None]:
    period = resource.abatementPeriod
    dated = resource.abatementDateTime
    if dated is None and period is not None:
        dated = period.end or period.start
    bound = codes.CONDITION_CLINICAL
    if resource.resourceType == "AllergyIntolerance":
        bound = codes.ALLERGY_CLINICAL
    status = status_of(resource.clinicalStatus, bound)
    if status not in _ENDED_STATE and not abated(resource):
        return None, None
    nothing = Resource()
    active = replace(
        resource,
        clinicalStatus="active",
        abatementDateTime=None,
        abatementPeriod=None,
        abatementString=None,
        abatementBoolean=None,
        abatementAge=nothing.abatementAge,
        abatementRange=nothing.abatementRange,
    )
    return active, latest(dated, zone)


def _stated_end(resource: Resource, since: datetime, zone: tzinfo) -> datetime | None:
    """When the dosage says that the order ends: the last of its lines; None when one has none."""
    ends = [_line_end(line, since, zone) for line in many(resource.dosageInstruction)]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _line_end(line: Dosage, since: datetime, zone: tzinfo) -> datetime | None:
    bounds = stated_bounds(line)
    if bounds is None:
        return None
    if bounds.end is not None:
        return latest(bounds.end, zone)
    if bounds.minutes is None or not 0 <= bounds.minutes < _LONGEST:
        return None
    length = timedelta(minutes=float(bounds.minutes))
    return _after(latest(bounds.start, zone) or since, length)


_LONGEST = 10**8  # minutes: longer than anybody is treated


def _after(moment: datetime, span: timedelta) -> datetime:
    return moment + span if moment < _LATEST - span else _LATEST


def _repeats(resource: Resource) -> bool:
    """Whether any dosage line says that it is given more than once."""
    return any(repeats(line) for line in many(resource.dosageInstruction))

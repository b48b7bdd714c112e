"""Dialysis: whether the patient is on it, by what is on file, and where that may be so.

Dialysis is a stop of its own kind: a procedure that only words name, or that came and could not
be used, may be one (rulings 33, 139, 145).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cards import codes
from cards.chart.conditions import Conditions
from cards.chart.encounter import Stay
from cards.chart.suspected import Suspected, read_suspected
from cards.evidence import Evidence
from cards.fhir import read_codes, words_of
from cards.fhir.instant import Instant, read_instant
from cards.fhir.resource import Resource, name
from cards.protocol import Protocol

_NEVER_DONE = frozenset({"entered-in-error", "not-done", "revoked", "draft"})
_RUNS = frozenset({"in-progress", "active"})
_DIALYSIS = "dialysis"  # as cards.chart.suspected names it


def read_dialysis(
    evidence: Evidence,
    conditions: Conditions,
    now: datetime,
    stay: Stay,
    protocol: Protocol,
) -> str | None:
    """Why the patient counts as on dialysis (ruling 33)."""
    fact = conditions.state("dialysis")
    if fact is not None:
        return fact.label or "dialysis"
    recent = now - protocol.file.limit.recent_dialysis.span
    for resource in _ordered_or_done(evidence):
        kinds = _kinds(resource)
        if not kinds or resource.status in _NEVER_DONE:
            continue
        when = _when(resource)
        here = stay.holds(resource.encounter)
        if (when is not None and when.start >= recent) or ("crrt" in kinds and here):
            return "dialysis procedure on file"
        if resource.status == "in-progress":
            return "dialysis in progress"
    return None


def runs_filtration(evidence: Evidence) -> bool:
    """Whether continuous renal replacement runs: a procedure in progress, or its order active
    (ruling 108)."""
    return any(
        resource.status in _RUNS and not resource.doNotPerform and "crrt" in _kinds(resource)
        for resource in _ordered_or_done(evidence)
    )


def suspected_dialysis(
    evidence: Evidence, now: datetime, protocol: Protocol
) -> Iterator[Suspected]:
    """Dialysis of late that may be on file: named by words alone, or in what could not be used."""
    recent = now - protocol.file.limit.recent_dialysis.span
    for resource in evidence.of_type("Procedure"):
        if not _kinds(resource) and _may_be_late(resource, recent):
            found = read_suspected(words_of(resource.code), name(resource))
            if found is not None and found.group == _DIALYSIS:
                yield found
    for unread in evidence.unread:
        source = unread.source
        if unread.need != "procedures" or source is None or not _may_be_late(source, recent):
            continue
        words = words_of(source.code)
        found = read_suspected(words, unread.resource)
        if _kinds(source) or (found is not None and found.group == _DIALYSIS):
            shown = next(iter(words), _DIALYSIS)[:_LONGEST]
            yield Suspected(_DIALYSIS, f"{shown} ({unread.reason})", unread.resource)


_LONGEST = 100


def _ordered_or_done(evidence: Evidence) -> tuple[Resource, ...]:
    return (*evidence.of_type("Procedure"), *evidence.of_type("ServiceRequest"))


def _kinds(resource: Resource) -> set[str]:
    return {
        kind
        for code in read_codes(resource.code)
        for kind in codes.procedure_concepts(code.system, code.code)
    }


def _when(resource: Resource) -> Instant | None:
    period = resource.performedPeriod
    return read_instant(
        resource.performedDateTime
        or (period.end or period.start if period else None)
        or resource.authoredOn
    )


def _may_be_late(resource: Resource, recent: datetime) -> bool:
    """Done or going on since ``recent``, as far as it says."""
    when = _when(resource)
    return resource.status not in _NEVER_DONE and (when is None or when.start >= recent)

"""Value: what a search or read was answered with, in prefetch or by the server itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from itertools import pairwise
from urllib.parse import unquote

from cards.evidence import Need
from cards.fhir.instant import read_instant
from cards.fhir.resource import Entry, Resource, codings, reference_key
from service.gather.fetch import Wanted


def wrong_type(need: Need, types: Set[str]) -> str | None:
    """What is wrong, in words, when none of the types that came is the one of the need."""
    types = types - _INCLUDED.get(need.type, frozenset())
    if not types or need.type in types:
        return None
    if "OperationOutcome" in types:
        return "the record answered with an error"
    return f"what was sent is not {_a(need.type)}"


# What a search may bring along (_include) without being the answer itself.
_INCLUDED = {
    "MedicationRequest": frozenset({"Medication"}),
    "MedicationAdministration": frozenset({"Medication", "MedicationRequest"}),
}


def _a(type_: str) -> str:
    return f"{'an' if type_[0] in 'AEIOU' else 'a'} {type_}"


def next_page(value: Resource) -> str | None:
    """The link to the next page, "" when there is one that leads nowhere; None without one."""
    return next((link.url or "" for link in value.link or () if link.relation == "next"), None)


def is_anothers(resource: Resource, patient_id: str) -> bool:
    """Whether a resource is, or is about, somebody who is not the patient of the call."""
    if resource.resourceType == "Patient":
        return resource.id is not None and resource.id != patient_id
    who = resource.subject or resource.patient
    key = reference_key(who.reference) if who is not None else None
    return key is not None and key != ("Patient", patient_id)


def holds_enough(wanted: Wanted, found: Iterable[Entry], patient_id: str) -> bool:
    """Whether pages hold all that a lab need asks for: its newest ``_count`` results.

    A server that ignores ``code``, ``_sort`` or ``_count`` may keep the newest result for the
    next page, so codes and order are looked at, not assumed.
    """
    need = wanted.need
    count = re.search(r"_count=(\d+)", need.query)
    if not need.labs or count is None:
        return False
    results = [
        e.resource for e in found if e.resource is not None and e.resource.resourceType == need.type
    ]
    times = [_collected(r) for r in results]
    known = [t for t in times if t is not None]
    if len(known) < len(times) or any(a < b for a, b in pairwise(known)):
        return False
    asked = {code.rpartition("|")[2] for code in _codes(wanted.query)}
    ours = [r for r in results if not is_anothers(r, patient_id)]
    return sum(any(c.code in asked for c in codings(r.code)) for r in ours) >= int(count[1])


def _codes(query: str) -> list[str]:
    match = re.search(r"[?&]code=([^&]*)", query)
    return [unquote(code) for code in match[1].split(",")] if match else []


def _collected(resource: Resource) -> float | None:
    period = resource.effectivePeriod
    instant = read_instant(
        resource.effectiveDateTime
        or resource.effectiveInstant
        or (period and (period.end or period.start))
    )
    return None if instant is None else instant.start.timestamp()

"""Evidence and Orders of a HookRequest: what came, what did not come, and why.

A need is answered by the prefetch key of its name (protocol section 0). What it was answered
with decides whether it is *read* or a *gap*:

| under the key | single read | search |
|---|---|---|
| a resource of the type, or a Bundle of them | read | read |
| a Bundle with a next page | read | gap, unless a lab page holds all that was asked for |
| ``null`` | read: there is none | labs: read, there are none; else a gap (ruling 70) |
| an OperationOutcome, another type, no FHIR | gap | gap |
| nothing: the key is absent | gap | gap |

What may be a gap, and a ``null`` search, is first asked of ``fetch`` (the caller's FHIR server),
all needs in one call so that it may ask for them in parallel. Whatever key a resource came
under, it is handed to the core.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol as Shape

from cards.evidence import NEEDS, Answered, Evidence, Gap, Need, Unread, collect
from cards.instant import read_instant
from cards.orders import Orders
from cards.protocol import Protocol
from cards.resource import Entry, Resource
from service.hooks import HookRequest
from service.prefetch import entries_of, unwrapped

_PATIENT = "{{context.patientId}}"
_ENCOUNTER = "{{context.encounterId}}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A need to fetch: ``query`` is its template filled in, relative to the server's base."""

    need: Need
    query: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought: resources, or in ``gap`` why not, in words; both when incomplete."""

    entries: tuple[Entry, ...] = ()
    unread: tuple[Unread, ...] = ()
    gap: str | None = None


class Fetch(Shape):
    """Asks the caller's FHIR server. Answers by need name; a need left out stays as it was.

    Never raises: what fails is a ``Fetched`` with its ``gap``.
    """

    def __call__(
        self, request: HookRequest, wanted: tuple[Wanted, ...]
    ) -> Mapping[str, Fetched]: ...


def fetch_nothing(request: HookRequest, wanted: tuple[Wanted, ...]) -> Mapping[str, Fetched]:
    """The Fetch of a service that calls nobody: with reasons for the card."""
    # An empty REPLETION_FHIR_HOSTS allows no server (contract).
    reason = (
        "not in the request, and no FHIR server to ask"
        if request.fhir_server is None
        else "not in the request, and its FHIR server is not allowed"
    )
    return {w.need.name: Fetched(gap=reason) for w in wanted}


def gather(
    request: HookRequest,
    protocol: Protocol,
    *,
    fetch: Fetch = fetch_nothing,
    answered: Sequence[Answered] = (),
) -> tuple[Evidence, Orders]:
    """Everything known of the patient of one call, and the question asked."""
    found = {key: list(entries_of(value)) for key, value in request.prefetch.items()}
    unread = list(request.unread)
    gaps: dict[str, str] = {}
    for need in NEEDS:
        reason = _reason(need, request, found.get(need.name, []))
        if reason is not None and not (need.single and _came(need, request, found.values())):
            gaps[need.name] = reason
    again = [n for n in NEEDS if n.name in gaps or _asks_again(n, request)]
    wanted = tuple(w for n in again if (w := _wanted(n, request, protocol)) is not None)
    for name, fetched in (fetch(request, wanted) if wanted else {}).items():
        unread += fetched.unread
        if fetched.gap is None:
            gaps.pop(name, None)
            # In place of what was sent: a resource that changed in between would be two.
            found[name] = list(fetched.entries)
        else:
            found.setdefault(name, []).extend(fetched.entries)
            if gaps.get(name) == _ABSENT:
                gaps[name] = fetched.gap
    entries = [entry for under_key in found.values() for entry in under_key]
    entries += request.beside_drafts
    evidence = collect(
        request.patient_id,
        [e.resource for e in entries if e.resource is not None],
        [Gap(need, reason) for need, reason in gaps.items()],
        unread,
        site_labs=protocol.site_labs,
        patient_urls=frozenset(_patient_urls(entries, request.patient_id)),
        answered=answered,
    )
    return evidence, request.orders()


_ABSENT = "not in the request"


def _reason(need: Need, request: HookRequest, found: list[Entry]) -> str | None:
    """Why the request itself does not answer the need; None when it does."""
    key = need.name
    if key in request.refused:
        return request.refused[key]
    if key not in request.prefetch:
        if need.type == "Encounter" and request.encounter_id is None:
            return "the request names no encounter"
        return _ABSENT
    value = unwrapped(request.prefetch[key])
    if value is None:
        return None if need.single or need.labs else "the record answered null"
    if value.resourceType == "OperationOutcome":
        return "the record answered with an error"
    types = {e.resource.resourceType for e in found if e.resource is not None}
    types -= _INCLUDED.get(need.type, frozenset())
    if types and need.type not in types:
        if "OperationOutcome" in types:
            return "the record answered with an error"
        return f"what was sent is not {_a(need.type)}"
    if _has_next(value) and not _is_page_enough(need, found):
        return "more pages exist than were sent"
    return None


# What a search may bring along (_include) without being the answer itself.
_INCLUDED = {
    "MedicationRequest": frozenset({"Medication"}),
    "MedicationAdministration": frozenset({"Medication", "MedicationRequest"}),
}


def _a(type_: str) -> str:
    return f"{'an' if type_[0] in 'AEIOU' else 'a'} {type_}"


def _has_next(value: Resource) -> bool:
    return any(link.relation == "next" for link in value.link or ())


def _is_page_enough(need: Need, found: list[Entry]) -> bool:
    """Whether one page holds all that a lab need asks for: its newest ``_count`` results.

    A server that ignores ``_sort`` or ``_count`` may keep the newest result for the next page,
    so the order is looked at, not assumed.
    """
    count = re.search(r"_count=(\d+)", need.query)
    if not need.labs or count is None:
        return False
    times = [
        _collected(e.resource)
        for e in found
        if e.resource is not None and e.resource.resourceType == need.type
    ]
    known = [t for t in times if t is not None]
    return len(known) == len(times) >= int(count[1]) and all(a >= b for a, b in pairwise(known))


def _collected(resource: Resource) -> float | None:
    period = resource.effectivePeriod
    instant = read_instant(
        resource.effectiveDateTime
        or resource.effectiveInstant
        or (period and (period.end or period.start))
    )
    return None if instant is None else instant.start.timestamp()


def _came(need: Need, request: HookRequest, found: Iterable[list[Entry]]) -> bool:
    """Whether the resource of a single read came under another key."""
    id_ = request.patient_id if need.type == "Patient" else request.encounter_id
    return id_ is not None and any(
        e.resource is not None and e.resource.resourceType == need.type and e.resource.id == id_
        for entries in (*found, request.beside_drafts)
        for e in entries
    )


def _asks_again(need: Need, request: HookRequest) -> bool:
    """A ``null`` search result is also what failing clients send (ruling 70)."""
    return not need.single and need.name in request.prefetch and request.prefetch[need.name] is None


def _wanted(need: Need, request: HookRequest, protocol: Protocol) -> Wanted | None:
    if need.type == "Encounter" and need.single and request.encounter_id is None:
        return None
    query = need.template(site_codes(need, protocol))
    query = query.replace(_PATIENT, request.patient_id)
    return Wanted(need, query.replace(_ENCOUNTER, request.encounter_id or ""))


def site_codes(need: Need, protocol: Protocol) -> list[tuple[str, str]]:
    """The (system, code) pairs that a site's file maps to the labs of a need."""
    return [pair for pair, lab in protocol.site_labs.items() if lab in need.labs]


def _patient_urls(entries: Iterable[Entry], patient_id: str) -> list[str]:
    return [
        e.fullUrl
        for e in entries
        if e.fullUrl is not None
        and e.resource is not None
        and e.resource.resourceType == "Patient"
        and e.resource.id == patient_id
    ]

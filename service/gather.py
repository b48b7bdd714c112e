"""Evidence and Orders of a HookRequest: what came, what did not come, and why.

A need is answered by the prefetch key of its name (protocol section 0). What it was answered
with decides whether it is *read* or a *gap*:

| under the key | single read | search |
|---|---|---|
| a resource of the type, or a Bundle of them | read | read |
| a Bundle with a next page | read | gap, unless a lab page holds all that was asked for |
| ``null`` | read: there is none | labs: read, there are none; else a gap (ruling 70) |
| only another patient's | (400, service.hooks) | gap |
| an OperationOutcome, another type, no FHIR | gap | gap |
| nothing: the key is absent | gap | gap |

What may be a gap, and a ``null``, is first asked of ``fetch`` (the caller's FHIR server), all
needs in one call so that it may ask for them in parallel, and with them the Medication
resources that orders refer to. Nothing is asked for an order that has nothing to do with
magnesium. Whatever key a resource came under, it is handed to the core.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol as Shape
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

import cards
from cards.evidence import NEEDS, Answered, Evidence, Gap, Need, Unread, collect
from cards.instant import read_instant
from cards.orders import Orders
from cards.protocol import Protocol
from cards.resource import Entry, Reference, Resource, codings, many, reference_key
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


@dataclass(frozen=True, slots=True)
class Fetches:
    """What was fetched, by need name; a need left out stays as it was. ``medications`` are the
    Medication resources that were referred to and found."""

    needs: Mapping[str, Fetched]
    medications: tuple[Entry, ...] = ()


class Fetch(Shape):
    """Asks the caller's FHIR server. ``references`` lead to Medications that did not come.

    Never raises: what fails is a ``Fetched`` with its ``gap``.
    """

    def __call__(
        self, request: HookRequest, wanted: tuple[Wanted, ...], references: frozenset[str]
    ) -> Fetches: ...


def fetch_nothing(
    request: HookRequest, wanted: tuple[Wanted, ...], references: frozenset[str] = frozenset()
) -> Fetches:
    """The Fetch of a service that calls nobody: with reasons for the card."""
    # An empty REPLETION_FHIR_HOSTS allows no server (contract).
    reason = (
        "not in the request, and no FHIR server to ask"
        if request.fhir_server is None
        else "not in the request, server not allowed"
    )
    return Fetches({w.need.name: Fetched(gap=reason) for w in wanted})


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
        reason = _reason(need, request, protocol, found.get(need.name, []))
        if reason is not None and not (need.single and _came(need, request, found.values())):
            gaps[need.name] = reason
    orders = request.orders()
    fetches = Fetches({})
    if cards.needs_patient(orders):
        again = [n for n in NEEDS if n.name in gaps or _asks_again(n, request, found.values())]
        wanted = tuple(w for n in again if (w := _wanted(n, request, protocol)) is not None)
        references = _references(request, found.values())
        if wanted or references:
            fetches = fetch(request, wanted, references)
    found["medications referred to"] = list(fetches.medications)
    for name, fetched in fetches.needs.items():
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
    return evidence, orders


_ABSENT = "not in the request"


class _Refers(Struct, frozen=True, gc=False):
    """A draft, as far as it refers to its medication."""

    resourceType: str | None = None
    medicationReference: Reference | None = None


_refers = msgspec.json.Decoder(_Refers)


def _references(request: HookRequest, found: Iterable[list[Entry]]) -> frozenset[str]:
    """The references to Medications that neither prefetch nor the drafts brought along."""
    drafts = []
    for raw in request.drafts:
        with suppress(msgspec.DecodeError, RecursionError):
            draft = _refers.decode(raw)
            drafts.append(
                Resource(
                    resourceType=draft.resourceType, medicationReference=draft.medicationReference
                )
            )
    came = [entry for entries in found for entry in entries] + list(request.beside_drafts)
    return medication_references([*came, *(Entry(resource=draft) for draft in drafts)], came)


def medication_references(entries: Iterable[Entry], came: Iterable[Entry]) -> frozenset[str]:
    """The references of ``entries`` to Medications that are not among ``came``.

    Of orders, administrations, and of Medications (their ingredients). One that only a Bundle
    or the resource itself could resolve (``urn:``, ``#``) leads to no server.
    """
    here = {e.resource.id for e in came if e.resource and e.resource.resourceType == "Medication"}
    found = set()
    for entry in entries:
        if entry.resource is None:
            continue
        for reference in _medications(entry.resource):
            key = reference_key(reference)
            if reference and key and key[0] == "Medication" and key[1] not in here:
                found.add(reference)
    return frozenset(found)


def _medications(resource: Resource) -> Iterator[str | None]:
    if resource.medicationReference is not None:
        yield resource.medicationReference.reference
    if resource.medication is not None and resource.medication.reference is not None:
        yield resource.medication.reference.reference
    for part in many(resource.ingredient):
        if part.itemReference is not None:
            yield part.itemReference.reference


def _reason(need: Need, request: HookRequest, protocol: Protocol, found: list[Entry]) -> str | None:
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
    resources = [e.resource for e in found if e.resource is not None]
    wrong = wrong_type(need, {r.resourceType or "?" for r in resources})
    if wrong is not None:
        return wrong
    ours = [r for r in resources if r.resourceType == need.type]
    if ours and not need.single and all(is_anothers(r, request.patient_id) for r in ours):
        # "None on file" may not be concluded from somebody else's results.
        return "what was sent belongs to another patient"
    if next_page(value) is not None:
        wanted = _wanted(need, request, protocol)
        if wanted is None or not holds_enough(wanted, found, request.patient_id):
            return "more pages exist than were sent"
    return None


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


def _came(need: Need, request: HookRequest, found: Iterable[list[Entry]]) -> bool:
    """Whether the resource of a single read came under another key."""
    id_ = request.patient_id if need.type == "Patient" else request.encounter_id
    return id_ is not None and any(
        e.resource is not None and e.resource.resourceType == need.type and e.resource.id == id_
        for entries in (*found, request.beside_drafts)
        for e in entries
    )


def _asks_again(need: Need, request: HookRequest, found: Iterable[list[Entry]]) -> bool:
    """A ``null`` is also what failing clients send (ruling 70)."""
    if need.name not in request.prefetch or request.prefetch[need.name] is not None:
        return False
    return not (need.single and _came(need, request, found))


def _wanted(need: Need, request: HookRequest, protocol: Protocol) -> Wanted | None:
    if need.type == "Encounter" and need.single and request.encounter_id is None:
        return None
    # Ids and a site's codes are data: none of them may end a path or begin a parameter.
    site = [(quote(s, safe=":/"), quote(c, safe="")) for s, c in site_codes(need, protocol)]
    query = need.template(site).replace(_PATIENT, quote(request.patient_id, safe=""))
    return Wanted(need, query.replace(_ENCOUNTER, quote(request.encounter_id or "", safe="")))


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

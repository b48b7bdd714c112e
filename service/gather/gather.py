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

What may be a gap, and a ``null``, is first asked of ``fetch`` (the caller's FHIR server): a
``null`` that the server, when asked, can neither confirm nor correct is a gap, too. All
needs in one call so that it may ask for them in parallel, and with them the Medication
resources that orders refer to. Nothing is asked for an order that has nothing to do with
magnesium. Whatever key a resource came under, it is handed to the core.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import cards
from cards.evidence import NEEDS, Evidence, Gap, Need, Unread, collect
from cards.fhir.resource import Entry, Resource
from cards.orders import Orders
from cards.protocol import Protocol
from service.cdshooks.prefetch import entries_of, unwrapped
from service.cdshooks.request import HookRequest
from service.gather.fetch import Fetch, Fetches, Wanted, fetch_nothing
from service.gather.reference import references_of
from service.gather.value import holds_enough, next_page, wrong_type

_PATIENT = "{{context.patientId}}"
_ENCOUNTER = "{{context.encounterId}}"


def gather(
    request: HookRequest,
    protocol: Protocol,
    *,
    fetch: Fetch = fetch_nothing,
) -> tuple[Evidence, Orders]:
    """Everything known of the patient of one call, and the question asked."""
    found = {key: entries_of(value) for key, value in request.prefetch.items()}
    unread = list(request.unread)
    gaps: dict[str, str] = {}
    for need in NEEDS:
        reason = _reason(need, request, protocol, found.get(need.name, []))
        if reason is not None and not (need.single and _came(need, request, found.values())):
            gaps[need.name] = reason
    orders = request.orders()
    fetches = Fetches({})
    if cards.needs_patient(orders, protocol):
        again = [n for n in NEEDS if n.name in gaps or _asks_again(n, request, found.values())]
        wanted = tuple(w for n in again if (w := _wanted(n, request, protocol)) is not None)
        references = references_of(request, found.values())
        if wanted or references:
            fetches = fetch(request, wanted, references)
    for name, fetched in fetches.needs.items():
        unread += fetched.unread
        if fetched.gap is None:
            gaps.pop(name, None)
            # In place of what was sent: a resource that changed in between would be two. Not
            # of the Medications that came with it: those were not asked for again.
            kept = [e for e in found.get(name, ()) if e.resource and _is_medication(e.resource)]
            found[name] = [*fetched.entries, *kept]
        else:
            found.setdefault(name, []).extend(fetched.entries)
            if gaps.get(name) == _ABSENT or (fetched.failed and name not in gaps):
                gaps[name] = fetched.gap
    unread += [
        Unread("magnesium", "an entry", "an entry without a resource")
        for entry in found.get("magnesium", ())
        if entry.resource is None
    ]
    entries = [entry for under_key in found.values() for entry in under_key]
    entries += (*request.beside_drafts, *fetches.medications)
    evidence = collect(
        request.patient_id,
        [e.resource for e in entries if e.resource is not None],
        [Gap(need, reason) for need, reason in gaps.items()],
        unread,
        site_labs=protocol.site_labs,
        patient_urls=frozenset(_patient_urls(entries, request.patient_id)),
    )
    return evidence, orders


_ABSENT = "not in the request"


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
    if next_page(value) is not None:
        wanted = _wanted(need, request, protocol)
        if wanted is None or not holds_enough(wanted, found, request.patient_id):
            return "more pages exist than were sent"
    return None


def _is_medication(resource: Resource) -> bool:
    return resource.resourceType == "Medication"


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

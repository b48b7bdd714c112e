"""Reference: the Medications that orders and administrations point to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec
from msgspec import Struct

from cards.fhir.resource import Entry, Reference, Resource, many, reference_key
from service.cdshooks.request import HookRequest


class _Refers(Struct, frozen=True, gc=False):
    """A draft, as far as it refers to its medication."""

    resourceType: str | None = None
    medicationReference: Reference | None = None


_refers = msgspec.json.Decoder(_Refers)


def references_of(request: HookRequest, found: Iterable[list[Entry]]) -> frozenset[str]:
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
    referring = [
        r
        for entry in entries
        if (r := entry.resource) is not None
        and (r.medicationReference or r.medication or r.ingredient)
    ]
    if not referring:
        return frozenset()
    here = {e.resource.id for e in came if e.resource and e.resource.resourceType == "Medication"}
    found = set()
    for resource in referring:
        for reference in _medications(resource):
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

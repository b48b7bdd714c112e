"""Whose: under which names the patient of the call stands in the record.

By id; by fullUrl and ``urn:uuid:`` of the own id; by the records that the Patient itself links
(a merged chart); by identifier. A reference by its whole URL to another server than the one the
Patient came from is another's, though type and id are the same: ids are unique on one server
only, and a stranger's result is worse than a gap that names it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from cards.evidence.place import identifiers
from cards.fhir.reference import Target, read_reference, target_of
from cards.fhir.resource import Reference, Resource, many

ANOTHERS = "belongs to another patient"
NOBODYS = "its subject cannot be read"
ELSEWHERE = "its subject stands on another server"
_LINKED = frozenset({"replaces", "seealso", "refer"})  # not: replaced by one that is ours no more


class Whose(Struct, frozen=True, gc=False):
    """The names of one patient; ``plain`` is ``Patient/<id>``, as nearly every record says."""

    plain: str
    ids: frozenset[str]
    urls: frozenset[str]
    base: str | None
    identifiers: frozenset[tuple[str, str]]

    def is_linked(self, id_: str) -> bool:
        """Whether an id is one of the patient's, the one in context or a linked one."""
        return id_ in self.ids

    def why_not(self, who: Reference) -> str | None:
        """Why a resource about ``who`` is not about our patient, in words; None when it is."""
        if who.reference == self.plain:
            return None
        target = read_reference(who.reference)
        if target is None:
            return NOBODYS if who.reference else self._unlike(who)
        if target.url in self.urls:
            return None
        if target.key is None:
            return ANOTHERS if target.inside or target.url.startswith("urn:") else NOBODYS
        if target.type != "Patient" or target.id not in self.ids:
            return ANOTHERS
        base = base_of(target)
        return ELSEWHERE if base and self.base and base != self.base else None

    def _unlike(self, who: Reference) -> str | None:
        """By identifier alone: another's when the same system gives our patient another value."""
        for system, value in identifiers(who.identifier):
            if (system, value) in self.identifiers:
                return None
            if any(ours == system for ours, _ in self.identifiers):
                return ANOTHERS
        return None


def read_whose(
    patient_id: str, resources: Iterable[Resource], urls: Iterable[tuple[str, Resource]] = ()
) -> Whose:
    """The Whose of the patient in context, from the Patient resources among what came."""
    ids, known_as = {patient_id}, {f"urn:uuid:{patient_id.lower()}"}
    numbers: set[tuple[str, str]] = set()
    for resource in resources:
        if resource.resourceType != "Patient" or resource.id not in (patient_id, None):
            continue
        numbers.update(identifiers(resource.identifier))
        for link in many(resource.link):
            target = target_of(link.other)
            if target is None or (link.type or "").strip().lower() not in _LINKED:
                continue
            known_as.add(target.url)
            if target.type == "Patient":
                ids.add(target.id)
    base = None
    for url, resource in urls:
        target = read_reference(url)
        if target is None or resource.resourceType != "Patient" or resource.id not in ids:
            continue
        known_as.add(target.url)
        if resource.id == patient_id:
            base = base_of(target) or base
    return Whose(
        f"Patient/{patient_id}", frozenset(ids), frozenset(known_as), base, frozenset(numbers)
    )


def base_of(target: Target) -> str | None:
    """The server that an absolute URL names, scheme and case folded; None of a relative one."""
    scheme, found, rest = target.url.lower().partition("://")
    if not found or scheme not in ("http", "https"):
        return None
    return rest.removesuffix(f"/{target.type}/{target.id}".lower())

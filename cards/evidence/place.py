"""Places: where the references of a request lead, over everything that came with it.

A reference names its target by type and id, by the fullUrl under which it stood in a Bundle
(``urn:uuid:`` too), or by an identifier alone. What can be found is written as ``Type/id`` once,
here; after that every reader follows type and id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from cards.fhir.reference import Target, read_reference
from cards.fhir.resource import CodeableReference, Reference, Resource

_REFERRING = ("encounter", "medicationReference", "medication", "request", "specimen")


class Identifier(Struct, frozen=True, gc=False):
    system: str | None = None
    value: str | None = None


_identifiers = msgspec.json.Decoder(list[Identifier] | Identifier | None)


class Places:
    """Where references lead among ``resources`` and the ``urls`` under which some stood in a
    Bundle; looked up only when something refers by more than type and id."""

    __slots__ = ("_identified", "_named", "_resources", "_urls")

    def __init__(
        self, resources: Iterable[Resource] = (), urls: Iterable[tuple[str, Resource]] = ()
    ) -> None:
        self._resources, self._urls = tuple(resources), tuple(urls)
        self._named: dict[str, Resource] | None = None
        self._identified: dict[tuple[str, str], Resource] | None = None

    def find(self, reference: Reference | None) -> Resource | None:
        """Where a reference leads; None when it leads nowhere, or into its own resource (#)."""
        if reference is None:
            return None
        target = read_reference(reference.reference)
        if target is None:
            return None if reference.reference else self._by_identifier(reference)
        named = self.named
        found = named.get(target.url)
        return found if found or not target.id else named.get(f"{target.type}/{target.id}")

    def specimen(self, target: Target) -> Resource | None:
        """The Specimen that a target names: by id, on whatever server, or by its fullUrl."""
        named = f"Specimen/{target.id}" if target.type in ("Specimen", "") else ""
        found = self.named.get(target.url) or self.named.get(named)
        return found if found is not None and found.resourceType == "Specimen" else None

    @property
    def named(self) -> Mapping[str, Resource]:
        """Every resource by ``Type/id`` and by the fullUrl it came with."""
        if self._named is None:
            found: dict[str, Resource] = {}
            for resource in self._resources:
                if resource.id:
                    found.setdefault(f"{resource.resourceType}/{resource.id}", resource)
            for url, resource in self._urls:
                target = read_reference(url)
                if target is not None:
                    found.setdefault(target.url, resource)
            self._named = found
        return self._named

    def _by_identifier(self, reference: Reference) -> Resource | None:
        if self._identified is None:
            self._identified = {
                key: resource
                for resource in self._resources
                for key in identifiers(resource.identifier)
            }
        wanted = next(identifiers(reference.identifier), None)
        return None if wanted is None else self._identified.get(wanted)

    def settled(self, resource: Resource) -> Resource:
        """The resource with each reference that only a fullUrl or an identifier resolves written
        as ``Type/id``."""
        changed: dict[str, object] = {}
        for name in _REFERRING:
            value = getattr(resource, name)
            if value is None:
                continue
            if isinstance(value, CodeableReference):
                if _leads_far(value.reference):
                    changed[name] = replace(value, reference=self._plain(value.reference))
            elif isinstance(value, list):
                if any(map(_leads_far, value)):
                    changed[name] = [self._plain(one) for one in value]
            elif _leads_far(value):
                changed[name] = self._plain(value)
        return replace(resource, **changed) if changed else resource

    def _plain(self, reference: Reference | None) -> Reference | None:
        found = self.find(reference)
        if reference is None or found is None or not found.id:
            return reference
        return replace(reference, reference=f"{found.resourceType}/{found.id}")


def _leads_far(reference: Reference | None) -> bool:
    """Whether a reference says more or less than type and id."""
    if reference is None:
        return False
    text = reference.reference
    if not text:
        return len(reference.identifier) > 0
    return ":" in text or text[0].isspace()


def identifiers(raw: Raw) -> Iterator[tuple[str, str]]:
    """(system, value) of the identifiers of a resource or a reference; only whole ones."""
    if len(raw) == 0:
        return
    try:
        found = _identifiers.decode(raw)
    except msgspec.DecodeError:
        return
    for one in found if isinstance(found, list) else [found]:
        if one is not None and one.system and one.value:
            yield one.system.strip(), one.value.strip()

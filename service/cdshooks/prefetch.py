"""Prefetch: what a client sent along, read as far as it can be read.

Normally it is decoded with the whole request, in one pass (service.cdshooks.request). This
module opens its values, and takes it apart when something in it broke the types: each value,
then each Bundle entry by itself, then the elements of that entry (cards.fhir.element), so that
what is broken and read is an ``Unread`` with its reason and everything else still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from cards import codes
from cards.evidence import NEED, NEED_OF_LAB, NEED_OF_TYPE, Unread
from cards.fhir import read_codes
from cards.fhir.element import Parts, read_parts
from cards.fhir.resource import NOTHING, Entry, Link, Resource, name

# What hangs on another resource is missed where that one is read.
_NEED_OF_TYPE = {**NEED_OF_TYPE, "Medication": "medications", "Specimen": "magnesium"}
_MAGNESIUM = tuple(
    f'"{code}"'.encode() for lab in NEED["magnesium"].labs for code in codes.lab_codes(lab)
)


class _Bundle(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    entry: list[Raw] | None = None
    link: Raw = NOTHING
    total: Raw = NOTHING
    issues: Raw = NOTHING


class _BundleEntry(Struct, frozen=True, gc=False):
    fullUrl: str | None = None
    resource: Raw = NOTHING


class _Holder(Struct, frozen=True, gc=False):
    resource: Raw = NOTHING


class _Wrapper(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    resource: Raw = NOTHING


_resource = msgspec.json.Decoder(Resource)
_bundle = msgspec.json.Decoder(_Bundle)
_bundle_entry = msgspec.json.Decoder(_BundleEntry)
_holder = msgspec.json.Decoder(_Holder)
_wrapper = msgspec.json.Decoder(_Wrapper)
_links = msgspec.json.Decoder(list[Link] | Link | None)


def unwrapped(value: Resource | None) -> Resource | None:
    """The value without the CDS Hooks 1.0 wrapper ``{response, resource}``."""
    if value is not None and value.resourceType is None and value.resource is not None:
        return value.resource
    return value


def entries_of(value: Resource | None) -> list[Entry]:
    """Every resource of a prefetch value, as Bundle entries: its own, or just itself."""
    value = unwrapped(value)
    if value is None:
        return []
    if value.entry is None and value.resourceType != "Bundle":
        return [Entry(resource=value)]
    found: list[Entry] = []
    for entry in value.entry or ():
        resource = entry.resource
        if resource is None or resource.resourceType == "OperationOutcome":
            continue  # no part of the record; what they mean is judged (service.gather.judgement)
        if resource.entry is not None or resource.resourceType == "Bundle":
            # a batch answer: Bundles in a Bundle
            found += entries_of(resource)
        else:
            found.append(entry)
    return found


@dataclass(slots=True)
class Prefetch:
    """The prefetch of one request, and an account of what was lost.

    ``values`` by key, None for a ``null``; ``refused`` the keys whose value is no FHIR at all,
    with the reason; ``unread`` the single resources that could not be read.
    """

    patient_id: str
    values: dict[str, Resource | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)

    def _add(self, key: str, raw: Raw) -> None:
        if bytes(raw) == b"null":
            self.values[key] = None
            return
        value = self._read(key, raw)
        if value is not None:
            self.values[key] = value
        elif not bytes(raw).startswith(b"{"):
            self.refused[key] = "what was sent is not a FHIR resource"
        else:
            self.refused[key] = "what was sent could not be read"

    def _read(self, key: str, raw: Raw) -> Resource | None:
        try:
            return _resource.decode(raw)
        except msgspec.DecodeError:
            pass
        try:
            bundle = _bundle.decode(raw)
            if bundle.entry is not None:
                return self._read_bundle(key, bundle)
            wrapper = _wrapper.decode(raw)
            if wrapper.resourceType is None and len(wrapper.resource) > 0:
                return self._read(key, wrapper.resource)
        except msgspec.DecodeError:
            pass
        return self._read_parts(key, raw)

    def _read_bundle(self, key: str, bundle: _Bundle) -> Resource:
        entries = []
        for raw in bundle.entry or ():
            try:
                entry = _entry_of(raw)
            except msgspec.DecodeError:
                self._read_parts(key, raw)  # no entry at all
                continue
            if len(entry.resource) == 0 or bytes(entry.resource) == b"null":
                entries.append(Entry(fullUrl=entry.fullUrl))
                continue
            resource = self._read(key, entry.resource)
            if resource is not None:
                entries.append(Entry(fullUrl=entry.fullUrl, resource=resource))
        # A `link` that cannot be read may be the next page: said to be one (gather).
        try:
            link = _links.decode(bundle.link) if len(bundle.link) > 0 else None
        except msgspec.DecodeError:
            link = [Link(relation="next")]
        issues = None
        if len(bundle.issues) > 0 and bytes(bundle.issues) != b"null":
            # One that cannot be read has no severity, and counts as an error.
            issues = self._read(key, bundle.issues) or Resource(resourceType="OperationOutcome")
        return Resource(
            resourceType="Bundle", entry=entries, link=link, total=bundle.total, issues=issues
        )

    def _read_parts(self, key: str, raw: Raw) -> Resource | None:
        """A resource that breaks FHIR's types, when nothing is lost that is read of its type.

        What is lost is accounted for; our Patient, and what tells of errors, are kept as far
        as they could be read.
        """
        parts = read_parts(raw) or Parts(Resource(), ("it",))
        resource = parts.resource
        if not parts.lost:
            return resource
        kept = resource.resourceType in ("Bundle", "OperationOutcome")
        need = None if kept else _need_of(key, resource, raw)
        if need is not None:
            reason = f"its {parts.lost[0]} could not be read"
            if parts.lost[0] == "it":
                reason = "it is not a FHIR resource"
            self.unread.append(Unread(need, name(resource), reason, resource))
        is_ours = resource.resourceType == "Patient" and resource.id == self.patient_id
        return resource if kept or is_ours else None


def _entry_of(raw: Raw) -> _BundleEntry:
    try:
        return _bundle_entry.decode(raw)
    except msgspec.ValidationError:  # a fullUrl that is none leads nowhere
        return _BundleEntry(resource=_holder.decode(raw).resource)


def read_apart(raw: Mapping[str, Raw], patient_id: str) -> Prefetch:
    """The Prefetch of raw values by key. Never raises on data: what is lost is accounted for."""
    prefetch = Prefetch(patient_id)
    for key, value in raw.items():
        prefetch._add(key, value)
    return prefetch


def _need_of(key: str, lost: Resource, raw: Raw) -> str | None:
    """The need that a lost resource would have served; None when the logic never reads it."""
    if lost.resourceType not in (None, "Observation"):
        return _NEED_OF_TYPE.get(lost.resourceType)
    stated = read_codes(lost.code)
    for code in stated:
        lab = codes.lab_of(code.system, code.code)
        if lab is not None:
            return NEED_OF_LAB.get(lab)
    if any(code in bytes(raw) for code in _MAGNESIUM):
        return "magnesium"
    if key in NEED:
        return key
    # Under a key of the client's own, a result whose code cannot be read may be anything.
    return "magnesium" if lost.resourceType == "Observation" and not stated else None

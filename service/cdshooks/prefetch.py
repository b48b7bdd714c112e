"""Prefetch: what a client sent along, read as far as it can be read.

Normally it is decoded with the whole request, in one pass (service.cdshooks.request). This
module opens its values, and takes it apart when something in it broke the types: each value,
then each Bundle entry by itself, so that one bad entry is an ``Unread`` with its reason
and everything else still counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw, Struct

from cards import codes
from cards.evidence import NEED, NEEDS, Unread
from cards.fhir.resource import NOTHING, CodeableConcept, Entry, Link, Resource, codings, name

_NEED_OF_LAB = {lab: need.name for need in NEEDS for lab in need.labs}
_NEED_OF_TYPE = {need.type: need.name for need in NEEDS if not need.labs}
# What hangs on another resource is missed where that one is read.
_NEED_OF_TYPE |= {"Medication": "medications", "Specimen": "magnesium"}
_MAGNESIUM = tuple(
    f'"{code}"'.encode() for lab in NEED["magnesium"].labs for code in codes.lab_codes(lab)
)


class _Typed(Struct, frozen=True, gc=False):
    resourceType: str | None = None


class _Named(Struct, frozen=True, gc=False):
    id: str | None = None


class _Coded(Struct, frozen=True, gc=False):
    code: CodeableConcept | None = None


class _Bundle(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    entry: list[Raw] | None = None
    link: Raw = NOTHING


class _BundleEntry(Struct, frozen=True, gc=False):
    fullUrl: str | None = None
    resource: Raw = NOTHING


class _Wrapper(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    resource: Raw = NOTHING


_typed = msgspec.json.Decoder(_Typed)
_named = msgspec.json.Decoder(_Named)
_coded = msgspec.json.Decoder(_Coded)
_resource = msgspec.json.Decoder(Resource)
_bundle = msgspec.json.Decoder(_Bundle)
_bundle_entry = msgspec.json.Decoder(_BundleEntry)
_wrapper = msgspec.json.Decoder(_Wrapper)
_links = msgspec.json.Decoder(list[Link] | None)


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
        if resource is None:
            continue
        if resource.entry is not None:  # a batch answer: Bundles in a Bundle
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
        except msgspec.DecodeError as error:
            reason = error
        try:
            bundle = _bundle.decode(raw)
            if bundle.entry is not None:
                return self._read_bundle(key, bundle)
            wrapper = _wrapper.decode(raw)
            if wrapper.resourceType is None and len(wrapper.resource) > 0:
                return self._read(key, wrapper.resource)
        except msgspec.DecodeError:
            pass
        return self._lose(key, raw, reason)

    def _read_bundle(self, key: str, bundle: _Bundle) -> Resource:
        entries = []
        for raw in bundle.entry or ():
            try:
                entry = _bundle_entry.decode(raw)
            except msgspec.DecodeError as error:
                self._lose(key, raw, error)
                continue
            if len(entry.resource) == 0 or bytes(entry.resource) == b"null":
                continue
            resource = self._read(key, entry.resource)
            if resource is not None:
                entries.append(Entry(fullUrl=entry.fullUrl, resource=resource))
        # A `link` that cannot be read may be the next page: said to be one (gather).
        try:
            link = _links.decode(bundle.link) if len(bundle.link) > 0 else None
        except msgspec.DecodeError:
            link = [Link(relation="next")]
        return Resource(resourceType="Bundle", entry=entries, link=link)

    def _lose(self, key: str, raw: Raw, error: Exception) -> Resource | None:
        """Accounts for a resource that cannot be read; the stub of our Patient if it is that."""
        stub = _stub(raw)
        need = _need_of(key, stub.resourceType, raw)
        if need is not None:
            # msgspec says what it expected, what kind it got and where; it quotes no value.
            self.unread.append(Unread(need, name(stub), f"could not be read: {error}"))
        is_ours = stub.resourceType == "Patient" and stub.id == self.patient_id
        return stub if is_ours else None


def read_apart(raw: Mapping[str, Raw], patient_id: str) -> Prefetch:
    """The Prefetch of raw values by key. Never raises on data: what is lost is accounted for."""
    prefetch = Prefetch(patient_id)
    for key, value in raw.items():
        prefetch._add(key, value)
    return prefetch


def _stub(raw: Raw) -> Resource:
    """Type and id of a resource of which nothing else can be read."""
    type_ = id_ = None
    with suppress(msgspec.DecodeError):
        type_ = _typed.decode(raw).resourceType
    with suppress(msgspec.DecodeError):
        id_ = _named.decode(raw).id
    return Resource(resourceType=type_, id=id_)


def _need_of(key: str, type_: str | None, raw: Raw) -> str | None:
    """The need that a lost resource would have served; None when the logic never reads it."""
    if type_ not in (None, "Observation"):
        return _NEED_OF_TYPE.get(type_)
    code = None
    with suppress(msgspec.DecodeError):
        code = _coded.decode(raw).code
    for coding in codings(code):
        lab = codes.lab_concept(coding.code or "") if codes.is_loinc(coding.system or "") else None
        if lab is not None:
            return _NEED_OF_LAB.get(lab)
    if any(code in bytes(raw) for code in _MAGNESIUM):
        return "magnesium"
    if key in NEED:
        return key
    # Under a key of the client's own, a result whose code cannot be read may be anything.
    return "magnesium" if type_ == "Observation" and code is None else None

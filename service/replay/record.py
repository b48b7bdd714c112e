"""Record: one patient's lines, each read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from cards.evidence import Unread
from cards.fhir import key_of, medication_reference, target_of
from cards.fhir.element import read_parts
from cards.fhir.resource import Reference, Resource
from service.cdshooks.prefetch import read_apart

_decode = msgspec.json.Decoder(Resource).decode
_parts = msgspec.json.Decoder(dict[str, Raw]).decode


@dataclass(slots=True)
class Record:
    """``resources`` as read; ``orders`` the MedicationRequests among them, and those that break
    FHIR's types, each with its line; ``unread`` what broke, with the times that could be read;
    ``broken`` how many, by type; ``found`` how many resources came, by type."""

    patient_id: str
    resources: list[Resource] = field(default_factory=list)
    orders: list[tuple[Resource, bytes]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    medications: dict[str, Resource] = field(default_factory=dict)

    def _add(self, line: bytes) -> None:
        try:
            resource = _decode(line)
        except (msgspec.ValidationError, RecursionError):
            resource = self._lose(line)
        else:
            self.resources.append(resource)
        type_ = resource.resourceType or ""
        self.found[type_] += 1
        if type_ == "MedicationRequest":
            self.orders.append((resource, line))
        elif type_ == "Medication" and resource.id:
            self.medications.setdefault(resource.id, resource)

    def _lose(self, line: bytes) -> Resource:
        """What can be read of a resource that breaks FHIR's types: all of it that counts, or at
        least whose it is, and since when."""
        apart = read_apart({"": Raw(line)}, self.patient_id)
        found = apart.values.get("")
        if found is not None:
            self.resources.append(found)
            if not apart.unread:
                return found
        else:
            self.unread += apart.unread
            parts = read_parts(line)
            found = parts.resource if parts is not None else Resource()
        self.broken[found.resourceType or ""] += 1
        return found


def read_record(patient_id: str, lines: Iterable[bytes]) -> Record:
    """The Record of the lines of a patient and of the Medications they refer to, in whatever
    order they come and however often."""
    record = Record(patient_id)
    for line in sorted(set(lines)):
        record._add(line)
    return record


def medication_ids(lines: Iterable[bytes]) -> frozenset[str]:
    """The ids of the Medications that lines of a patient refer to."""
    found: set[str] = set()
    for line in lines:
        if b"Medication/" not in line:
            continue
        with suppress(msgspec.DecodeError, RecursionError):
            found.update(_references(_decode(line)))
    return frozenset(found)


def _references(resource: Resource) -> Iterator[str]:
    key = key_of(medication_reference(resource))
    if key is not None and key[0] == "Medication":
        yield key[1]


class _Written(msgspec.Struct):
    requester: Reference | None = None


_written = msgspec.json.Decoder(_Written)


def author(line: bytes) -> str:
    """Who wrote an order, as the record refers to it; "" when it does not say."""
    with suppress(msgspec.DecodeError, RecursionError):
        requester = _written.decode(line).requester
        who = target_of(requester)
        if who is not None:
            return who.url
    return ""


def drafted(line: bytes) -> bytes:
    """An order as it stood when it was written: a draft. Its other elements are kept as they
    are, to the digit."""
    try:
        parts = _parts(line)
    except (msgspec.DecodeError, RecursionError):
        return line
    return msgspec.json.encode({**parts, "status": Raw(b'"draft"')})

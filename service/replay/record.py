"""Record: one patient's lines, each read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec
from msgspec import Raw

from cards.evidence import Unread
from cards.fhir.resource import Resource, reference_key
from service.cdshooks.prefetch import read_apart

_decode = msgspec.json.Decoder(Resource).decode
_parts = msgspec.json.Decoder(dict[str, Raw]).decode
# What tells whose a resource is and since when it was known.
_KEPT = frozenset(
    """resourceType id status subject patient encounter issued effectiveDateTime effectiveInstant
    effectivePeriod authoredOn recordedDate assertedDate onsetDateTime onsetPeriod
    performedDateTime performedPeriod period intent""".split()
)


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
        """What can be read of a resource that breaks FHIR's types: whose it is, and since when."""
        apart = read_apart({"": Raw(line)}, self.patient_id)
        stub = apart.values.get("")
        if stub is not None:  # our Patient
            self.resources.append(stub)
        else:
            stub = _stub(line)
            self.unread += [replace(unread, source=stub) for unread in apart.unread]
        self.broken[stub.resourceType or ""] += 1
        return stub


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
    reference = resource.medicationReference
    if reference is None and resource.medication is not None:
        reference = resource.medication.reference
    key = reference_key(reference.reference) if reference is not None else None
    if key is not None and key[0] == "Medication":
        yield key[1]


def _stub(line: bytes) -> Resource:
    sound = {}
    with suppress(msgspec.DecodeError, RecursionError):
        for key, value in _parts(line).items():
            if key in _KEPT:
                part = msgspec.json.encode({key: value})
                with suppress(msgspec.ValidationError):
                    _decode(part)
                    sound[key] = value
    return _decode(msgspec.json.encode(sound))


def drafted(line: bytes) -> bytes:
    """An order as it stood when it was written: a draft. Its other elements are kept as they
    are, to the digit."""
    try:
        parts = _parts(line)
    except (msgspec.DecodeError, RecursionError):
        return line
    return msgspec.json.encode({**parts, "status": Raw(b'"draft"')})

"""Resource: a FHIR resource as read, holding only the elements the logic uses.

One wide frozen struct serves every resource type, so that a whole CDS Hooks request is decoded
in one pass. Numbers stay raw JSON text (``1.20`` stays ``1.20``, a string where a number belongs
stays visible as one); ``cards.units.quantity`` turns them into Decimals when a rule needs them.
Shapes seen everywhere in real requests are accepted as they are: one object where a list
belongs, STU3 status strings, R5 ``medication.concept``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

T = TypeVar("T")
NOTHING = Raw(b"")


class Coding(Struct, frozen=True, gc=False):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class CodeableConcept(Struct, frozen=True, gc=False):
    coding: list[Coding] | Coding | None = None
    text: str | None = None


class Reference(Struct, frozen=True, gc=False):
    reference: str | None = None
    display: str | None = None


class RawQuantity(Struct, frozen=True, gc=False):
    value: Raw = NOTHING
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Period(Struct, frozen=True, gc=False):
    start: str | None = None
    end: str | None = None


class Range(Struct, frozen=True, gc=False):
    low: RawQuantity | None = None
    high: RawQuantity | None = None


class Ratio(Struct, frozen=True, gc=False):
    numerator: RawQuantity | None = None
    denominator: RawQuantity | None = None


class ReferenceRange(Struct, frozen=True, gc=False):
    low: RawQuantity | None = None
    high: RawQuantity | None = None
    type: CodeableConcept | None = None


class Repeat(Struct, frozen=True, gc=False):
    boundsDuration: RawQuantity | None = None
    boundsPeriod: Period | None = None
    count: Raw = NOTHING
    duration: Raw = NOTHING
    durationMax: Raw = NOTHING
    durationUnit: str | None = None
    frequency: Raw = NOTHING
    frequencyMax: Raw = NOTHING
    period: Raw = NOTHING
    periodUnit: str | None = None
    timeOfDay: list[str] | None = None
    when: list[str] | str | None = None


class Timing(Struct, frozen=True, gc=False):
    event: list[str] | None = None
    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Struct, frozen=True, gc=False):
    doseQuantity: RawQuantity | None = None
    doseRange: Range | None = None
    rateQuantity: RawQuantity | None = None
    rateRange: Range | None = None
    rateRatio: Ratio | None = None


class Dosage(Struct, frozen=True, gc=False):
    text: str | None = None
    patientInstruction: str | None = None
    timing: Timing | None = None
    asNeededBoolean: bool | None = None
    asNeededCodeableConcept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    method: CodeableConcept | None = None
    doseAndRate: list[DoseAndRate] | DoseAndRate | None = None
    # MedicationAdministration.dosage, and STU3 Dosage, state dose and rate directly.
    dose: RawQuantity | None = None
    doseQuantity: RawQuantity | None = None
    rateQuantity: RawQuantity | None = None
    rateRatio: Ratio | None = None


class CodeableReference(Struct, frozen=True, gc=False):
    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Ingredient(Struct, frozen=True, gc=False):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    item: CodeableReference | None = None
    strength: Ratio | None = None


class Annotation(Struct, frozen=True, gc=False):
    text: str | None = None


class Link(Struct, frozen=True, gc=False):
    relation: str | None = None
    url: str | None = None


class Resource(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    id: str | None = None
    status: str | None = None
    modifierExtension: Raw = NOTHING
    contained: list[Resource] | None = None
    # who, when
    subject: Reference | None = None
    patient: Reference | None = None
    encounter: Reference | None = None
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Period | None = None
    issued: str | None = None
    # Patient
    birthDate: str | None = None
    gender: str | None = None
    # Observation, Condition, Procedure, Medication, ServiceRequest, AllergyIntolerance
    code: CodeableConcept | None = None
    valueQuantity: RawQuantity | None = None
    valueString: str | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueInteger: Raw = NOTHING
    dataAbsentReason: CodeableConcept | None = None
    referenceRange: list[ReferenceRange] | ReferenceRange | None = None
    specimen: Reference | list[Reference] | None = None
    note: list[Annotation] | Annotation | None = None
    component: Raw = NOTHING
    clinicalStatus: CodeableConcept | str | None = None
    verificationStatus: CodeableConcept | str | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None
    assertedDate: str | None = None
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None
    abatementAge: Raw = NOTHING
    abatementString: str | None = None
    abatementRange: Raw = NOTHING
    abatementBoolean: bool | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None
    # Specimen
    condition: list[CodeableConcept] | CodeableConcept | None = None
    # MedicationRequest, MedicationAdministration, Medication
    intent: str | None = None
    doNotPerform: bool | None = None
    authoredOn: str | None = None
    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    medication: CodeableReference | None = None
    dosageInstruction: list[Dosage] | Dosage | None = None
    dosage: Dosage | list[Dosage] | None = None
    reasonCode: list[CodeableConcept] | CodeableConcept | None = None
    request: Reference | None = None
    ingredient: list[Ingredient] | Ingredient | None = None
    # Encounter
    class_: Coding | list[CodeableConcept] | None = msgspec.field(name="class", default=None)
    period: Period | None = None
    # Bundle, and the CDS Hooks 1.0 prefetch wrapper {response, resource}
    entry: list[Entry] | None = None
    link: list[Link] | None = None
    resource: Resource | None = None


class Entry(Struct, frozen=True, gc=False):
    fullUrl: str | None = None
    resource: Resource | None = None


def many(value: list[T] | T | None) -> list[T]:
    """The value as a list: real requests send one object where FHIR has a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def codings(concept: CodeableConcept | None) -> list[Coding]:
    """The codings of a concept, [] when there are none."""
    if concept is None or concept.coding is None:
        return []
    return concept.coding if isinstance(concept.coding, list) else [concept.coding]


def status_code(status: CodeableConcept | str | None) -> str | None:
    """clinicalStatus or verificationStatus as its code, whatever shape it came in."""
    if status is None or isinstance(status, str):
        return status
    for coding in codings(status):
        if coding.code:
            return coding.code.strip().lower()
    return None


def reference_key(reference: str | None) -> tuple[str, str] | None:
    """("Medication", "m1") of a relative, absolute or versioned reference; None otherwise."""
    if not reference or reference.startswith(("#", "urn:")):
        return None
    parts = reference.split("/_history/")[0].rstrip("/").split("/")
    return (parts[-2], parts[-1]) if len(parts) >= 2 else None


def name(resource: Resource) -> str:
    """``Observation/123``, as shown on traces and in provenance."""
    return f"{resource.resourceType or '?'}/{resource.id or '?'}"


def version(resource: Resource) -> str:
    """A result as it was sent: one that was amended under the same id is another."""
    quantity, period = resource.valueQuantity, resource.effectivePeriod
    when = resource.effectiveDateTime or resource.effectiveInstant or (period and period.end)
    value = bytes(quantity.value).decode(errors="replace") if quantity else resource.valueString
    unit = (quantity.code or quantity.unit) if quantity else ""
    parts = (name(resource), when, value, unit, resource.status)
    return "|".join(part or "" for part in parts)


def contained(resource: Resource, reference: str | None) -> Resource | None:
    """The contained resource a ``#id`` reference points to."""
    if not reference or not reference.startswith("#"):
        return None
    return first(c for c in resource.contained or () if c.id and c.id.lstrip("#") == reference[1:])


def first(items: Iterable[T]) -> T | None:
    return next(iter(items), None)

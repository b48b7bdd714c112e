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
    concept: CodeableConcept | None = None  # R5: a CodeableReference in its place


class Reference(Struct, frozen=True, gc=False):
    reference: str | None = None
    display: str | None = None
    identifier: Raw = NOTHING


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
    text: str | None = None


class Repeat(Struct, frozen=True, gc=False):
    boundsDuration: RawQuantity | None = None
    boundsPeriod: Period | None = None
    boundsRange: Range | None = None
    count: Raw = NOTHING
    countMax: Raw = NOTHING
    duration: Raw = NOTHING
    durationMax: Raw = NOTHING
    durationUnit: str | None = None
    frequency: Raw = NOTHING
    frequencyMax: Raw = NOTHING
    period: Raw = NOTHING
    periodMax: Raw = NOTHING
    periodUnit: str | None = None
    dayOfWeek: list[str] | str | None = None
    timeOfDay: list[str] | str | None = None
    when: list[str] | str | None = None


class Timing(Struct, frozen=True, gc=False):
    event: list[str] | str | None = None
    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Struct, frozen=True, gc=False):
    type: CodeableConcept | str | None = None
    doseQuantity: RawQuantity | None = None
    doseRange: Range | None = None
    rateQuantity: RawQuantity | None = None
    rateRange: Range | None = None
    rateRatio: Ratio | None = None


class Extension(Struct, frozen=True, gc=False):
    url: str | None = None
    valueBoolean: Raw = NOTHING


class Dosage(Struct, frozen=True, gc=False):
    text: str | None = None
    patientInstruction: str | None = None
    timing: Timing | None = None
    asNeededBoolean: bool | None = None
    asNeededCodeableConcept: CodeableConcept | None = None
    asNeeded: bool | None = None  # R5, as the next
    asNeededFor: list[CodeableConcept] | CodeableConcept | None = None
    extension: list[Extension] | None = None
    maxDosePerPeriod: list[Ratio] | Ratio | None = None
    route: CodeableConcept | None = None
    method: CodeableConcept | None = None
    doseAndRate: list[DoseAndRate] | DoseAndRate | None = None
    # MedicationAdministration.dosage, and STU3 Dosage, state dose and rate directly.
    dose: RawQuantity | None = None
    doseQuantity: RawQuantity | None = None
    doseRange: Range | None = None
    rateQuantity: RawQuantity | None = None
    rateRange: Range | None = None
    rateRatio: Ratio | None = None


class CodeableReference(Struct, frozen=True, gc=False):
    concept: CodeableConcept | None = None
    reference: Reference | None = None


class Ingredient(Struct, frozen=True, gc=False):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None
    item: CodeableReference | None = None
    substanceCodeableConcept: CodeableConcept | None = None  # of a Substance
    substanceReference: Reference | None = None
    isActive: bool | None = None
    strength: Ratio | None = None


class Annotation(Struct, frozen=True, gc=False):
    text: str | None = None


class Link(Struct, frozen=True, gc=False):
    """``Bundle.link``, and ``Patient.link``: another record of the same person."""

    relation: str | None = None
    url: str | None = None
    type: str | None = None
    other: Reference | None = None


class Issue(Struct, frozen=True, gc=False):
    severity: str | None = None


class EncounterClass(Struct, frozen=True, gc=False):
    """A Coding (R4) or a CodeableConcept (R5): ``class`` comes as either."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    coding: list[Coding] | Coding | None = None
    text: str | None = None


class Resource(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    id: str | None = None
    status: str | None = None
    modifierExtension: Raw = NOTHING
    contained: list[Resource] | None = None
    identifier: Raw = NOTHING
    # who, when
    subject: Reference | None = None
    patient: Reference | None = None
    encounter: Reference | None = None
    context: Reference | None = None  # STU3: its encounter
    effectiveDateTime: str | None = None
    effectiveInstant: str | None = None
    effectivePeriod: Period | None = None
    issued: str | None = None
    # Patient
    birthDate: str | None = None
    gender: str | None = None
    deceasedBoolean: bool | None = None
    deceasedDateTime: str | None = None
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
    comment: str | None = None  # STU3: its note
    component: Raw = NOTHING
    clinicalStatus: CodeableConcept | str | None = None
    verificationStatus: CodeableConcept | str | None = None
    onsetDateTime: str | None = None
    onsetPeriod: Period | None = None
    recordedDate: str | None = None
    assertedDate: str | None = None
    dateRecorded: str | None = None  # DSTU2
    abatementDateTime: str | None = None
    abatementPeriod: Period | None = None
    abatementAge: Raw = NOTHING
    abatementString: str | None = None
    abatementRange: Raw = NOTHING
    abatementBoolean: bool | None = None
    performedDateTime: str | None = None
    performedPeriod: Period | None = None
    # Specimen; other types have elements of the same names, in other shapes
    condition: list[CodeableConcept] | CodeableConcept | None = None
    type: Raw = NOTHING
    collection: Raw = NOTHING
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
    request: Reference | list[Reference] | None = None  # a Specimen has many
    priorPrescription: Reference | None = None
    # the time of an administration in R5, and in later versions
    occurenceDateTime: str | None = None
    occurencePeriod: Period | None = None
    occurenceTiming: Timing | None = None
    occurrenceDateTime: str | None = None
    occurrencePeriod: Period | None = None
    occurrenceTiming: Timing | None = None
    ingredient: list[Ingredient] | Ingredient | None = None
    # Encounter
    class_: EncounterClass | list[EncounterClass] | str | None = msgspec.field(
        name="class", default=None
    )
    period: Period | None = None
    actualPeriod: Period | None = None  # R5
    # OperationOutcome; Bundle.issues (R5) is one
    issue: list[Issue] | Issue | None = None
    issues: Resource | None = None
    # Bundle, and the CDS Hooks 1.0 prefetch wrapper {response, resource}
    entry: list[Entry] | None = None
    link: list[Link] | Link | None = None
    total: Raw = NOTHING
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

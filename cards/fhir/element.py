"""Element: which elements of each type are read, and one resource read element by element.

Normally a whole request is decoded in one pass. A resource that breaks FHIR's types is read here
by its parts: what breaks in an element that nobody reads of that type costs nothing (a contained
Practitioner, `Specimen.request`); a shape that can only mean one thing is taken as meant (one
where a list belongs, a list of one where one belongs, a number as its text); what is read and
means nothing is lost, and named.

``READ`` is also the account of what is necessary: nothing else of a record is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Raw, Struct, inspect

from cards.fhir.resource import Resource

_ANY = "resourceType id"
_OURS = f"{_ANY} identifier modifierExtension"
_ABOUT = f"{_OURS} subject patient encounter context"
_WHEN = "occurrenceDateTime occurrencePeriod occurrenceTiming"
_DRUG = "medicationCodeableConcept medicationReference medication contained"
_ELEMENTS: Mapping[str, str] = {
    "Patient": f"{_OURS} birthDate gender deceasedBoolean deceasedDateTime link",
    "Observation": f"""{_ABOUT} status code contained effectiveDateTime effectiveInstant
        effectivePeriod issued valueQuantity valueString valueCodeableConcept valueInteger
        dataAbsentReason referenceRange specimen note comment component""",
    "Specimen": f"{_OURS} condition note type collection",
    "Condition": f"""{_ABOUT} code clinicalStatus verificationStatus onsetDateTime onsetPeriod
        recordedDate assertedDate dateRecorded abatementDateTime abatementPeriod abatementAge
        abatementString abatementRange abatementBoolean""",
    "MedicationRequest": f"""{_ABOUT} {_DRUG} status intent doNotPerform authoredOn
        dosageInstruction reasonCode priorPrescription""",
    "MedicationAdministration": f"""{_ABOUT} {_DRUG} {_WHEN} status effectiveDateTime
        effectivePeriod dosage request occurenceDateTime occurencePeriod occurenceTiming""",
    "Medication": f"{_OURS} code ingredient contained",
    "Substance": f"{_OURS} code ingredient contained",
    "Encounter": f"{_OURS} status class period actualPeriod subject patient",
    "Procedure": f"{_ABOUT} {_WHEN} status code performedDateTime performedPeriod",
    "AllergyIntolerance": f"""{_ABOUT} type code clinicalStatus verificationStatus recordedDate
        assertedDate onsetDateTime onsetPeriod""",
    "ServiceRequest": f"{_ABOUT} {_WHEN} status intent code doNotPerform authoredOn",
    "OperationOutcome": f"{_ANY} issue",
    "Bundle": f"{_ANY} entry link total issues",
}
READ: Mapping[str, frozenset[str]] = MappingProxyType(
    {type_: frozenset(names.split()) for type_, names in _ELEMENTS.items()}
)
_BARELY = frozenset(_ANY.split())  # of a type that nobody reads

# What one string, or one number, in place of a structure says.
_SAID = {
    "CodeableConcept": "text",
    "Coding": "code",
    "Reference": "reference",
    "Annotation": "text",
    "Dosage": "text",
    "RawQuantity": "value",
}
_DEEPEST = 4  # contained in contained; deeper is read by nobody

_loose = msgspec.json.Decoder(float_hook=Decimal)  # 1.20 stays 1.20
_written = msgspec.json.Encoder(decimal_format="number")
_resource = msgspec.json.Decoder(Resource)
_SHAPE = inspect.type_info(Resource)


class Parts(Struct, frozen=True, gc=False):
    """What could be read of a resource, and the elements that are read of its type and could
    not be, as paths: ``valueQuantity.unit``."""

    resource: Resource
    lost: tuple[str, ...] = ()


def read_parts(raw: Raw | bytes) -> Parts | None:
    """The Parts of the JSON of a resource; None when it is no JSON object.

    Raises msgspec.DecodeError for what is no JSON, RecursionError for what is nested too deeply.
    """
    value = _loose.decode(raw)
    if not isinstance(value, dict):
        return None
    lost: list[str] = []
    sound = _Reader(lost).resource(value, "", 0)
    return Parts(_resource.decode(_written.encode(sound)), tuple(lost))


class _Broken(Exception):
    """An element holds what no reader can take as meant."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class _Reader:
    """Takes values as meant, along the declared types."""

    def __init__(self, lost: list[str]) -> None:
        self._lost = lost

    def resource(self, value: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        type_ = value.get("resourceType")
        if isinstance(type_, list) and len(type_) == 1:
            type_ = type_[0]
        if not isinstance(type_, str):
            read = None  # any of them may be meant
        else:
            read = READ.get(type_, _BARELY)
        found: dict[str, Any] = {}
        for field in _fields(_SHAPE):
            name = field.encode_name
            if name not in value or (read is not None and name not in read):
                continue
            try:
                part = self._value(value[name], field.type, f"{path}{name}", depth)
            except _Broken as broken:
                self._lost.append(broken.path)
            else:
                if part is not None:
                    found[name] = part
        return found

    def _value(self, value: Any, shape: inspect.Type, path: str, depth: int) -> Any:
        options = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
        if value is None or any(isinstance(o, inspect.RawType) for o in options):
            return value
        struct = next((o for o in options if isinstance(o, inspect.StructType)), None)
        several = next((o for o in options if isinstance(o, inspect.ListType)), None)
        if isinstance(value, list):
            return self._list(value, shape, several, path, depth)
        if isinstance(value, dict) and struct is not None:
            return self._struct(value, struct, path, depth)
        wanted = bool if isinstance(value, bool) else str
        if any(isinstance(o, _SCALARS[wanted]) for o in options) and not isinstance(value, dict):
            return value if isinstance(value, bool | str) else str(value)
        if struct is not None and not isinstance(value, bool | dict):
            said = _SAID.get(struct.cls.__name__)
            if said is not None and (said == "value") != isinstance(value, str):
                return self._struct({said: value}, struct, path, depth)
        if value in ("true", "false") and any(isinstance(o, inspect.BoolType) for o in options):
            return value == "true"
        if several is not None:
            return [self._value(value, several.item_type, path, depth)]
        raise _Broken(path)

    def _list(
        self,
        value: list[Any],
        shape: inspect.Type,
        several: inspect.ListType | None,
        path: str,
        depth: int,
    ) -> Any:
        sent = [item for item in value if item is not None]
        if several is not None:
            found = (self._value(item, several.item_type, path, depth) for item in sent)
            return [item for item in found if item is not None]
        if len(sent) > 1 or (sent and isinstance(sent[0], list)):
            raise _Broken(path)
        return self._value(sent[0], shape, path, depth) if sent else None

    def _struct(
        self, value: dict[str, Any], struct: inspect.StructType, path: str, depth: int
    ) -> dict[str, Any]:
        if struct.cls is Resource:
            if depth == _DEEPEST:
                return {}
            return self.resource(value, f"{path}.", depth + 1)
        return {
            field.encode_name: self._value(
                value[field.encode_name], field.type, f"{path}.{field.encode_name}", depth
            )
            for field in _fields(struct)
            if field.encode_name in value
        }


_SCALARS: Mapping[type, type[inspect.Type]] = {bool: inspect.BoolType, str: inspect.StrType}


def _fields(shape: inspect.Type) -> tuple[inspect.Field, ...]:
    return shape.fields if isinstance(shape, inspect.StructType) else ()

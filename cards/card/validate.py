"""Faults of a suggested resource: what fhir.resources checks, and what it lets through.

``fhir.resources.R4B`` accepts ``status: "nonsense"`` and ``periodUnit: "day"``; required
bindings, the Timing invariants tim-1 to tim-10 and ids are checked here. This is the only
module that imports fhir.resources, and it does so on first use: the import is slow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

Json = dict[str, Any]
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")
_STATUS = {
    "MedicationRequest": frozenset(
        "active on-hold cancelled completed entered-in-error stopped draft unknown".split()
    ),
    "ServiceRequest": frozenset(
        "draft active on-hold revoked completed entered-in-error unknown".split()
    ),
}
_INTENT = {
    "MedicationRequest": frozenset(
        "proposal plan order original-order reflex-order filler-order instance-order option".split()
    ),
    "ServiceRequest": frozenset(
        "proposal plan directive order original-order reflex-order filler-order instance-order "
        "option".split()
    ),
}
_PRIORITY = frozenset("routine urgent asap stat".split())
_UNITS_OF_TIME = frozenset("s min h d wk mo a".split())
_WHEN = frozenset(
    "MORN MORN.early MORN.late NOON AFT AFT.early AFT.late EVE EVE.early EVE.late NIGHT PHS HS "
    "WAKE C CM CD CV AC ACM ACD ACV PC PCM PCD PCV".split()
)
_MEALS = frozenset("C CM CD CV".split())


@cache
def _model(type_: str) -> Any:
    if type_ == "MedicationRequest":
        from fhir.resources.R4B.medicationrequest import MedicationRequest

        return MedicationRequest
    from fhir.resources.R4B.servicerequest import ServiceRequest

    return ServiceRequest


def faults(resource: Json) -> list[str]:
    """What is wrong with a MedicationRequest or ServiceRequest; [] when it is valid R4."""
    raw = _ENCODER.encode(resource)
    plain: Json = msgspec.json.decode(raw)
    type_ = plain.get("resourceType")
    if type_ not in _STATUS:
        return [f"resourceType {type_!r}"]
    found = [*_bindings(plain), *_ids(plain)]
    for place, timing in _timings(plain):
        found += [f"{place}: {fault}" for fault in _timing(timing)]
    found += [f"{place}: empty" for place in _empties(plain, type_)]
    try:
        _model(type_).model_validate_json(raw)
    except Exception as error:  # a KeyError for an unknown contained type, whatever else
        lines = [line.strip() for line in str(error).splitlines()[1:3]]
        found += lines or [f"fhir.resources: {type(error).__name__}"]
    return found


def _bindings(resource: Json) -> Iterator[str]:
    type_ = resource["resourceType"]
    for element, allowed in (("status", _STATUS[type_]), ("intent", _INTENT[type_])):
        if not _among(resource.get(element), allowed):
            yield f"{element}: {resource.get(element)!r} is not in the required value set"
    priority = resource.get("priority")
    if priority is not None and not _among(priority, _PRIORITY):
        yield f"priority: {priority!r} is not in the required value set"


def _among(value: Any, allowed: frozenset[str]) -> bool:
    # A draft may hold anything under a key that we do not read: a dict cannot be looked up.
    return isinstance(value, str) and value in allowed


def _ids(resource: Json) -> Iterator[str]:
    for item in (resource, *_list(resource.get("contained"))):
        if isinstance(item, dict) and "id" in item and not _ID.match(str(item["id"])):
            yield f"id: {str(item['id'])[:70]!r}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _timings(resource: Json) -> Iterator[tuple[str, Json]]:
    for index, dosage in enumerate(_list(resource.get("dosageInstruction"))):
        timing = dosage.get("timing") if isinstance(dosage, dict) else None
        if isinstance(timing, dict) and isinstance(timing.get("repeat"), dict):
            yield f"dosageInstruction[{index}].timing.repeat", timing["repeat"]


def _timing(repeat: Json) -> Iterator[str]:
    has = repeat.__contains__
    if has("duration") and not has("durationUnit"):
        yield "tim-1: a duration needs a unit"
    if has("period") and not has("periodUnit"):
        yield "tim-2: a period needs a unit"
    for element, rule in (("duration", "tim-4"), ("period", "tim-5")):
        if has(element) and not _at_least_zero(repeat[element]):
            yield f"{rule}: {element} must not be negative"
    for upper, lower, rule in (
        ("periodMax", "period", "tim-6"),
        ("durationMax", "duration", "tim-7"),
        ("countMax", "count", "tim-8"),
    ):
        if has(upper) and not has(lower):
            yield f"{rule}: {upper} needs {lower}"
    when = _list(repeat.get("when"))
    if has("offset") and (not when or any(_among(code, _MEALS) for code in when)):
        yield "tim-9: an offset needs a when that is not a meal"
    if has("timeOfDay") and when:
        yield "tim-10: timeOfDay or when, not both"
    for element in ("durationUnit", "periodUnit"):
        if has(element) and not _among(repeat[element], _UNITS_OF_TIME):
            yield f"{element}: {repeat[element]!r} is not in the required value set"
    for code in when:
        if not _among(code, _WHEN):
            yield f"when: {code!r} is not in the required value set"
    for element in ("count", "frequency"):
        if has(element) and not (isinstance(repeat[element], int) and repeat[element] > 0):
            yield f"{element}: must be a positive integer"


def _at_least_zero(value: Any) -> bool:
    return isinstance(value, int | float) and value >= 0


def _empties(value: Any, place: str) -> Iterator[str]:
    if value in (None, "", [], {}):
        yield place
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _empties(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empties(item, f"{place}[{index}]")

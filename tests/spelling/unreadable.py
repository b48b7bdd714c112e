"""Unreadable: a part of the record taken out of reach, so that one can tell that it was there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.spelling.orders import HOUSE, ORDERS_UNREADABLE
from tests.spelling.walk import Change, Json, of_record

MODIFIED = [{"url": "urn:example:unheard", "valueBoolean": True}]


def _each(key: str, type_: str, change: Callable[[Json], None]) -> Change:
    """Changes every resource of a type under a key."""

    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        for found, entry in of_record(request):
            if found == key and entry["resource"]["resourceType"] == type_:
                change(entry["resource"])
        return request

    return changed


def _sets(**elements: Any) -> Callable[[Json], None]:
    return lambda resource: resource.update(elements)


def _newest(change: Callable[[Json], None]) -> Change:
    """Changes the newest magnesium alone: the older ones stay readable."""

    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        found = [e["resource"] for key, e in of_record(request) if key == "magnesium"]
        dated = [r for r in found if isinstance(r.get("effectiveDateTime"), str)]
        if dated:
            change(max(dated, key=lambda r: r["effectiveDateTime"]))
        return request

    return changed


def _bundle(key: str, change: Callable[[Json], None]) -> Change:
    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        value = request["prefetch"].get(key)
        if value and value.get("resourceType") == "Bundle":
            change(value)
        return request

    return changed


def _adds(entry: Json) -> Callable[[Json], None]:
    return lambda bundle: bundle.update(entry=[*(bundle.get("entry") or ()), entry])


_ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
_MORE = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
_KEYS = ("magnesium", "conditions", "medications", "administrations")

_HOUSE = {"coding": [HOUSE], "text": "Magnesium"}

UNREADABLE: dict[str, Change] = {
    "results modified": _each("magnesium", "Observation", _sets(modifierExtension=MODIFIED)),
    "results without a subject one can read": _each(
        "magnesium", "Observation", _sets(subject={"reference": "p1"})
    ),
    "the newest result modified": _newest(_sets(modifierExtension=MODIFIED)),
    "the newest result in two states": _newest(_sets(status=["final", "amended"])),
    "the newest result with a broken unit": _newest(
        lambda r: r.update(valueQuantity={"value": 1.0, "unit": {"x": 1}})
    ),
    "the newest result of another": _newest(_sets(subject={"reference": "Patient/p2"})),
    "orders modified": _each("medications", "MedicationRequest", _sets(modifierExtension=MODIFIED)),
    "orders with a broken dosage": _each(
        "medications", "MedicationRequest", _sets(dosageInstruction=[5])
    ),
    "orders with a broken medication": _each(
        "medications", "MedicationRequest", _sets(medicationCodeableConcept=[1, 2])
    ),
    "administrations modified": _each(
        "administrations", "MedicationAdministration", _sets(modifierExtension=MODIFIED)
    ),
    "administrations with a broken time": _each(
        "administrations", "MedicationAdministration", _sets(effectivePeriod="today")
    ),
    "conditions modified": _each("conditions", "Condition", _sets(modifierExtension=MODIFIED)),
    "conditions with a broken status": _each(
        "conditions", "Condition", _sets(clinicalStatus=[[1], [2]])
    ),
    "results of a code nobody knows": _each("magnesium", "Observation", _sets(code=_HOUSE)),
    "the newest result of a code nobody knows": _newest(_sets(code=_HOUSE)),
    "the newest result in a unit nobody knows": _newest(
        lambda r: r.update(valueQuantity={"value": 1.0, "unit": "zork/L"})
    ),
    "results in a status nobody knows": _each("magnesium", "Observation", _sets(status="zork")),
    "conditions of a status nobody knows": _each(
        "conditions", "Condition", _sets(clinicalStatus={"coding": [HOUSE]})
    ),
    **ORDERS_UNREADABLE,
    **{f"{key}: an error among them": _bundle(key, _adds({"resource": _ERROR})) for key in _KEYS},
    **{f"{key}: an entry without content": _bundle(key, _adds({})) for key in _KEYS},
    **{f"{key}: Bundle.issues": _bundle(key, _sets(issues=_ERROR)) for key in _KEYS},
    **{f"{key}: more pages": _bundle(key, _sets(link=_MORE)) for key in _KEYS},
}

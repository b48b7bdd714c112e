"""Shape: FHIR R4 resources as exports of real records have them, faults and all.

Orders and doses often stand as text only, some name the drug by reference; a few results are
preliminary, corrected, haemolysed, of another unit, or below what can be measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from service.replay.example.course import DRUGS, Drug, Event, Measured, Ordered, course
from service.replay.example.people import Person

Json = dict[str, Any]
_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SNOMED, _ICD = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
_ROUTES = {"IV": "47625008", "PO": "26643006"}
# LOINC code, name, unit
_LABS = {
    "magnesium": ("19123-9", "Magnesium [Mass/volume] in Serum or Plasma", "mg/dL"),
    "potassium": ("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L"),
    "creatinine": ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL"),
    "calcium": ("17861-6", "Calcium [Mass/volume] in Serum or Plasma", "mg/dL"),
    "albumin": ("1751-7", "Albumin [Mass/volume] in Serum or Plasma", "g/dL"),
    "glucose": ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL"),
    "weight": ("29463-7", "Body weight", "kg"),
    "qtc": ("8636-3", "QTc interval", "ms"),
}
_MMOL = 24.305 / 10  # mg/dL in a mmol/L of magnesium


def medications() -> Iterator[Json]:
    """The drugs that orders refer to."""
    for name, drug in DRUGS.items():
        yield {"resourceType": "Medication", "id": f"med-{name}", "code": _code(drug)}


def resources(seed: int, person: Person) -> Iterator[Json]:
    """Everything of one person."""
    draw = Random(f"{seed}/shape/{person.number}")  # noqa: S311  # repeatable on purpose
    id_ = f"ex-{person.number}"
    here: Json = {
        "subject": {"reference": f"Patient/{id_}"},
        "encounter": {"reference": f"Encounter/{id_}-e"},
    }
    yield {
        "resourceType": "Patient",
        "id": id_,
        "name": [{"use": "official", "family": person.family, "given": [person.given]}],
        "gender": person.gender,
        "birthDate": person.birth,
    }
    yield {
        "resourceType": "Encounter",
        "id": f"{id_}-e",
        "status": "finished",
        "class": {"code": "IMP" if person.admitted else "AMB"},
        "subject": here["subject"],
        "period": {"start": _stamp(person.start), "end": _stamp(person.end)},
    }
    yield from _conditions(draw, person, id_, here)
    for n, event in enumerate(course(seed, person)):
        yield from _event(draw, event, f"{id_}-{n}", here)


def _conditions(draw: Random, person: Person, id_: str, here: Json) -> Iterator[Json]:
    for n, (snomed, icd, words) in enumerate(person.ailment.codes):
        if draw.random() < 0.15:
            continue
        system, code = (_SNOMED, snomed) if draw.random() < 0.6 else (_ICD, icd)
        written = person.start + timedelta(minutes=draw.randrange(5, 240))
        yield {
            "resourceType": "Condition",
            "id": f"{id_}-c{n}",
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": {"coding": [{"system": system, "code": code}], "text": words},
            **here,
            "recordedDate": _stamp(written) if draw.random() < 0.7 else _stamp(written)[:10],
        }


def _event(draw: Random, event: Event, id_: str, here: Json) -> Iterator[Json]:
    if isinstance(event, Measured):
        yield _result(draw, event, f"{id_}-o", here)
    else:
        yield from _order(draw, event, id_, here)


def _result(draw: Random, event: Measured, id_: str, here: Json) -> Json:
    code, words, unit = _LABS[event.lab]
    found: Json = {
        "resourceType": "Observation",
        "id": id_,
        "status": draw.choices(("final", "corrected", "preliminary"), (96, 2, 2))[0],
        "code": {"coding": [{"system": _LOINC, "code": code, "display": words}]},
        **here,
        "effectiveDateTime": _stamp(event.at),
    }
    if draw.random() < 0.95:
        found["issued"] = _stamp(event.at + timedelta(minutes=draw.randrange(25, 110)))
    odd = draw.random() if event.lab == "magnesium" else 1.0
    if odd < 0.01:
        return found | {"valueString": "hemolyzed, repeat"}
    value: Json = {"value": event.value, "unit": unit, "system": _UCUM, "code": unit}
    if odd < 0.03:
        molar = round(event.value / _MMOL, 2)
        value = {"value": molar, "unit": "mmol/L", "system": _UCUM, "code": "mmol/L"}
    elif odd < 0.04:
        value["comparator"] = "<"
    return found | {"valueQuantity": value}


def _order(draw: Random, event: Ordered, id_: str, here: Json) -> Iterator[Json]:
    drug = event.drug
    order: Json = {
        "resourceType": "MedicationRequest",
        "id": f"{id_}-r",
        "status": draw.choices(("completed", "stopped", "active", "cancelled"), (70, 15, 12, 3))[0],
        "intent": "order",
        **here,
        "authoredOn": _stamp(event.at),
        "dosageInstruction": [_dosage(draw, event)],
    }
    name = next(key for key, one in DRUGS.items() if one is drug)
    if draw.random() < 0.2:
        order["medicationReference"] = {"reference": f"Medication/med-{name}"}
    else:
        order["medicationCodeableConcept"] = _code(drug) if draw.random() < 0.7 else _text(drug)
    yield order
    for n, when in enumerate(event.given):
        if order["status"] == "cancelled" or when > event.until:
            return
        ends = when + timedelta(minutes=drug.minutes or 1)
        yield {
            "resourceType": "MedicationAdministration",
            "id": f"{id_}-a{n}",
            "status": "completed",
            "medicationCodeableConcept": _text(drug),
            "subject": here["subject"],
            "context": here["encounter"],
            "request": {"reference": f"MedicationRequest/{id_}-r"},
            "effectivePeriod": {"start": _stamp(when), "end": _stamp(ends)},
            "dosage": {"route": {"text": drug.route}, "dose": _dose(drug)},
        }


def _dosage(draw: Random, event: Ordered) -> Json:
    drug = event.drug
    line: Json = {
        "text": drug.sig,
        "route": {"coding": [{"system": _SNOMED, "code": _ROUTES[drug.route]}], "text": drug.route},
    }
    if draw.random() < 0.12:
        return line  # the sig alone
    line["doseAndRate"] = [{"doseQuantity": _dose(drug)}]
    repeat: Json = {"frequency": drug.per_day, "period": 1, "periodUnit": "d"}
    if drug.minutes:
        repeat = {"count": 1, "duration": drug.minutes, "durationUnit": "min"}
    elif "once" in drug.sig:
        repeat = {"count": 1}
    else:
        repeat["boundsPeriod"] = {"start": _stamp(event.at), "end": _stamp(event.until)}
    if "PRN" in drug.sig:
        line["asNeededBoolean"] = True
    return line | {"timing": {"repeat": repeat}}


def _dose(drug: Drug) -> Json:
    return {"value": drug.dose, "unit": drug.unit}


def _code(drug: Drug) -> Json:
    return {"coding": [{"system": _RXNORM, "code": drug.code}], **_text(drug)}


def _text(drug: Drug) -> Json:
    return {"text": drug.text}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

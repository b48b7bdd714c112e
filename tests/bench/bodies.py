"""Bodies: hook requests of a given size, each of another patient, from a seed.

The target body of the issue is ``order-select`` with 200 Observations and 30
MedicationRequests, about 118 kB, of a patient whose magnesium is severely low. All values, ids
and times differ from body to body, and each is sent with a fresh ``hookInstance``: nobody gains
from having seen the same bytes before.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

Json = dict[str, Any]
Hook = Literal["order-select", "order-sign", "patient-view"]
HOOKS: tuple[Hook, ...] = ("order-select", "order-sign", "patient-view")
_INSTANCE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Size:
    """What a body holds; ``name`` is about how large that makes it."""

    name: str
    observations: int
    medications: int


SIZES = {s.name: s for s in (Size("3kB", 2, 0), Size("118kB", 200, 30), Size("1MB", 1_780, 213))}
TARGET = SIZES["118kB"]


@dataclass(frozen=True, slots=True)
class Body:
    """A request in two halves, between which a ``hookInstance`` of 36 characters belongs."""

    head: bytes
    tail: bytes

    def __len__(self) -> int:
        return len(self.head) + 36 + len(self.tail)

    def whole(self, instance: str = _INSTANCE) -> bytes:
        return self.head + instance.encode() + self.tail


@dataclass(frozen=True, slots=True)
class _Series:
    """One laboratory test: prefetch key, code, unit, range of values and digits after the point."""

    key: str
    code: str
    display: str
    unit: str
    ucum: str
    low: float
    high: float
    digits: int


_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_SERIES = {
    s.key: s
    for s in (
        _Series("magnesium", "19123-9", "Magnesium SerPl-mCnc",
                "mg/dL", "mg/dL", 0.7, 0.95, 2),
        _Series("creatinine", "2160-0", "Creat SerPl-mCnc",
                "mg/dL", "mg/dL", 0.7, 1.1, 2),
        _Series("potassium", "2823-3", "Potassium SerPl-sCnc",
                "mmol/L", "mmol/L", 2.9, 3.6, 1),
        _Series("calcium", "17861-6", "Calcium SerPl-mCnc",
                "mg/dL", "mg/dL", 8.1, 9.4, 1),
        _Series("egfr", "98979-8", "GFR/BSA CKD-EPI 2021",
                "mL/min/1.73m2", "mL/min/{1.73_m2}", 65, 95, 0),
        _Series("albumin", "1751-7", "Albumin SerPl-mCnc",
                "g/dL", "g/dL", 3.1, 4.2, 1),
        _Series("weight", "29463-7", "Body weight", "kg", "kg", 70, 71, 1),
        _Series("qtc", "76634-5", "QTc Fridericia",
                "ms", "ms", 420, 495, 0),
        _Series("platelets", "777-3", "Platelet # Bld Auto",
                "10*3/uL", "10*3/uL", 150, 320, 0),
    )
}  # fmt: skip
# Which test the n-th Observation is of, again and again: chemistry comes daily and more often.
_ORDER = (
    "magnesium creatinine potassium calcium egfr potassium creatinine magnesium albumin weight"
    " potassium calcium creatinine qtc magnesium potassium platelets creatinine calcium egfr"
).split()
_EVERY = timedelta(hours=9)
_DRUGS = (
    ("4603", "furosemide", "Furosemide 40 mg tablet", 40, "mg"),
    ("7646", "omeprazole", "Omeprazole 20 mg capsule", 20, "mg"),
    ("6918", "metoprolol", "Metoprolol tartrate 25 mg tablet", 25, "mg"),
    ("29046", "lisinopril", "Lisinopril 10 mg tablet", 10, "mg"),
    ("83367", "atorvastatin", "Atorvastatin 40 mg tablet", 40, "mg"),
    ("1191", "aspirin", "Aspirin 81 mg tablet", 81, "mg"),
    ("6809", "metformin", "Metformin 500 mg tablet", 500, "mg"),
    ("161", "acetaminophen", "Acetaminophen 325 mg tablet", 325, "mg"),
    ("17767", "amlodipine", "Amlodipine 5 mg tablet", 5, "mg"),
    ("11289", "warfarin", "Warfarin 2 mg tablet", 2, "mg"),
)
_POTASSIUM = ("8591", "potassium chloride", "Potassium chloride 20 mEq tablet", 20, "meq")
_ORAL = {"system": "http://snomed.info/sct", "code": "26643006"}
_LAB = "http://terminology.hl7.org/CodeSystem/observation-category"
_V3 = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def patients(
    size: Size, hook: Hook, now: datetime, *, count: int = 64, seed: int = 8
) -> list[Patient]:
    """``count`` patients; the same arguments give the same, whoever asks for what of them."""
    return [Patient(f"{seed}/{size.name}/{hook}/{n}", size, now) for n in range(count)]


def pool(
    size: Size, hook: Hook, now: datetime, *, count: int = 64, seed: int = 8, server: str = ""
) -> list[Body]:
    """``count`` bodies of ``size``, of ``count`` patients; the same arguments give the same.

    ``now`` is aware: the newest result is an hour older. ``server`` becomes ``fhirServer``, and
    then the Observations and the medications are left out: they have to be fetched.
    """
    return [_body(p, hook, server) for p in patients(size, hook, now, count=count, seed=seed)]


def _body(patient: Patient, hook: Hook, server: str) -> Body:
    request: Json = {"hookInstance": _INSTANCE, "hook": hook}
    if server:
        request["fhirServer"] = server
    request["context"] = patient.context(hook)
    request["prefetch"] = patient.person() if server else patient.prefetch()
    head, _, tail = msgspec.json.encode(request).partition(_INSTANCE.encode())
    return Body(head, tail)


class Patient:
    """One made-up patient: the draft at hand, and the resources of the record by need.

    Each part is drawn by itself, so that it is the same with or without the others.
    """

    def __init__(self, key: str, size: Size, now: datetime) -> None:
        self._key, self._size, self._now = key, size, now
        numbers = self._drawn("ids")
        self.id = _name("pat", numbers)
        self.encounter = _name("enc", numbers)

    def _drawn(self, part: str) -> random.Random:
        return random.Random(f"{self._key}/{part}")

    def context(self, hook: Hook) -> Json:
        numbers = self._drawn("context")
        context: Json = {
            "userId": f"Practitioner/{_name('dr', numbers)}",
            "patientId": self.id,
            "encounterId": self.encounter,
        }
        if hook != "patient-view":
            draft = self._order(
                "draft", _POTASSIUM, "draft", self._now - timedelta(minutes=1), numbers
            )
            context["draftOrders"] = bundle("collection", [draft])
            if hook == "order-select":
                context["selections"] = [f"MedicationRequest/{draft['id']}"]
        return context

    def person(self) -> Json:
        """Who it is and where: the needs that are read singly."""
        numbers = self._drawn("person")
        born = f"{numbers.randint(1940, 1985)}-{numbers.randint(1, 12):02d}-17"
        return {
            "patient": {
                "resourceType": "Patient",
                "id": self.id,
                "gender": numbers.choice(("male", "female")),
                "birthDate": born,
            },
            "encounter": {
                "resourceType": "Encounter",
                "id": self.encounter,
                "status": "in-progress",
                "class": {"system": _V3, "code": "IMP"},
                "subject": {"reference": f"Patient/{self.id}"},
            },
        }

    def prefetch(self) -> Json:
        """Every need: what there is, and an empty Bundle for what there is not."""
        needs = {key: bundle("searchset", results) for key, results in self.labs().items()}
        empty = "conditions administrations procedures allergies laborders urine pregnancy"
        needs |= {key: bundle("searchset", []) for key in empty.split()}
        needs["medications"] = bundle("searchset", list(self.medications()))
        return self.person() | needs

    def labs(self) -> dict[str, list[Json]]:
        """Observations by need, the newest first."""
        numbers = self._drawn("labs")
        found: dict[str, list[Json]] = {key: [] for key in _SERIES}
        for number in range(self._size.observations):
            series = _SERIES[_ORDER[number % len(_ORDER)]]
            found[series.key].append(self._result(series, len(found[series.key]), numbers))
        return found

    def medications(self) -> Iterator[Json]:
        numbers = self._drawn("medications")
        for number in range(self._size.medications):
            drug = _DRUGS[number % len(_DRUGS)]
            # Two years of completed courses behind ten running ones.
            running = number < len(_DRUGS)
            began = self._now - timedelta(days=3 + 11 * number, minutes=numbers.randint(0, 600))
            yield self._order("med", drug, "active" if running else "completed", began, numbers)

    def _result(self, series: _Series, number: int, numbers: random.Random) -> Json:
        at = self._now - timedelta(hours=1) - number * _EVERY
        at -= timedelta(seconds=numbers.randint(0, 3000))
        value = round(numbers.uniform(series.low, series.high), series.digits)
        return {
            "resourceType": "Observation",
            "id": _name("obs", numbers),
            "status": "final",
            "category": [{"coding": [{"system": _LAB, "code": "laboratory"}]}],
            "code": {
                "coding": [{"system": _LOINC, "code": series.code, "display": series.display}]
            },
            "subject": {"reference": f"Patient/{self.id}"},
            "effectiveDateTime": _stamp(at),
            "valueQuantity": {
                "value": value if series.digits else int(value),
                "unit": series.unit,
                "system": _UCUM,
                "code": series.ucum,
            },
        }

    def _order(
        self,
        kind: str,
        drug: tuple[str, str, str, int, str],
        status: str,
        at: datetime,
        numbers: random.Random,
    ) -> Json:
        code, display, text, dose, unit = drug
        repeat = {"frequency": numbers.randint(1, 3), "period": 1, "periodUnit": "d"}
        quantity = {"value": dose, "unit": unit, "system": _UCUM, "code": unit}
        return {
            "resourceType": "MedicationRequest",
            "id": _name(kind, numbers),
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": {
                "coding": [{"system": _RXNORM, "code": code, "display": display}],
                "text": text,
            },
            "subject": {"reference": f"Patient/{self.id}"},
            "authoredOn": _stamp(at),
            "dosageInstruction": [
                {
                    "timing": {"repeat": repeat},
                    "route": {"coding": [_ORAL]},
                    "doseAndRate": [{"doseQuantity": quantity}],
                }
            ],
        }


def _name(kind: str, numbers: random.Random) -> str:
    return f"{kind}-{numbers.getrandbits(32):08x}"


def bundle(type_: str, resources: list[Json]) -> Json:
    """A Bundle, without ``entry`` where it is empty."""
    bundle: Json = {"resourceType": "Bundle", "type": type_}
    if type_ == "searchset":
        bundle["total"] = len(resources)
    if resources:
        bundle["entry"] = [{"resource": resource} for resource in resources]
    return bundle


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def instance() -> str:
    """A fresh hookInstance."""
    return str(uuid.uuid4())

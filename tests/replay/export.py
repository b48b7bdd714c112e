"""Export: made-up patients as FHIR Bulk Data. The same seed gives the same bytes.

A hospital's mix: stays with daily laboratories, orders of an order set at one moment, a quarter
of the medications by reference, orders that are over now, conditions that were resolved, results
that were amended, and types that no rule reads.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
# code, unit, middle, spread, digits, share of all results
LABS = (
    ("19123-9", "mg/dL", 1.75, 0.35, 1, 12),
    ("2823-3", "mmol/L", 4.0, 0.5, 1, 14),
    ("2160-0", "mg/dL", 1.1, 0.5, 2, 14),
    ("17861-6", "mg/dL", 8.9, 0.6, 1, 10),
    ("1751-7", "g/dL", 3.6, 0.5, 1, 5),
    ("98979-8", "mL/min/{1.73_m2}", 70, 25, 0, 5),
    ("777-3", "10*3/uL", 220, 70, 0, 6),
    ("29463-7", "kg", 78, 15, 1, 4),
    ("8636-3", "ms", 435, 30, 0, 2),
    ("2345-7", "mg/dL", 120, 35, 0, 14),  # glucose: no rule reads it
    ("8867-4", "/min", 82, 14, 0, 14),  # heart rate: neither
)
DRUGS = (
    ("Magnesium sulfate 2 g in water 50 mL premix", "iv", 2, "g", 1, 10),
    ("Magnesium oxide 400 mg tablet", "po", 400, "mg", 2, 8),
    ("Potassium chloride 20 mEq tablet", "po", 20, "mEq", 1, 14),
    ("Furosemide 40 MG Oral Tablet", "po", 40, "mg", 2, 12),
    ("Pantoprazole 40 MG Delayed Release Oral Tablet", "po", 40, "mg", 1, 12),
    ("Ondansetron 4 MG/2ML Injection", "iv", 4, "mg", 1, 8),
    ("Digoxin 0.125 MG Oral Tablet", "po", 0.125, "mg", 1, 3),
    ("Ciprofloxacin 500 MG Oral Tablet", "po", 500, "mg", 2, 4),
    ("Acetaminophen 325 MG Oral Tablet", "po", 650, "mg", 4, 20),
    ("Heparin 5000 UNT/ML Injection", "iv", 5000, "[iU]", 3, 9),
)
ROUTES = {"iv": ("47625008", "Intravenous route"), "po": ("26643006", "Oral route")}
CONDITIONS = ("91637004", "27885002", "38341003", "44054006", "709044004", "195967001")
TYPES = (
    "Patient Encounter Observation Medication MedicationRequest MedicationAdministration"
    " Condition Procedure AllergyIntolerance ServiceRequest Claim"
).split()


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Maker:
    """Makes patients one by one. ``results`` and ``orders`` are their middle numbers."""

    seed: int = 1
    results: int = 50
    orders: int = 8

    def medications(self) -> Iterator[Json]:
        for number, (text, *_) in enumerate(DRUGS):
            yield {"resourceType": "Medication", "id": f"m{number}", "code": {"text": text}}

    def patient(self, number: int) -> Iterator[Json]:
        """Everything of one patient: the same whatever other patients are made."""
        draw = random.Random(f"{self.seed}/{number}")
        id_ = f"p{number}"
        subject = {"reference": f"Patient/{id_}"}
        start = FIRST + timedelta(minutes=draw.randrange(300 * 24 * 60))
        days = min(0.5 + draw.expovariate(1 / 5), 40)
        end = start + timedelta(days=days)
        yield {
            "resourceType": "Patient",
            "id": id_,
            "gender": draw.choice(["male", "female"]),
            "birthDate": f"{draw.randrange(1935, 2009)}-0{draw.randrange(1, 10)}-15",
        }
        stay = f"e{number}"
        yield {
            "resourceType": "Encounter",
            "id": stay,
            "status": "finished",
            "class": {"code": draw.choices(["IMP", "AMB"], [9, 1])[0]},
            "subject": subject,
            "period": {"start": stamp(start), "end": stamp(end)},
        }
        here = {"subject": subject, "encounter": {"reference": f"Encounter/{stay}"}}
        yield from self._results(number, draw, start, days, here)
        yield from self._orders(number, draw, start, days, here)
        yield from self._others(number, draw, start, days, here)

    def _results(
        self, number: int, draw: random.Random, start: datetime, days: float, here: Json
    ) -> Iterator[Json]:
        own = {lab[0]: draw.gauss(lab[2], lab[3] * 0.7) for lab in LABS}
        for n in range(draw.randint(self.results - 10, self.results + 10)):
            code, unit, middle, spread, digits, _ = draw.choices(LABS, [x[-1] for x in LABS])[0]
            collected = start + timedelta(days=draw.random() * days)
            value = max(round(draw.gauss(own[code], spread * 0.5), digits), middle / 10)
            result = {
                "resourceType": "Observation",
                "id": f"o{number}-{n}",
                "status": draw.choices(["final", "corrected", "preliminary"], [95, 3, 2])[0],
                "code": {"coding": [{"system": LOINC, "code": code}]},
                **here,
                "effectiveDateTime": stamp(collected),
                "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
            }
            if draw.random() < 0.9:
                result["issued"] = stamp(collected + timedelta(minutes=draw.randrange(20, 180)))
            yield result

    def _orders(
        self, number: int, draw: random.Random, start: datetime, days: float, here: Json
    ) -> Iterator[Json]:
        written = start
        for n in range(draw.randint(self.orders - 4, self.orders + 4)):
            if draw.random() < 0.6:  # else of the same order set
                written = start + timedelta(days=draw.random() * days)
            drug = draw.choices(range(len(DRUGS)), [x[-1] for x in DRUGS])[0]
            text, route, dose, unit, per_day, _ = DRUGS[drug]
            repeat: Json = {"frequency": per_day, "period": 1, "periodUnit": "d"}
            line: Json = {
                "route": {"coding": [{"system": SNOMED, "code": ROUTES[route][0]}]},
                "doseAndRate": [{"doseQuantity": {"value": dose, "unit": unit}}],
            }
            if text.startswith("Magnesium sulfate"):
                repeat = {"count": 1, "duration": 120, "durationUnit": "min"}
            elif draw.random() < 0.4:
                ends = stamp(written + timedelta(days=draw.randrange(1, 6)))
                repeat["boundsPeriod"] = {"start": stamp(written), "end": ends}
            line["timing"] = {"repeat": repeat}
            if draw.random() < 0.1:
                line["asNeededBoolean"] = True
            order: Json = {
                "resourceType": "MedicationRequest",
                "id": f"r{number}-{n}",
                "status": draw.choices(
                    ["completed", "active", "stopped", "cancelled", "draft"], [60, 20, 12, 6, 2]
                )[0],
                "intent": "order",
                **here,
                "authoredOn": stamp(written),
                "dosageInstruction": [line],
            }
            if draw.random() < 0.25:
                order["medicationReference"] = {"reference": f"Medication/m{drug}"}
            else:
                order["medicationCodeableConcept"] = {"text": text}
            yield order
            if order["status"] in ("completed", "stopped") and draw.random() < 0.7:
                given = written + timedelta(minutes=draw.randrange(10, 240))
                yield {
                    "resourceType": "MedicationAdministration",
                    "id": f"a{number}-{n}",
                    "status": "completed",
                    **here,
                    "medicationCodeableConcept": {"text": text},
                    "request": {"reference": f"MedicationRequest/r{number}-{n}"},
                    "effectivePeriod": {
                        "start": stamp(given),
                        "end": stamp(given + timedelta(minutes=120)),
                    },
                    "dosage": {"dose": {"value": dose, "unit": unit}},
                }

    def _others(
        self, number: int, draw: random.Random, start: datetime, days: float, here: Json
    ) -> Iterator[Json]:
        for n in range(draw.randrange(4)):
            recorded = start + timedelta(days=draw.random() * days - 1)
            condition: Json = {
                "resourceType": "Condition",
                "id": f"c{number}-{n}",
                "code": {"coding": [{"system": SNOMED, "code": draw.choice(CONDITIONS)}]},
                "clinicalStatus": {"coding": [{"code": "active"}]},
                **here,
                "recordedDate": stamp(recorded) if draw.random() < 0.7 else stamp(recorded)[:10],
            }
            if draw.random() < 0.2:
                condition["clinicalStatus"] = {"coding": [{"code": "resolved"}]}
                condition["abatementDateTime"] = stamp(recorded + timedelta(days=1))
            yield condition
        if draw.random() < 0.1:
            yield {
                "resourceType": "Procedure",
                "id": f"d{number}",
                "status": "completed",
                "code": {"coding": [{"system": SNOMED, "code": "302497006"}]},
                **here,
                "performedPeriod": {
                    "start": stamp(start + timedelta(hours=2)),
                    "end": stamp(start + timedelta(hours=6)),
                },
            }
        if draw.random() < 0.2:
            yield {
                "resourceType": "AllergyIntolerance",
                "id": f"i{number}",
                "patient": here["subject"],
                "code": {"text": "Penicillin"},
                "recordedDate": stamp(start),
            }
        if draw.random() < 0.5:
            yield {
                "resourceType": "ServiceRequest",
                "id": f"s{number}",
                "status": "completed",
                "intent": "order",
                "code": {"coding": [{"system": LOINC, "code": "19123-9"}]},
                **here,
                "authoredOn": stamp(start),
            }
        yield {"resourceType": "Claim", "id": f"x{number}", "patient": here["subject"]}


def write(
    folder: Path,
    patients: int,
    *,
    seed: int = 1,
    results: int = 50,
    orders: int = 8,
    packed: bool = False,
) -> int:
    """Writes an export, one file a type (``packed``: gzip); the number of Observations."""
    maker = Maker(seed, results, orders)
    folder.mkdir(parents=True, exist_ok=True)
    counted = 0
    with ExitStack() as stack:
        files = {}
        for type_ in TYPES:
            path = folder / f"{type_}.ndjson{'.gz' if packed else ''}"
            files[type_] = stack.enter_context(
                gzip.open(path, "wt") if packed else path.open("w")  # noqa: SIM115  # the stack does
            )
        for medication in maker.medications():
            files["Medication"].write(json.dumps(medication) + "\n")
        for number in range(patients):
            for resource in maker.patient(number):
                counted += resource["resourceType"] == "Observation"
                files[resource["resourceType"]].write(json.dumps(resource) + "\n")
    return counted

"""Draft: an order of the workbench's small order form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from cards.codes import RXNORM, SNOMED, UCUM

Json = dict[str, Any]
ID = "what-if-order"
_ROUTES = {"po": ("26643006", "Oral route"), "iv": ("47625008", "Intravenous route")}


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug of the form: RxNorm ``code``, and the dose that the form begins with."""

    code: str
    text: str
    route: str
    dose: str
    unit: str
    minutes: str = ""
    per_day: str = ""


DRUGS: Mapping[str, Drug] = {
    "kcl": Drug("8591", "Potassium chloride 20 mEq tablet", "po", "20", "mEq", per_day="2"),
    "mgso4": Drug("6585", "Magnesium sulfate, intravenous", "iv", "2", "g", minutes="20"),
    "mgox": Drug("198741", "Magnesium oxide 400 mg tablet", "po", "400", "mg", per_day="2"),
    "furosemide": Drug("313988", "Furosemide 40 mg tablet", "po", "40", "mg", per_day="1"),
    "omeprazole": Drug("7646", "Omeprazole 20 mg capsule", "po", "20", "mg", per_day="1"),
    "digoxin": Drug("3407", "Digoxin 0.125 mg tablet", "po", "0.125", "mg", per_day="1"),
    "methadone": Drug("6813", "Methadone 10 mg tablet", "po", "10", "mg", per_day="3"),
    "ciprofloxacin": Drug("2551", "Ciprofloxacin 500 mg tablet", "po", "500", "mg", per_day="2"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form says; None where a field is empty or no number."""

    drug: Drug
    dose: Decimal | None
    minutes: Decimal | None
    per_day: Decimal | None

    @property
    def said(self) -> str:
        """``Magnesium sulfate, intravenous: 2 g over 20 min``"""
        parts = [f"{self.dose} {self.drug.unit}"] if self.dose is not None else ["no dose"]
        if self.drug.route == "iv" and self.minutes is not None:
            parts.append(f"over {self.minutes} min")
        if self.drug.route == "po" and self.per_day is not None:
            parts.append(f"{self.per_day} a day")
        return f"{self.drug.text}: {' '.join(parts)}"

    def resource(self, patient_id: str, encounter_id: str | None, now: datetime) -> Json:
        """The MedicationRequest, a draft."""
        code, display = _ROUTES[self.drug.route]
        dosage: Json = {"route": {"coding": [_coding(SNOMED, code, display)]}}
        repeat: Json = {}
        if self.drug.route == "iv":
            repeat["count"] = 1
            if self.minutes is not None:
                repeat |= {"duration": self.minutes, "durationUnit": "min"}
        elif self.per_day is not None:
            repeat = {"frequency": int(self.per_day), "period": 1, "periodUnit": "d"}
        if repeat:
            dosage["timing"] = {"repeat": repeat}
        if self.dose is not None:
            unit = self.drug.unit
            quantity = {"value": self.dose, "unit": unit, "system": UCUM, "code": unit.lower()}
            dosage["doseAndRate"] = [{"doseQuantity": quantity}]
        order: Json = {
            "resourceType": "MedicationRequest",
            "id": ID,
            "status": "draft",
            "intent": "order",
            "medicationCodeableConcept": {
                "coding": [_coding(RXNORM, self.drug.code, self.drug.text)],
                "text": self.drug.text,
            },
            "subject": {"reference": f"Patient/{patient_id}"},
            "authoredOn": now.isoformat(timespec="seconds"),
            "dosageInstruction": [dosage],
        }
        if encounter_id:
            order["encounter"] = {"reference": f"Encounter/{encounter_id}"}
        return order


def read_draft(values: Mapping[str, str]) -> Draft | None:
    """The Draft of the form's fields; None when no drug is chosen."""
    drug = DRUGS.get(values.get("order", ""))
    if drug is None:
        return None
    return Draft(
        drug,
        number(values.get("order-dose")),
        number(values.get("order-minutes")),
        number(values.get("order-perday")),
    )


def number(text: str | None) -> Decimal | None:
    """A number from a field, not negative and not absurd; None for anything else."""
    try:
        value = Decimal((text or "").strip().replace(",", "."))
    except ArithmeticError:
        return None
    return value if value.is_finite() and 0 <= value < 1_000_000 else None


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}

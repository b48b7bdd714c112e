"""The suggested MedicationRequest and ServiceRequest, as R4 JSON (contract "Cards")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from cards import codes
from cards.assessment import Offer
from cards.chart import Chart
from cards.codes import system_of
from cards.fhir.resource import reference_key
from cards.orders import DraftOrder, Orders
from cards.plan import CreateLab, Step
from cards.protocol import Product, Protocol

Json = dict[str, Any]
CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
UNIT_SYSTEM = codes.UCUM
_ROUTES = {
    "iv": ("47625008", "Intravenous route", "IV"),
    "im": ("78421000", "Intramuscular route", "IM"),
    "po": ("26643006", "Oral route", "Oral"),
}
_HYPOMAGNESAEMIA = ("190855004", "Hypomagnesemia")
_TORSADES = ("31722008", "Torsades de pointes")
_SYSTEMS = {"rxnorm": codes.RXNORM, "ndc": codes.NDC}
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")


def drug_order(step: Step, chart: Chart, orders: Orders, id_: str, *, torsades_only: bool) -> Json:
    """A MedicationRequest of one step of a regimen."""
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": "draft",
        "intent": "order",
        "category": [_category(chart)],
        "medicationCodeableConcept": _medication(step.offer.product),
        "subject": {"reference": f"Patient/{chart.patient_id}"},
        **_context(chart, orders),
        "authoredOn": fhir_time(chart.now),
        **_requester(orders),
        "reasonCode": [_reason(torsades_only)],
        **_reason_reference(chart),
        "dosageInstruction": [dosage(step)],
    }


def order_templates(protocol: Protocol, now: datetime) -> Iterator[tuple[str, Json]]:
    """(place in the file, MedicationRequest) of every option a protocol may suggest, for a
    patient that does not exist: what is checked once at start."""
    for index, regimen in enumerate(protocol.file.regimen):
        for number, option in enumerate(regimen.offer):
            product = protocol.file.product[option.product]
            offer = Offer(regimen, option, product, option.star)
            bound = 1 if product.route == "po" else None
            step = Step(offer, offer.doses(bound)[0], now)
            yield (
                f"regimen[{index}] ({regimen.id}).offer[{number}]",
                {
                    "resourceType": "MedicationRequest",
                    "id": "template",
                    "status": "draft",
                    "intent": "order",
                    "medicationCodeableConcept": _medication(product),
                    "subject": {"reference": "Patient/template"},
                    "authoredOn": fhir_time(now),
                    "dosageInstruction": [dosage(step)],
                },
            )


def _medication(product: Product) -> Json:
    return {
        "coding": [
            {
                "system": _SYSTEMS.get(coding.system, coding.system),
                "code": coding.code,
                "display": coding.display,
            }
            for coding in product.codings
        ],
        "text": product.text,
    }


def dosage(step: Step) -> Json:
    """The one dosage instruction of a step."""
    code, display, text = _ROUTES[step.offer.route]
    return {
        "text": step.text(),
        "timing": {"repeat": _repeat(step)},
        "route": {
            "coding": [{"system": codes.SNOMED, "code": code, "display": display}],
            "text": text,
        },
        "doseAndRate": [_dose_and_rate(step)],
    }


def _repeat(step: Step) -> Json:
    given = step.given
    if step.offer.route == "iv":
        return {"count": 1, "duration": given.minutes, "durationUnit": "min"}
    if step.offer.route == "im":
        return {
            "count": given.count or 1,
            "frequency": 1,
            "period": given.every_hours or 24,
            "periodUnit": "h",
        }
    repeat: Json = {
        "boundsDuration": quantity(Decimal(given.bound or 1), "d"),
        "frequency": given.per_day or 1,
        "period": 1,
        "periodUnit": "d",
    }
    if given.at_night:
        repeat["when"] = ["HS"]
    return repeat


def _dose_and_rate(step: Step) -> Json:
    dose = quantity(step.given.amount, step.given.product.dose_unit)
    if step.offer.route != "iv":
        return {"doseQuantity": dose}
    return {
        "doseQuantity": dose,
        "rateRatio": {
            "numerator": dose,
            "denominator": quantity(Decimal(step.given.minutes or 1), "min"),
        },
    }


def quantity(value: Decimal, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UNIT_SYSTEM, "code": unit}


def lab_order(lab: CreateLab, chart: Chart, orders: Orders, id_: str) -> Json:
    """A ServiceRequest for a laboratory test."""
    return {
        "resourceType": "ServiceRequest",
        "id": id_,
        "status": "draft",
        "intent": "order",
        "code": {
            "coding": [{"system": codes.LOINC, "code": lab.code, "display": lab.display}],
            "text": lab.display,
        },
        "subject": {"reference": f"Patient/{chart.patient_id}"},
        **_context(chart, orders),
        "occurrenceDateTime": fhir_time(lab.at),
        "authoredOn": fhir_time(chart.now),
        **_requester(orders),
    }


def updated_draft(draft: DraftOrder, step: Step, chart: Chart) -> Json:
    """The whole draft as received, with our dosage in place of its own; tolerated shapes made
    valid, missing status and intent filled."""
    parts = msgspec.json.decode(draft.raw, type=dict[str, msgspec.Raw])
    found: Json = dict(parts)
    for key in ("category", "reasonCode"):
        raw = bytes(parts.get(key, msgspec.Raw(b"")))
        if raw.startswith(b"{"):
            found[key] = msgspec.Raw(b"[" + raw + b"]")
        elif raw in (b"[]", b"null"):
            del found[key]
    found = {key: value for key, value in found.items() if bytes_of(value) != b"null"}
    found.setdefault("status", "draft")
    found.setdefault("intent", "order")
    found.setdefault("subject", {"reference": f"Patient/{chart.patient_id}"})
    found["dosageInstruction"] = [dosage(step)]
    return found


def bytes_of(value: object) -> bytes:
    return bytes(value) if isinstance(value, msgspec.Raw) else b""


def fhir_time(when: datetime) -> str:
    """``2026-03-14T12:00:00+00:00``, to the second."""
    return when.replace(microsecond=0).isoformat()


def _category(chart: Chart) -> Json:
    code = "community" if chart.ambulatory else "inpatient"
    return {"coding": [{"system": CATEGORY, "code": code, "display": code.capitalize()}]}


def _context(chart: Chart, orders: Orders) -> Json:
    encounter = orders.encounter_id or chart.encounter_id
    if encounter is None or not _ID.match(encounter):
        return {}
    return {"encounter": {"reference": f"Encounter/{encounter}"}}


def _requester(orders: Orders) -> Json:
    key = reference_key(orders.user_id)
    if key is None or key[0] not in ("Practitioner", "PractitionerRole") or not _ID.match(key[1]):
        return {}
    return {"requester": {"reference": f"{key[0]}/{key[1]}"}}


def _reason(torsades_only: bool) -> Json:
    code, display = _TORSADES if torsades_only else _HYPOMAGNESAEMIA
    return {
        "coding": [{"system": system_of(codes.SNOMED), "code": code, "display": display}],
        "text": display,
    }


def _reason_reference(chart: Chart) -> Json:
    result = chart.magnesium.result
    if result is None or not _ID.match(result.source.partition("/")[2]):
        return {}
    return {"reasonReference": [{"reference": result.source}]}

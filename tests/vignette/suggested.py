"""What a response offers, read from its JSON alone: shorthand, labs, deletes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .spans import instant
from .terms import CHLORIDE, GLYCINATE, LACTATE, LOINC, OXIDE, RXNORM, SULFATE

Json = dict[str, Any]
MG = 24.305
MGO = 40.304
MGCL2_6H2O = 203.30
_MINUTES = {"s": 1 / 60, "min": 1.0, "h": 60.0, "d": 1440.0}


@dataclass(frozen=True)
class Offer:
    """One suggestion that holds a drug."""

    shorthand: str
    recommended: bool
    action: str
    order: Json


def suggestions(response: Json) -> Iterator[Json]:
    """Every suggestion of every card."""
    for card in response.get("cards", []):
        yield from card.get("suggestions", [])


def actions(response: Json) -> Iterator[Json]:
    """Every action of every suggestion."""
    for suggestion in suggestions(response):
        yield from suggestion.get("actions", [])


def is_drug(action: Json) -> bool:
    """A create or update of a MedicationRequest."""
    resource = action.get("resource") or {}
    return action.get("type") in ("create", "update") and (
        resource.get("resourceType") == "MedicationRequest"
    )


def offers(response: Json) -> list[Offer]:
    """All drug suggestions, in order."""
    return [
        Offer(
            shorthand(action["resource"]),
            bool(suggestion.get("isRecommended")),
            action["type"],
            action["resource"],
        )
        for suggestion in suggestions(response)
        for action in suggestion.get("actions", [])
        if is_drug(action)
    ]


def labs(response: Json) -> set[str]:
    """LOINC codes of the suggested ServiceRequests."""
    return {
        coding.get("code", "")
        for action in actions(response)
        if action.get("type") == "create"
        and (action.get("resource") or {}).get("resourceType") == "ServiceRequest"
        for coding in action["resource"].get("code", {}).get("coding", [])
        if coding.get("system") == LOINC
    }


def lab_times(response: Json) -> set[str]:
    """``code@occurrenceDateTime`` of the labs in the recommended suggestion, in UTC."""
    found = set()
    for suggestion in suggestions(response):
        if not suggestion.get("isRecommended"):
            continue
        for action in suggestion.get("actions", []):
            resource = action.get("resource") or {}
            stated = resource.get("occurrenceDateTime")
            if resource.get("resourceType") != "ServiceRequest" or not stated:
                continue
            when = datetime.fromisoformat(stated)
            codes = resource.get("code", {}).get("coding", [])
            found |= {f"{coding.get('code')}@{instant(when)}" for coding in codes}
    return found


def deletes(response: Json) -> set[str]:
    """resourceIds of the delete actions."""
    return {str(a.get("resourceId")) for a in actions(response) if a.get("type") == "delete"}


def concept(order: Json) -> Json:
    """The drug: medicationCodeableConcept, else the contained Medication's code."""
    stated: Json = order.get("medicationCodeableConcept") or {}
    if stated:
        return stated
    reference = (order.get("medicationReference") or {}).get("reference")
    contained = {f"#{each.get('id')}": each for each in order.get("contained", [])}
    found: Json = contained.get(str(reference), {}).get("code") or {}
    return found


def salt(order: Json) -> str:
    """sulfate, oxide, chloride, lactate, glycinate; else ``unknown``."""
    coding = concept(order).get("coding", [])
    codes = {each.get("code") for each in coding if each.get("system") == RXNORM}
    groups = {
        "sulfate": SULFATE,
        "oxide": OXIDE,
        "chloride": CHLORIDE,
        "lactate": LACTATE,
        "glycinate": GLYCINATE,
    }
    return next((name for name, group in groups.items() if codes & group), "unknown")


def instruction(order: Json) -> Json:
    """The first dosage instruction."""
    found: Json = (order.get("dosageInstruction") or [{}])[0]
    return found


def repeat(order: Json) -> Json:
    """Its timing.repeat."""
    found: Json = (instruction(order).get("timing") or {}).get("repeat") or {}
    return found


def dose(order: Json) -> Json:
    """Its doseQuantity."""
    rated = (instruction(order).get("doseAndRate") or [{}])[0]
    found: Json = rated.get("doseQuantity") or {}
    return found


def route(order: Json) -> str:
    """IV, IM, PO or what is written."""
    where = instruction(order).get("route") or {}
    codes = {coding.get("code") for coding in where.get("coding", [])}
    known = {"47625008": "IV", "78421000": "IM", "26643006": "PO"}
    return next((known[code] for code in codes if code in known), str(where.get("text", "")))


def minutes(order: Json) -> float:
    """The infusion time; 0 when not stated."""
    timing = repeat(order)
    return float(timing.get("duration", 0)) * _MINUTES.get(timing.get("durationUnit", ""), 0.0)


def per_day(order: Json) -> float:
    """Doses in 24 h by frequency and period; 0 when not stated."""
    timing = repeat(order)
    days = float(timing.get("period", 0)) * _MINUTES.get(timing.get("periodUnit", ""), 0.0) / 1440
    return float(timing.get("frequency", 0)) / days if days else 0.0


def oral_mmol_per_day(order: Json) -> float:
    """Magnesium a day; products labelled in elemental milligrams count as such."""
    divisor = {"oxide": MGO, "chloride": MGCL2_6H2O}.get(salt(order), MG)
    return float(dose(order).get("value", 0)) / divisor * per_day(order)


def shorthand(order: Json) -> str:
    """``iv2/20``, ``im1``, ``po400x2``, ``alt``, ``gly200x2``; ``?…`` for anything else."""
    grams = f"{float(dose(order).get('value', 0)):g}"
    kind, where = salt(order), route(order)
    daily = f"{per_day(order):g}"
    if kind == "sulfate" and where == "IV":
        return f"iv{grams}/{minutes(order):g}"
    if kind == "sulfate" and where == "IM":
        return f"im{grams}"
    if kind == "oxide" and where == "PO":
        return f"po{grams}x{daily}"
    if kind in ("chloride", "lactate") and where == "PO":
        return "alt"
    if kind == "glycinate" and where == "PO":
        return f"gly{grams}x{daily}"
    return f"?{kind}-{where or 'no-route'}-{grams}"

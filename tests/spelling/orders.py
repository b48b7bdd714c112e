"""Orders, spelt otherwise and made unreadable: timing, dose and the name of the drug."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from tests.spelling.walk import Change, Json, drafts, of_record
from tests.vignette import NOW

_HOURS = {"h": 1, "d": 24}
_CODES = {4: "Q4H", 6: "Q6H", 8: "Q8H", 12: "BID", 24: "QD"}
_ABBREVIATIONS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
HOUSE = {"system": "urn:example:house", "code": "d-9"}


def _orders(change: Callable[[Json], None], *, drafted: bool = True, active: bool = True) -> Change:
    def changed(request: Json) -> Json:
        request = copy.deepcopy(request)
        entries = [e for key, e in of_record(request) if key == "medications"] if active else []
        for entry in [*entries, *(drafts(request) if drafted else ())]:
            if entry["resource"]["resourceType"] == "MedicationRequest":
                change(entry["resource"])
        return request

    return changed


def _instructions(order: Json) -> Iterator[Json]:
    found = order.get("dosageInstruction")
    yield from (one for one in found or () if isinstance(one, dict))


def _interval(instruction: Json) -> float | None:
    """Hours between two doses, of a plain schedule."""
    timing = instruction.get("timing")
    repeat = timing.get("repeat") if isinstance(timing, dict) and "code" not in timing else None
    if not repeat or repeat.get("count") == 1 or repeat.get("periodUnit") not in _HOURS:
        return None
    period, times = repeat.get("period"), repeat.get("frequency", 1)
    if not isinstance(period, int | float) or set(repeat) & _MORE:
        return None
    return float(period * _HOURS[repeat["periodUnit"]] / times)


_MORE = {"frequencyMax", "periodMax", "dayOfWeek", "timeOfDay", "when", "countMax"}
_PLAIN = ("frequency", "period", "periodUnit")


def _timed(say: Callable[[Json, float], None]) -> Callable[[Json], None]:
    """Takes the schedule out of ``repeat``; ``say`` puts it elsewhere."""

    def change(order: Json) -> None:
        for instruction in _instructions(order):
            hours = _interval(instruction)
            if hours is None or hours not in _CODES:
                continue
            repeat = instruction["timing"]["repeat"]
            for name in _PLAIN:
                repeat.pop(name, None)
            if not repeat:
                del instruction["timing"]["repeat"]
            say(instruction, hours)

    return change


def _as_code(instruction: Json, hours: float) -> None:
    coding = {"system": _ABBREVIATIONS, "code": _CODES[int(hours)]}
    instruction["timing"]["code"] = {"coding": [coding]}


def _as_second_code(instruction: Json, hours: float) -> None:
    coding = {"system": "urn:example:house", "code": _CODES[int(hours)]}
    instruction["timing"]["code"] = {"coding": [HOUSE, coding]}


def _as_code_text(instruction: Json, hours: float) -> None:
    instruction["timing"]["code"] = {"text": f"every {hours:g} hours"}


def _as_text(instruction: Json, hours: float) -> None:
    text = instruction.get("text")
    said = f"every {hours:g} hours"
    instruction["text"] = f"{text}, {said}" if text else said


def _as_events(instruction: Json, hours: float) -> None:
    """The doses of a day, from now on."""
    times = [NOW + timedelta(hours=hours * n) for n in range(int(24 / hours))]
    instruction["timing"]["event"] = [time.isoformat() for time in times]


def _triple(order: Json) -> None:
    """The dose as ordered, between what the pharmacy computed and what the pump gets."""
    for instruction in _instructions(order):
        parts = instruction.get("doseAndRate")
        if isinstance(parts, list) and len(parts) == 1 and "doseQuantity" in parts[0]:
            kind = "http://terminology.hl7.org/CodeSystem/dose-rate-type"
            bag, part = {"value": 1, "unit": "bag"}, parts[0]
            ordered = part | {"type": {"coding": [{"system": kind, "code": "ordered"}]}}
            computed = {"type": {"coding": [{"system": kind, "code": "calculated"}]}}
            instruction["doseAndRate"] = [
                computed | {"doseQuantity": part["doseQuantity"]},
                ordered,
                {"type": {"text": "admin-amount"}, "doseQuantity": bag},
            ]


def _by_name(order: Json) -> None:
    concept = order.get("medicationCodeableConcept")
    if isinstance(concept, dict) and concept.get("coding"):
        text = concept.get("text") or concept["coding"][0].get("display")
        if text:
            order["medicationCodeableConcept"] = {"text": text}


ORDERS_SAME: dict[str, Change] = {
    "timing as a code": _orders(_timed(_as_code)),
    "timing in the second coding": _orders(_timed(_as_second_code)),
    "timing as a code's text": _orders(_timed(_as_code_text)),
    "timing as text": _orders(_timed(_as_text)),
    "timing of drafts as events": _orders(_timed(_as_events), active=False),
    "dose as triple": _orders(_triple),
    "drugs by name alone": _orders(_by_name),
}


def _untimed(order: Json) -> None:
    for instruction in _instructions(order):
        timing = instruction.setdefault("timing", {})
        for name in (*_PLAIN, "count", *_MORE):
            timing.get("repeat", {}).pop(name, None)
        timing["code"] = {"coding": [HOUSE], "text": "as the ward list says"}


def _is_parenteral_magnesium(order: Json) -> bool:
    """What another drug or a tablet was is a hint that nobody names any more (section 0)."""
    said = json.dumps(order)
    return "magnesium sulfate" in said.lower() and '"47625008"' in said


def _named(concept: Any) -> Callable[[Json], None]:
    def change(order: Json) -> None:
        if "medicationCodeableConcept" in order and _is_parenteral_magnesium(order):
            order["medicationCodeableConcept"] = concept

    return change


def _lost(order: Json) -> None:
    if "medicationCodeableConcept" in order and _is_parenteral_magnesium(order):
        del order["medicationCodeableConcept"]
        order["medicationReference"] = {"reference": "Medication/nowhere"}


ORDERS_UNREADABLE: dict[str, Change] = {
    "orders with a timing nobody knows": _orders(_untimed, drafted=False),
    "drafts with a timing nobody knows": _orders(_untimed, active=False),
    "orders of a possible magnesium": _orders(
        _named({"coding": [HOUSE], "text": "Magn. mixture of the house"}), drafted=False
    ),
    "orders of a code alone": _orders(_named({"coding": [HOUSE]}), drafted=False),
    "orders of a reference to nowhere": _orders(_lost, drafted=False),
}

"""Orders and administrations from words.

``Magnesium Sulfate (RxNorm 6585) 2 g IV over 20 min (authored 1 h ago)`` is a name, then words in
any order; ``+`` begins a second dosage instruction. An unknown word is an error, never ignored.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from .results import coded_unit
from .spans import NOW, SPAN, instant, number, span
from .terms import CONDITIONS, DRUGS, ROUTES, RXNORM, UCUM

_NAMED = re.compile(r"^(?P<name>[^\"]+?) \(RxNorm (?P<code>\d+)\)")
_RESOURCE = re.compile(
    r"^(?P<place>contained|referenced|drafted|unresolved) Medication RxNorm (?P<code>\d+)"
    r"(?: \((?P<name>[^)]*)\))?"
)
_TEXT_ONLY = re.compile(r"^text only: (?P<text>.+?)(?= ::|$)(?: ::)?")
_QUOTED = re.compile(r"^\"(?P<text>[^\"]*)\"")
_UNIT = r"\{pill\}|\(no unit\)|[A-Za-z]+"

Order = dict[str, Any]


def medication_request(text: str, ident: str, status: str) -> Order:
    """A MedicationRequest of the patient, authored now unless the words say otherwise."""
    order: Order = {
        "resourceType": "MedicationRequest",
        "id": ident,
        "status": status,
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": instant(NOW),
    }
    rest = _medication(order, text)
    instructions = []
    for words in re.split(r" \+ ", f" {rest} "):
        instruction: dict[str, Any] = {}
        _read_words(order, instruction, words.strip())
        if instruction:
            instructions.append(instruction)
    if instructions:
        order["dosageInstruction"] = instructions
    _place_bounds(order)
    return order


def _medication(order: Order, text: str) -> str:
    """Put the drug into the order; return the words after it."""
    for pattern in (_RESOURCE, _TEXT_ONLY, _QUOTED, _NAMED):
        match = pattern.match(text)
        if not match:
            continue
        found = match.groupdict()
        if pattern is _RESOURCE:
            _reference(order, found["place"], found["code"], found["name"])
        elif "code" in found:
            order["medicationCodeableConcept"] = _concept(found["code"], found["name"])
        else:
            order["medicationCodeableConcept"] = {"text": found["text"]}
        return text[match.end() :].strip()
    for alias in sorted(DRUGS, key=len, reverse=True):
        if text == alias or text.startswith(f"{alias} "):
            order["medicationCodeableConcept"] = _concept(*DRUGS[alias])
            return text[len(alias) :].strip()
    raise ValueError(f"no drug in {text!r}")


def _reference(order: Order, place: str, code: str, name: str | None) -> None:
    """The drug as a Medication resource; ``_medication`` is taken out by the request."""
    coding = _coding(code, name)
    medication = {"resourceType": "Medication", "id": "med", "code": {"coding": [coding]}}
    if place == "contained":
        order["contained"] = [medication]
        order["medicationReference"] = {"reference": "#med"}
        return
    medication["id"] = f"med-{code}"
    order["medicationReference"] = {"reference": f"Medication/med-{code}"}
    if place == "unresolved":
        order["medicationReference"] |= {"display": name} if name else {}
    else:
        order["_medication"] = (place, medication)


def _coding(code: str, name: str | None) -> dict[str, str]:
    return {"system": RXNORM, "code": code} | ({"display": name} if name else {})


def _concept(code: str, name: str) -> dict[str, Any]:
    return {"coding": [_coding(code, name)], "text": name}


def _read_words(order: Order, instruction: dict[str, Any], words: str) -> None:
    while words:
        for pattern, apply in _WORDS:
            match = pattern.match(words)
            if match:
                apply(order, instruction, match)
                words = words[match.end() :].strip()
                break
        else:
            raise ValueError(f"unknown words of an order: {words!r}")


def _repeat(instruction: dict[str, Any]) -> dict[str, Any]:
    repeat: dict[str, Any] = instruction.setdefault("timing", {}).setdefault("repeat", {})
    return repeat


def _rated(instruction: dict[str, Any]) -> dict[str, Any]:
    rated: dict[str, Any] = instruction.setdefault("doseAndRate", [{}])[0]
    return rated


def _dose(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    unit = {} if match["unit"] == "(no unit)" else coded_unit(match["unit"])
    if match["unit"] == "{pill}":
        unit = {"system": UCUM, "code": "{pill}"}
    quantity = {"value": number(match["low"]), **unit}
    if match["high"]:
        high = {"value": number(match["high"]), **unit}
        _rated(instruction)["doseRange"] = {"low": quantity, "high": high}
    else:
        _rated(instruction)["doseQuantity"] = quantity


def _route(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    code, display = ROUTES[match[0]]
    coding = {"system": "http://snomed.info/sct", "code": code, "display": display}
    instruction["route"] = {"coding": [coding], "text": match[0]}


def _over(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _repeat(instruction).update(duration=number(match[1]), durationUnit=match[2])


def _rate(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _rated(instruction)["rateQuantity"] = {"value": number(match[1]), **coded_unit(match[2])}


def _ratio(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _rated(instruction)["rateRatio"] = {
        "numerator": {"value": number(match[1]), **coded_unit(match[2])},
        "denominator": {"value": number(match[3]), **coded_unit(match[4])},
    }


def _per_day(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _repeat(instruction).update(frequency=int(match[1]), period=1, periodUnit="d")


def _every(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _repeat(instruction).update(frequency=1, period=number(match[1]), periodUnit=match[2])


def _count(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _repeat(instruction)["count"] = int(match[1])


def _once(_order: Order, instruction: dict[str, Any], _match: re.Match[str]) -> None:
    instruction.setdefault("timing", {})["code"] = {"text": "ONCE"}


def _bounds(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    quantity = {"value": number(match[1]), "unit": match[2], "system": UCUM, "code": match[2]}
    _repeat(instruction)["boundsDuration"] = quantity


def _ends(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    length = span(match["span"])
    end = NOW - length if match["ago"] else NOW + length
    _repeat(instruction)["boundsPeriod"] = {"end": instant(end)}


def _starts(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    _repeat(instruction)["boundsPeriod"] = {"start": instant(NOW - span(match[1]))}


def _prn(_order: Order, instruction: dict[str, Any], _match: re.Match[str]) -> None:
    instruction["asNeededBoolean"] = True


def _method(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    instruction["method"] = {"text": match[1]}


def _text(_order: Order, instruction: dict[str, Any], match: re.Match[str]) -> None:
    instruction["text"] = match[1]


def _authored(order: Order, _instruction: dict[str, Any], match: re.Match[str]) -> None:
    order["authoredOn"] = instant(NOW - span(match[1]))


def _ident(order: Order, _instruction: dict[str, Any], match: re.Match[str]) -> None:
    order["id"] = match[1]


def _forbid(order: Order, _instruction: dict[str, Any], _match: re.Match[str]) -> None:
    order["doNotPerform"] = True


def _intent(order: Order, _instruction: dict[str, Any], match: re.Match[str]) -> None:
    order["intent"] = match[1]


def _reason(order: Order, _instruction: dict[str, Any], match: re.Match[str]) -> None:
    system, code = CONDITIONS[match[1]]
    order["reasonCode"] = [{"coding": [{"system": system, "code": code}]}]


def _subject(order: Order, _instruction: dict[str, Any], _match: re.Match[str]) -> None:
    order["subject"] = {"reference": "Patient/p2"}


def _strength(order: Order, _instruction: dict[str, Any], match: re.Match[str]) -> None:
    """The drug becomes a contained Medication with a coded strength and perhaps a diluent."""
    concept = order.pop("medicationCodeableConcept")
    numerator = {"value": number(match[1]), **coded_unit(match[2])}
    denominator = {"value": number(match[3] or "1"), **coded_unit("mL")}
    strength = {"numerator": numerator, "denominator": denominator}
    medication = {
        "resourceType": "Medication",
        "id": "med",
        "code": concept,
        "ingredient": [{"itemCodeableConcept": concept, "isActive": True, "strength": strength}],
    }
    order["contained"] = [medication]
    order["medicationReference"] = {"reference": "#med"}


def _skip(_order: Order, _instruction: dict[str, Any], _match: re.Match[str]) -> None:
    """Words that say what a silent order says too."""


_NUM = r"-?\d+(?:\.\d+)?"
_WORDS = [
    (re.compile(pattern), apply)
    for pattern, apply in (
        (r"no duration", _skip),
        (rf"over ({_NUM}) (min|h)", _over),
        (r"rate (\d+(?:\.\d+)?) ([A-Za-z]+(?:/[A-Za-z]+)?)", _rate),
        (rf"ratio ({_NUM}) (\w+)/({_NUM}) (\w+)", _ratio),
        (rf"strength ({_NUM}) (\w+)/(\d+(?:\.\d+)?)? ?mL", _strength),
        (r"x(\d+) daily", _per_day),
        (rf"every ({_NUM}) (h|d|min|wk)", _every),
        (r"count (\d+)", _count),
        (r"once", _once),
        (rf"bounds ({_NUM}) (d|h|wk)", _bounds),
        (rf"ends (?:in )?(?P<span>{SPAN})(?P<ago> ago)?", _ends),
        (rf"\(started ({SPAN}) ago\)", _starts),
        (rf"\(authored ({SPAN}) ago\)", _authored),
        (r"PRN", _prn),
        (r"doNotPerform", _forbid),
        (r"method \"([^\"]*)\"", _method),
        (r"text \"([^\"]*)\"", _text),
        (r"intent (\w+)", _intent),
        (r"for (\w+)", _reason),
        (r"of another patient", _subject),
        (r"\[([\w.-]+)\]", _ident),
        (r"(?:IV|IM|PO|SC)(?=\s|$)", _route),
        (rf"(?P<low>{_NUM})(?:-(?P<high>\d+(?:\.\d+)?))? (?P<unit>{_UNIT})", _dose),
    )
]


def _place_bounds(order: Order) -> None:
    """A bounds period without a start begins when the order was authored."""
    for instruction in order.get("dosageInstruction", []):
        bounds = instruction.get("timing", {}).get("repeat", {}).get("boundsPeriod")
        if bounds:
            bounds.setdefault("start", order["authoredOn"])


_GIVEN = re.compile(
    rf"^(?P<order>.+?)(?: given)?(?:, started (?P<start>{SPAN}) ago)?"
    rf"(?:, ended (?P<end>{SPAN}) ago)?(?:, (?P<status>in-progress|not-done|on-hold))?$"
)


def administration(text: str, ident: str) -> dict[str, Any]:
    """``MgSO4 4 g IV, started 5 h ago, ended 4 h ago`` as a MedicationAdministration."""
    match = _GIVEN.match(text)
    if not match:
        raise ValueError(f"not an administration: {text!r}")
    order = medication_request(match["order"], ident, "completed")
    instruction = order.get("dosageInstruction", [{}])[0]
    rated = instruction.get("doseAndRate", [{}])[0]
    dosage = {"route": instruction.get("route"), "dose": rated.get("doseQuantity")}
    resource: dict[str, Any] = {
        "resourceType": "MedicationAdministration",
        "id": ident,
        "status": match["status"] or "completed",
        "medicationCodeableConcept": order["medicationCodeableConcept"],
        "subject": order["subject"],
        "dosage": {key: value for key, value in dosage.items() if value},
    }
    return resource | _given_when(match["start"], match["end"])


def _given_when(start: str | None, end: str | None) -> dict[str, Any]:
    if start and not end:
        return {"effectivePeriod": {"start": instant(NOW - span(start))}}
    if end is None:
        raise ValueError("an administration needs a start or an end")
    stop = NOW - span(end)
    began = NOW - span(start) if start else stop - timedelta(minutes=30)
    return {"effectivePeriod": {"start": instant(began), "end": instant(stop)}}

"""Observations from words such as ``LOINC 2601-3 <0.5 mmol/L, preliminary, collected 2 h ago``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .spans import SPAN, ago, number, span, split
from .terms import LOINC, UCUM, UCUM_UNITS

STATUSES = [
    "registered",
    "preliminary",
    "final",
    "amended",
    "corrected",
    "cancelled",
    "entered-in-error",
    "unknown",
]
HEM = {"system": "http://terminology.hl7.org/CodeSystem/v2-0493", "code": "HEM"}


@dataclass(frozen=True)
class Kind:
    """A prefetch key with the LOINC code, unit and age a result has when the row is silent."""

    key: str
    loinc: str
    unit: str
    collected: str
    default: str | None = None


KINDS = {
    "Mg": Kind("magnesium", "19123-9", "mg/dL", "2 h"),
    "k": Kind("potassium", "2823-3", "mmol/L", "2 h", "4.2"),
    "ca": Kind("calcium", "17861-6", "mg/dL", "2 h", "9.2"),
    "albumin": Kind("albumin", "1751-7", "g/dL", "2 h", "4.0"),
    "creat": Kind("creatinine", "2160-0", "mg/dL", "4 h", "0.7"),
    "egfr": Kind("egfr", "98979-8", "mL/min/{1.73_m2}", "4 h", "90"),
    "weight": Kind("weight", "29463-7", "kg", "4 h", "70"),
    "qtc": Kind("qtc", "76634-5", "ms", "2 h"),
    "platelets": Kind("platelets", "777-3", "10*3/uL", "4 h"),
    "urine": Kind("urine", "2598-1", "mmol/L", "2 h"),
}

_VALUE = re.compile(
    r"^(?:LOINC (?P<loinc>[\d-]+) )?"
    r"(?:(?P<text>\"[^\"]*\")|(?P<none>no value)|(?P<nan>NaN)|"
    r"(?P<comparator><=|>=|<|>|ad)?(?P<value>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))"
    r"(?: (?P<unit>.+))?$"
)
_RANGE = re.compile(r"^(?:(>=|<=)([\d.]+)|([\d.]+)-([\d.]+))(?: (.+))?$")


def results(kind: Kind, text: str, prefix: str) -> list[dict[str, Any]]:
    """The resources of one clause: observations, and specimens they refer to."""
    found: list[dict[str, Any]] = []
    for index, item in enumerate(split(text, ";")):
        found += _result(kind, split(item, ","), f"{prefix}-{index}")
    return found


def _result(kind: Kind, parts: list[str], ident: str) -> list[dict[str, Any]]:
    match = _VALUE.match(parts[0])
    if not match:
        raise ValueError(f"not a result: {parts[0]!r}")
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": ident,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": match["loinc"] or kind.loinc}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": ago(kind.collected),
    }
    resource |= _value(kind, match)
    extra: list[dict[str, Any]] = []
    for part in parts[1:]:
        _apply(resource, part, extra)
    return [resource, *extra]


def _value(kind: Kind, match: re.Match[str]) -> dict[str, Any]:
    if match["text"]:
        return {"valueString": match["text"].strip('"')}
    if match["none"]:
        return {}
    quantity: dict[str, Any] = {"value": "NaN" if match["nan"] else number(match["value"])}
    if match["comparator"]:
        quantity["comparator"] = match["comparator"]
    unit = match["unit"] or kind.unit
    if unit != "(no unit)":
        quantity |= coded_unit(unit)
    return {"valueQuantity": quantity}


def coded_unit(unit: str) -> dict[str, str]:
    """``unit``, with system and code when the spelling is the UCUM one."""
    if unit in UCUM_UNITS:
        return {"unit": unit, "system": UCUM, "code": unit}
    return {"unit": unit}


def _apply(resource: dict[str, Any], part: str, extra: list[dict[str, Any]]) -> None:
    """One comma part of a result, on top of what stands there."""
    word, _, rest = part.partition(" ")
    if part in STATUSES:
        resource["status"] = part
    elif word in ("collected", "issued", "period"):
        _apply_time(resource, word, rest)
    elif part == "no time":
        resource.pop("effectiveDateTime")
    elif part == "no status":
        resource.pop("status")
    elif part == "no code":
        resource.pop("code")
    elif word == "reference":
        resource["referenceRange"] = [_reference(rest)]
    elif word == "code":
        resource["valueQuantity"] |= {"system": UCUM, "code": rest}
    elif word == "unit":
        resource["valueQuantity"]["unit"] = rest
    elif word == "note":
        resource["note"] = [{"text": rest.strip('"')}]
    elif part == "haemolysed":
        resource["contained"] = [_haemolysed("spec")]
        resource["specimen"] = {"reference": "#spec"}
    elif part == "haemolysed referenced":
        extra.append(_haemolysed(f"{resource['id']}-spec"))
        resource["specimen"] = {"reference": f"Specimen/{resource['id']}-spec"}
    elif part == "dataAbsentReason":
        resource["dataAbsentReason"] = {"coding": [{"code": "unknown"}]}
    elif part == "modifierExtension":
        resource["modifierExtension"] = [{"url": "http://example.org/x", "valueBoolean": True}]
    elif part == "component":
        value = {"valueQuantity": resource.pop("valueQuantity")}
        resource["component"] = [{"code": resource["code"], **value}]
    elif part == "of another patient":
        resource["subject"] = {"reference": "Patient/p2"}
    else:
        raise ValueError(f"unknown word of a result: {part!r}")


def _apply_time(resource: dict[str, Any], word: str, rest: str) -> None:
    length = re.fullmatch(rf"(?:ending )?({SPAN}) ago", rest)
    when = ago(length[1]) if length else rest.removeprefix("on ")
    if word == "issued":
        resource["issued"] = when
    elif word == "period" and length:
        resource.pop("effectiveDateTime")
        start = ago(f"{span(length[1]).total_seconds() / 3600 + 12} h")
        resource["effectivePeriod"] = {"start": start, "end": when}
    else:
        resource["effectiveDateTime"] = when


def _reference(text: str) -> dict[str, Any]:
    match = _RANGE.match(text.strip())
    if not match:
        raise ValueError(f"not a reference range: {text!r}")
    bound, one, low, high, unit = match.groups()
    units = coded_unit(unit) if unit else {}
    if bound:
        return {"low" if bound == ">=" else "high": {"value": number(one), **units}}
    return {"low": {"value": number(low), **units}, "high": {"value": number(high), **units}}


def _haemolysed(ident: str) -> dict[str, Any]:
    return {
        "resourceType": "Specimen",
        "id": ident,
        "subject": {"reference": "Patient/p1"},
        "condition": [{"coding": [HEM]}],
    }

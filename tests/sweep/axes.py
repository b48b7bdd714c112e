"""The axes of the space, and the request of one cell, from JSON fragments encoded once.

The fragments are written with the words of the vignettes (``tests/vignette/request.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from tests.vignette import build_request

# The bounds of every band with their neighbours in hundredths, and the extremes.
POINTS = (
    "0.19 0.20 0.5 0.99 1.00 1.20 1.21 1.49 1.50 1.79 1.80 2.60 2.61 3.00 3.01 4.69 4.70 8.0 10.1"
).split()
NEEDS = (
    "magnesium potassium calcium albumin creatinine egfr weight qtc conditions medications "
    "administrations encounter procedures allergies platelets urine"
).split()

# Each draft kind is the clauses of its drafts. ``none`` drafts nothing.
DRAFTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "iv right": ("MgSO4 2 g IV over 20 min",),
    "iv slow": ("MgSO4 2 g IV over 120 min",),
    "iv 1 g": ("MgSO4 1 g IV over 60 min",),
    "iv fast": ("MgSO4 2 g IV over 10 min",),
    "iv push": ('MgSO4 2 g IV text "2 g IV push"',),
    "iv no time": ("MgSO4 2 g IV",),
    "iv 6 g": ("MgSO4 6 g IV over 240 min",),
    "iv 16 g": ("MgSO4 16 g IV over 12 h",),
    "iv mEq": ("MgSO4 16 meq IV over 120 min",),
    "pill": ("MgSO4 1 {pill}",),
    "im": ("MgSO4 1 g IM every 6 h count 4",),
    "oral first": ("MgO500 500 mg PO x1 daily",),
    "oral second": ("MgO400 400 mg PO x2 daily",),
    "oral 2400": ("MgO400 800 mg PO x3 daily",),
    "laxative": ("MilkOfMagnesia 311 mg PO x2 daily",),
    "unreadable": ("MgSO4 4 mL IV",),
    "unresolved": ("unresolved Medication RxNorm 6585",),
    "potassium": ("kcl 20 meq PO",),
    "furosemide": ("furosemide 40 mg PO x1 daily",),
    "ppi": ("omeprazole 20 mg PO x1 daily",),
    "sotalol": ("sotalol 80 mg PO x2 daily",),
    "digoxin": ("digoxin 0.125 mg PO x1 daily",),
    "cisplatin": ("cisplatin 100 mg IV",),
    "rocuronium": ("rocuronium 50 mg IV",),
    "calcium": ("ca-gluconate 2 g IV over 60 min",),
    "ciprofloxacin": ("ciprofloxacin 500 mg PO x2 daily",),
    "amoxicillin": ("amoxicillin 500 mg PO x3 daily",),
    "potassium and iv": ("kcl 20 meq PO", "MgSO4 2 g IV over 20 min"),
    "potassium and furosemide": ("kcl 20 meq PO", "furosemide 40 mg PO x1 daily"),
    "iv twice": ("MgSO4 2 g IV over 20 min", "MgSO4 2 g IV over 120 min"),
    "oral and ciprofloxacin": ("MgO400 400 mg PO x2 daily", "ciprofloxacin 500 mg PO x2 daily"),
}
# Drafts of which none is a magnesium replacement: only for these is "worse, never milder" asked.
OTHER_DRAFTS = frozenset(
    "potassium furosemide ppi sotalol digoxin cisplatin calcium amoxicillin".split()
) | {"potassium and furosemide"}

AXES: dict[str, tuple[str, ...]] = {
    "hook": ("patient-view", "order-select", "order-sign"),
    "mg": (*POINTS, "none"),
    "unit": ("mg/dL", "mmol/L"),
    "renal": ("R0", "R1", "R2", "R3", "R4", "RU", "injury"),
    "urgent": (
        "none", "torsades", "seizure", "vt", "tetany", "qtc 510", "digoxin", "qtc 485", "arrest",
    ),
    "enteral": ("works", "ileus", "short bowel", "oral first", "oral full"),
    "setting": ("inpatient", "ambulatory", "unknown"),
    "person": ("adult", "child", "no birth date", "pregnant"),
    "heart": ("none", "block", "paced block", "mi", "myasthenia"),
    "weight": ("70", "45", "39", "unknown"),
    "running": ("none", "iv", "since", "prn", "do not perform", "before", "week"),
    # ``text``: "1.2" where a number belongs; ``elsewhere``: it came with the calcium, and the
    # magnesium query itself was not answered.
    "quality": (
        "final", "stale", "preliminary", "haemolysed", "unit conflict", "text", "elsewhere",
    ),
    "potassium": ("4.2", "3.4", "2.9"),
    "missing": (
        "nothing", *NEEDS, "patient", "medications administrations", "creatinine egfr",
        " ".join(NEEDS),
    ),
    "draft": tuple(DRAFTS),
}  # fmt: skip


class Cell(NamedTuple):
    """One point of the space. ``missing`` are the needs not obtained, blanks between them."""

    hook: str = "patient-view"
    mg: str = "1.21"
    unit: str = "mg/dL"
    renal: str = "R0"
    urgent: str = "none"
    enteral: str = "works"
    setting: str = "inpatient"
    person: str = "adult"
    heart: str = "none"
    weight: str = "70"
    running: str = "none"
    quality: str = "final"
    potassium: str = "4.2"
    missing: str = "nothing"
    draft: str = "none"

    def lacks(self, need: str) -> bool:
        """Whether a need was not obtained."""
        return self.missing != "nothing" and need in self.missing.split()

    def words(self) -> str:
        """The axes that differ from the default cell."""
        changed = [f"{k}={v}" for k, v in self._asdict().items() if v != _DEFAULT[k]]
        return ", ".join(changed) or "default"


_DEFAULT = Cell()._asdict()
_RENAL = {
    "R0": ("creat 0.7", "egfr 90"),
    "R1": ("creat 1.5", "egfr 45"),
    "R2": ("creat 2.6", "egfr 25"),
    "R3": ("creat 4.5", "egfr 14"),
    "R4": ("creat 6", "egfr 9"),
    "RU": ("creat None", "egfr None"),
    "injury": ("creat 1.6; 1.0, collected 28 h ago", "egfr 62"),
}
_CONDITIONS = {
    "torsades": "torsades",
    "seizure": "seizure",
    "vt": "vt",
    "tetany": "tetany",
    "arrest": "arrest",
    "ileus": "ileus",
    "short bowel": "short_bowel",
    "block": "chb",
    "paced block": "chb, pacemaker",
    "mi": "acs",
    "myasthenia": "mg_gravis",
    "pregnant": "pregnancy",
    "R4": "dialysis",
}
_MEDICATIONS = {
    "digoxin": "digoxin 0.125 mg PO x1 daily (authored 5 d ago)",
    "oral first": "MgO500 500 mg PO x1 daily (authored 5 d ago)",
    "oral full": "MgO400 400 mg PO x2 daily (authored 5 d ago)",
    "iv": "MgSO4 1 g IV over 60 min every 6 h (authored 1 h ago)",
    "prn": "MgSO4 2 g IV over 120 min PRN (authored 1 d ago)",
    "do not perform": "MgSO4 doNotPerform (authored 1 d ago)",
}
_GIVEN = {
    "since": "MgSO4 2 g IV, started 90 min ago, ended 60 min ago",
    "before": "MgSO4 2 g IV, started 11 h ago, ended 9 h ago",
    "week": "MgSO4 2 g IV, started 75 h ago, ended 73 h ago",
}
_QTC = {"qtc 510": "qtc 510", "qtc 485": "qtc 485"}


def _entries(key: str, clause: str, prefix: str) -> tuple[bytes, ...]:
    """The Bundle entries a clause puts under a prefetch key, encoded, with ids of their own."""
    bundle = build_request("patient-view", clause)["prefetch"][key]
    found = []
    for number, entry in enumerate(bundle.get("entry", [])):
        resource = entry["resource"] | {"id": f"{prefix.replace(' ', '-')}-{number}"}
        found.append(json.dumps({"resource": resource}, separators=(",", ":")).encode())
    return tuple(found)


def _bundle(entries: Iterable[bytes]) -> bytes:
    inside = b",".join(entries)
    entry = b',"entry":[' + inside + b"]" if inside else b""
    return b'{"resourceType":"Bundle","type":"searchset"' + entry + b"}"


@cache
def _fragment(table: str, name: str) -> tuple[bytes, ...]:
    """Entries by table and axis value; nothing when the value stands for nothing there."""
    key, words = {
        "conditions": ("conditions", _CONDITIONS),
        "medications": ("medications", _MEDICATIONS),
        "administrations": ("administrations", _GIVEN),
        "qtc": ("qtc", _QTC),
    }[table]
    if name not in words:
        return ()
    clause = {"conditions": "condition: ", "medications": "active: ", "administrations": "given: "}
    return _entries(key, clause.get(table, "") + words[name], f"{table}-{name}")


def _magnesium(mg: str, unit: str, quality: str) -> tuple[bytes, ...]:
    if mg == "none":
        return ()
    value = f"{mg} mg/dL"
    if unit == "mmol/L":
        value = f"LOINC 2601-3 {float(mg) / 2.4305:.5f} mmol/L"
    parts = {
        "stale": "collected 8 d ago",
        "preliminary": "preliminary",
        "haemolysed": "haemolysed",
        # A range whose middle lies outside every laboratory's, in the unit of the result.
        "unit conflict": "reference 0.7-1.0" if unit == "mg/dL" else "reference 1.6-2.6",
    }
    words = f"{value}, {parts[quality]}" if quality in parts else value
    clause = words if unit == "mmol/L" else f"Mg {words}"
    found = _entries("magnesium", clause, "magnesium")
    if quality == "text":
        found = tuple(re.sub(rb'"value":([\d.]+)', rb'"value":"\1"', entry) for entry in found)
    return found


@cache
def _answer(key: str, *values: str) -> bytes:
    """``"key":value`` of one need, from the axis values it hangs on."""
    return f'"{key}":'.encode() + _value(key, values)


def _value(key: str, values: tuple[str, ...]) -> bytes:
    if key == "patient":
        return _patient(values[0])
    if key == "encounter":
        clause = "ambulatory" if values[0] == "ambulatory" else "encounter IMP"
        encounter = build_request("patient-view", clause)["prefetch"]["encounter"]
        return json.dumps(encounter, separators=(",", ":")).encode()
    if key == "magnesium":
        return _bundle(_magnesium(*values))
    if key == "calcium" and values:
        return _bundle((*_entries(key, "", key), *_magnesium(*values, "final")))
    if key == "potassium":
        return _bundle(_entries(key, f"k {values[0]}", key))
    if key in ("creatinine", "egfr"):
        return _bundle(_entries(key, _RENAL[values[0]][key == "egfr"], key))
    if key == "weight":
        clause = "weight None" if values[0] == "unknown" else f"weight {values[0]}"
        return _bundle(_entries(key, clause, key))
    if key in ("qtc", "conditions", "medications", "administrations"):
        return _bundle(entry for value in values for entry in _fragment(key, value))
    return _bundle(_entries(key, "", key))


def _patient(person: str) -> bytes:
    clause = {"child": "age 10", "no birth date": "birthDate None", "pregnant": "sex female"}
    patient = build_request("patient-view", clause.get(person, ""))["prefetch"]["patient"]
    if person == "pregnant":
        patient["birthDate"] = "1994-01-15"
    return json.dumps(patient, separators=(",", ":")).encode()


def _prefetch(cell: Cell) -> list[bytes]:
    asked = [
        ("patient", cell.person),
        ("magnesium", cell.mg, cell.unit, cell.quality),
        ("potassium", cell.potassium),
        ("calcium", *((cell.mg, cell.unit) if cell.quality == "elsewhere" else ())),
        ("albumin",),
        ("creatinine", cell.renal),
        ("egfr", cell.renal),
        ("weight", cell.weight),
        ("qtc", cell.urgent),
        ("conditions", cell.urgent, cell.enteral, cell.person, cell.heart, cell.renal),
        ("medications", cell.urgent, cell.enteral, cell.running),
        ("administrations", cell.running),
        ("encounter", cell.setting),
        ("procedures",),
        ("allergies",),
        ("platelets",),
        ("urine",),
    ]
    missing = cell.missing.split()
    if cell.quality == "elsewhere":
        missing.append("magnesium")
    if cell.setting == "unknown":
        missing.append("encounter")
    return [_answer(*each) for each in asked if each[0] not in missing]


@cache
def drafted(draft: str) -> tuple[bytes, ...]:
    """The drafted orders of a draft kind, encoded."""
    if not DRAFTS[draft]:
        return ()
    clauses = " | ".join(f"draft: {words}" for words in DRAFTS[draft])
    entries = build_request("order-sign", clauses)["context"]["draftOrders"]["entry"]
    return tuple(json.dumps(e["resource"], separators=(",", ":")).encode() for e in entries)


@lru_cache(maxsize=1024)
def _selections(orders: tuple[bytes, ...]) -> bytes:
    every = [json.loads(order) for order in orders]
    return json.dumps([f"{each['resourceType']}/{each['id']}" for each in every]).encode()


def request(
    cell: Cell, drafts: tuple[bytes, ...] | None = None, *, backwards: bool = False
) -> bytes:
    """The request of a cell; ``drafts`` in place of its own; ``backwards`` in another order."""
    context = b'"userId":"Practitioner/pr1","patientId":"p1"'
    if cell.setting != "unknown":
        context += b',"encounterId":"e1"'
    if cell.hook != "patient-view":
        orders = drafted(cell.draft) if drafts is None else drafts
        entries = b",".join(b'{"resource":' + order + b"}" for order in orders)
        context += b',"draftOrders":{"resourceType":"Bundle","type":"collection","entry":['
        context += entries + b"]}"
        if cell.hook == "order-select":
            context += b',"selections":' + _selections(orders)
    prefetch = _prefetch(cell)
    if backwards:
        prefetch.reverse()
    return (
        b'{"hook":"' + cell.hook.encode() + b'",'
        b'"hookInstance":"11111111-2222-4333-8444-555555555555",'
        b'"context":{' + context + b'},"prefetch":{' + b",".join(prefetch) + b"}}"
    )

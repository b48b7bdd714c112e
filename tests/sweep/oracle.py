"""What may be offered at most to the patient of a cell, recomputed from its axes alone.

Written from ``protocol.md`` and ``rulings.md``, not from the code: the hard stops of section 5,
what was not obtained (section 0), the renal class of section 4 by formulas of its own, and the
24 h cap of section 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .axes import Cell

_CREATININE = {"R0": 0.7, "R1": 1.5, "R2": 2.6, "R3": 4.5, "R4": 6.0, "injury": 1.6}
_EGFR = {"R0": 90.0, "R1": 45.0, "R2": 25.0, "R3": 14.0, "R4": 9.0, "injury": 62.0}
_AGE = {"adult": 60, "child": 10, "pregnant": 32}
_CAP = {"R0": 8.0, "R1": 4.0, "R2": 2.0, "R3": 0.0, "R4": 0.0, "RU": 0.0}
_PER_KG = 0.1232  # g/kg: 1 mEq/kg
_HAIR = 1e-6


@cache
def renal_class(cell: Cell) -> str:
    """R0 to R4, RU: the lowest of reported eGFR, CKD-EPI 2021 and Cockcroft-Gault."""
    if cell.renal == "R4" and not cell.lacks("conditions"):
        return "R4"
    estimates = []
    creatinine = None if cell.lacks("creatinine") else _CREATININE.get(cell.renal)
    if cell.renal in _EGFR and not cell.lacks("egfr"):
        estimates.append(_EGFR[cell.renal])
    age, female = _AGE.get(cell.person), cell.person == "pregnant"
    if creatinine is not None and age is not None:
        kappa, alpha, factor = (0.7, -0.241, 1.012) if female else (0.9, -0.302, 1.0)
        ratio = creatinine / kappa
        estimates.append(
            142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor
        )
        if cell.weight != "unknown" and not cell.lacks("weight"):
            gault = (140 - age) * float(cell.weight) / (72 * creatinine)
            estimates.append(gault * (0.85 if female else 1))
    if not estimates:
        return "RU"
    gfr = min(estimates)
    found = "R0" if gfr >= 60 else "R1" if gfr >= 30 else "R2" if gfr >= 20 else "R3"
    # Creatinine 1.0 to 1.6 in a day: acute kidney injury, at least R2.
    return "R2" if creatinine == 1.6 and found in ("R0", "R1") else found


@dataclass(frozen=True, slots=True)
class Facts:
    """``stop`` and ``no_parenteral`` say why no drug, no injection may be offered; None: none.

    ``no_star`` says why no injection may be recommended, though it may be offered.
    ``cap`` is the 24 h limit of parenteral sulfate in grams less what was given; ``life`` lifts
    it for one emergency dose. ``low`` is a usable value below 1.80.
    """

    value: float | None
    usable: bool
    low: bool
    life: bool
    renal: str
    stop: str | None
    no_parenteral: str | None
    no_star: str | None
    no_oral: str | None
    maintenance: bool
    cap: float


def facts(cell: Cell) -> Facts:
    """The Facts of a cell."""
    lacks = cell.lacks
    read = not lacks("conditions")
    event = cell.urgent if read else "none"
    elsewhere = cell.quality == "elsewhere"
    unread = cell.mg == "none" or cell.quality == "text"
    unread = unread or lacks("calcium" if elsewhere else "magnesium")
    value = None if unread else float(cell.mg)
    usable = value is not None and value >= 0.20 and cell.quality == "final"
    low = usable and value is not None and value < 1.80
    life = (event == "torsades" and usable and value is not None and value <= 2.60) or (
        event in ("seizure", "vt") and low
    )
    symptoms = low and (event == "tetany" or (cell.urgent == "qtc 510" and not lacks("qtc")))
    urgent = (
        (low and value is not None and value <= 1.20)
        or symptoms
        or event == "torsades"
        # At a normal level neither a tachycardia nor a seizure is one of the level (ruling 120).
        or (event in ("vt", "seizure") and (low or not usable))
    )
    ambulatory = cell.setting == "ambulatory" and not lacks("encounter")
    renal = renal_class(cell)
    # An order as needed is no treatment of these (ruling 111).
    pressing = (low and value is not None and value <= 1.20) or symptoms or life
    running = cell.running if not lacks("medications") else "none"
    given = cell.running if not lacks("administrations") else "none"
    enteral = cell.enteral if read else "works"
    oral_active = cell.enteral if not lacks("medications") else "works"
    stops = (
        # A draft that is wrong is put right even then (ruling 113).
        ("cardiac arrest", event == "arrest" and cell.hook == "patient-view"),
        ("H1", cell.person in ("child", "no birth date")),
        ("H2", renal in ("R3", "R4") or (renal == "RU" and not life)),
        ("H3", value is not None and value > 2.60),
        ("H6", read and cell.heart == "myasthenia"),
        ("H7", read and cell.person == "pregnant" and not life),
        ("H9", running == "iv" or given == "since"),
        ("do not perform", running == "do not perform"),
        ("H10", not usable),
        ("H11", ambulatory and urgent),
        ("not obtained", lacks("medications") and lacks("administrations")),
    )
    no_parenteral = (
        ("H4", read and cell.heart == "block"),
        ("H5", read and cell.heart == "mi"),
        ("H8", cell.weight == "39" and not lacks("weight")),
        ("PRN", running == "prn" and not pressing),
        ("ambulatory", ambulatory),
        ("conditions not obtained", not read),
        ("medications not obtained", lacks("medications")),
    )
    no_oral = (
        ("enteral route out", enteral == "ileus"),
        ("full oral dose active", oral_active == "oral full"),
        ("R2, mild", renal == "R2" and value is not None and not value < 1.50),
        ("R2, oral active", renal == "R2" and oral_active in ("oral first", "oral full")),
        ("life", life),
        ("severe", low and value is not None and value <= 1.20),
        ("symptoms", symptoms),
    )
    known = cell.weight != "unknown" and not lacks("weight")
    cap = _CAP[renal]
    if known and renal in ("R0", "R1"):
        cap = min(cap, _PER_KG * float(cell.weight))
    if not known:
        cap = min(cap, 2.0)
    if given == "before":
        cap -= 2.0
    return Facts(
        value=value,
        usable=usable,
        low=low,
        life=life,
        renal=renal,
        stop=_first(stops),
        no_parenteral=_first(no_parenteral),
        no_star="a PRN order" if running == "prn" and not life else None,
        no_oral=_first(no_oral),
        maintenance=ambulatory and given in ("before", "week") and usable and not low,
        cap=cap + _HAIR,
    )


def _first(named: tuple[tuple[str, bool], ...]) -> str | None:
    return next((name for name, holds in named if holds), None)

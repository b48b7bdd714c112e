"""Course: what is measured, ordered and given during one stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from service.replay.example.people import Person


@dataclass(frozen=True, slots=True)
class Drug:
    """``code`` is the RxNorm ingredient; ``text`` as the pharmacy labels it; ``sig`` as written."""

    code: str
    text: str
    route: str
    dose: float
    unit: str
    per_day: int
    sig: str
    minutes: int = 0


DRUGS = {
    "acetaminophen": Drug("161", "ACETAMINOPHEN 325 MG TABLET", "PO", 650, "mg", 4, "650 mg PO Q6H PRN"),
    "furosemide": Drug("4603", "FUROSEMIDE 40 MG TABLET", "PO", 40, "mg", 2, "40 mg PO BID"),
    "digoxin": Drug("3407", "DIGOXIN 125 MCG TABLET", "PO", 0.125, "mg", 1, "0.125 mg PO daily"),
    "pantoprazole": Drug("40790", "PANTOPRAZOLE 40 MG TABLET,DELAYED RELEASE", "PO", 40, "mg", 1, "40 mg PO daily"),
    "omeprazole": Drug("7646", "OMEPRAZOLE 20 MG CAPSULE,DELAYED RELEASE", "PO", 20, "mg", 1, "20 mg PO daily"),
    "ondansetron": Drug("26225", "ONDANSETRON HCL 4 MG/2 ML INJECTION", "IV", 4, "mg", 3, "4 mg IV Q8H PRN"),
    "thiamine": Drug("10454", "THIAMINE 100 MG TABLET", "PO", 100, "mg", 1, "100 mg PO daily"),
    "cisplatin": Drug("2555", "CISPLATIN 1 MG/ML INTRAVENOUS SOLUTION", "IV", 75, "mg", 1, "75 mg IV once", 120),
    "ciprofloxacin": Drug("2551", "CIPROFLOXACIN 500 MG TABLET", "PO", 500, "mg", 2, "500 mg PO BID"),
    "amiodarone": Drug("703", "AMIODARONE 200 MG TABLET", "PO", 200, "mg", 1, "200 mg PO daily"),
    "haloperidol": Drug("5093", "HALOPERIDOL LACTATE 5 MG/ML INJECTION", "IV", 2, "mg", 1, "2 mg IV once"),
    "potassium": Drug("8591", "POTASSIUM CHLORIDE ER 20 MEQ TABLET", "PO", 20, "mEq", 2, "20 mEq PO BID"),
    "sulfate-2": Drug("6585", "MAGNESIUM SULFATE 2 GRAM/50 ML IN WATER PREMIX", "IV", 2, "g", 1, "2 g IV once over 2 hours", 120),
    "sulfate-fast": Drug("6585", "MAGNESIUM SULFATE 2 GRAM/50 ML IN WATER PREMIX", "IV", 2, "g", 1, "2 g IV once over 10 min", 10),
    "sulfate-4": Drug("6585", "MAGNESIUM SULFATE 4 GRAM/100 ML IN WATER PREMIX", "IV", 4, "g", 1, "4 g IV once over 4 hours", 240),
    "oxide": Drug("6582", "MAGNESIUM OXIDE 400 MG TABLET", "PO", 400, "mg", 2, "400 mg PO BID"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    lab: str
    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Ordered:
    """``until`` is when it was stopped or had run; ``given`` when a dose was charted."""

    drug: Drug
    at: datetime
    until: datetime
    given: tuple[datetime, ...]


Event = Measured | Ordered
_MAGNESIUM_OF = {"sulfate-2": 0.25, "sulfate-fast": 0.25, "sulfate-4": 0.45, "oxide": 0.1}


def course(seed: int, person: Person) -> Iterator[Event]:
    """Everything that happens to a person, in no order."""
    draw = Random(f"{seed}/course/{person.number}")  # noqa: S311  # repeatable on purpose
    ailment = person.ailment
    for name in ailment.drugs:
        if draw.random() < 0.8:
            yield _order(
                draw, name, person.start + timedelta(minutes=draw.randrange(20, 180)), person
            )
    yield Measured("weight", person.weight, person.start + timedelta(minutes=15))
    if ailment.name == "heart" or draw.random() < 0.2:
        yield Measured("qtc", round(draw.gauss(445, 32)), person.start + timedelta(minutes=40))
    magnesium = draw.gauss(ailment.magnesium, 0.25)
    creatinine = max(0.4, draw.gauss(ailment.creatinine, ailment.creatinine * 0.2))
    potassium = draw.gauss(3.9 if ailment.losing > 0.03 else 4.3, 0.4)
    drawn = person.start + timedelta(minutes=draw.randrange(30, 90))
    first = True
    while drawn < person.end:
        if first or draw.random() < 0.85:
            yield Measured("potassium", round(max(2.2, potassium), 1), drawn)
            yield Measured("creatinine", round(creatinine, 2), drawn)
            yield Measured("glucose", round(draw.gauss(130, 35)), drawn)
            yield Measured("calcium", round(draw.gauss(9.0, 0.5), 1), drawn)
        if first:
            yield Measured("albumin", round(draw.gauss(3.7, 0.5), 1), drawn)
        replaced = ""
        if first or draw.random() < 0.7:
            shown = round(max(0.6, magnesium), 1)
            yield Measured("magnesium", shown, drawn)
            replaced = _answer(draw, shown, person)
        known = drawn + timedelta(minutes=draw.randrange(60, 300))
        if replaced:
            yield _order(draw, replaced, known, person)
            magnesium += _MAGNESIUM_OF[replaced]
        if potassium < 3.5:
            yield _order(draw, "potassium", known, person)
            potassium += 0.3
        if draw.random() < 0.06:
            extra = draw.choice(("ciprofloxacin", "amiodarone", "haloperidol", "ondansetron"))
            yield _order(draw, extra, known + timedelta(hours=2), person)
        magnesium -= ailment.losing + draw.gauss(0, 0.06)
        potassium += draw.gauss(-0.02, 0.15)
        creatinine = max(0.4, creatinine + draw.gauss(0, 0.05 * ailment.creatinine))
        first = False
        morning = (drawn + timedelta(days=1)).replace(hour=5, minute=draw.randrange(60))
        drawn = morning + timedelta(minutes=draw.randrange(40))


def _answer(draw: Random, level: float, person: Person) -> str:
    """What the ward orders after a level: mostly something, sometimes too fast or not at all."""
    if level >= 1.8:
        return ""
    chance, easy = draw.random(), person.admitted and level < 1.5
    if person.ailment.name == "kidney" and chance < 0.6:
        return ""
    if easy:
        return "sulfate-2" if chance < 0.5 else "sulfate-4" if chance < 0.7 else (
            "sulfate-fast" if chance < 0.74 else "oxide" if chance < 0.82 else ""
        )  # fmt: skip
    return "oxide" if chance < 0.35 else "sulfate-2" if chance < 0.5 and person.admitted else ""


def _order(draw: Random, name: str, at: datetime, person: Person) -> Ordered:
    drug = DRUGS[name]
    once = drug.minutes or "once" in drug.sig
    end = at + timedelta(hours=6) if once else max(person.end, at + timedelta(hours=1))
    if not once and draw.random() < 0.25:
        end = min(end, at + timedelta(days=draw.randrange(1, 4)))
    first = at + timedelta(minutes=draw.randrange(20, 150))
    given: tuple[datetime, ...] = (first,) if draw.random() < 0.85 else ()
    if given and not once and end - first > timedelta(days=1):
        given = (first, first + timedelta(days=1))
    return Ordered(drug, at, end, given)

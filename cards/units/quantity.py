"""Quantity: a number with a unit, and the few conversions we are sure of.

Salt mass and elemental mass are different types on purpose: "480 mg elemental" for 480 mg of
magnesium oxide is the error that started this file. Arithmetic: protocol.md "Arithmetic"
(Mg 24.305 g/mol, valence 2; sulfate heptahydrate 246.47 g/mol; oxide 40.304 g/mol).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

import msgspec
from msgspec import Struct

from cards.codes import UCUM, system_of
from cards.fhir.resource import RawQuantity

MG_MOLAR = Decimal("24.305")
SULFATE_MOLAR = Decimal("246.47")
OXIDE_MOLAR = Decimal("40.304")
MG_DL_PER_MMOL_L = Decimal("2.4305")
MG_DL_PER_MEQ_L = Decimal("1.21525")
# The factors an order's milliequivalents and millimoles are read with (protocol section 7).
SULFATE_MEQ_PER_G = Decimal("8.11")
SULFATE_MMOL_PER_G = Decimal("4.06")


class Quantity(Struct, frozen=True, gc=False):
    """A finite Decimal with a unit; ``comparator`` is kept, never nudged into the number."""

    value: Decimal
    unit: str
    comparator: str | None = None

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError("a Quantity is finite")

    def __str__(self) -> str:
        return f"{self.comparator or ''}{places(self.value, 3)} {self.unit}".strip()


class ElementalMass(Struct, frozen=True, gc=False):
    """Milligrams of magnesium itself."""

    mg: Decimal


class SaltMass(Struct, frozen=True, gc=False):
    """Milligrams of a magnesium salt: ``sulfate`` (heptahydrate) or ``oxide``."""

    mg: Decimal
    salt: str

    def __post_init__(self) -> None:
        if self.salt not in _MOLAR:
            raise ValueError(f"the magnesium content of {self.salt!r} is not known")

    @property
    def mmol(self) -> Decimal:
        return self.mg / _MOLAR[self.salt]

    @property
    def meq(self) -> Decimal:
        return self.mmol * 2

    @property
    def elemental(self) -> ElementalMass:
        return ElementalMass(self.mmol * MG_MOLAR)


_MOLAR = {"sulfate": SULFATE_MOLAR, "oxide": OXIDE_MOLAR}


def read_number(raw: msgspec.Raw) -> Decimal | None:
    """The Decimal of a raw JSON number, with its own text (1.20 stays 1.20).

    None for nothing, a string (also "1.2" and "NaN"), another type or an absurd exponent.
    """
    text = bytes(raw)
    if not text or text[:1] not in b"-0123456789":
        return None
    try:
        number = Decimal(text.decode())
    except InvalidOperation:  # an exponent beyond what Decimal holds
        return None
    if number and not -12 <= number.adjusted() <= 12:
        return None
    return number


def has_value(raw: msgspec.Raw) -> bool:
    """Whether the element was there at all, readable or not (``null`` is not there)."""
    return bytes(raw) not in (b"", b"null")


def quantise(value: Decimal, step: Decimal) -> Decimal:
    """Half-up to the step; a step of 0 compares as reported."""
    return value if step == 0 else value.quantize(step, rounding=ROUND_HALF_UP)


def plain(value: Decimal) -> str:
    """The number as people write it: no exponent, no trailing zeros after a point."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def stated(value: Decimal) -> str:
    """The number as it was stated, its zeros kept, with three decimals at most."""
    exponent = value.as_tuple().exponent
    long = isinstance(exponent, int) and exponent < -3
    return places(value, 3) if long else f"{value:f}"


def places(value: Decimal, digits: int) -> str:
    """Half-up to so many places, without trailing zeros."""
    return plain(value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP))


def figures(value: Decimal, most: int = 3) -> str:
    """Half-up to so many significant figures; a whole number stays whole (ruling 130)."""
    if value == 0:
        return "0"
    return places(value, max(most - 1 - value.adjusted(), 0))


_MAGNESIUM = {
    "mg/dl": "mg/dL", "mg/100ml": "mg/dL", "mg/100 ml": "mg/dL", "mg%": "mg/dL",
    "mmol/l": "mmol/L", "mmoles/l": "mmol/L", "mm": "mmol/L",
    "meq/l": "meq/L",
    "mg/l": "mg/L", "ug/ml": "mg/L", "mcg/ml": "mg/L", "µg/ml": "mg/L", "μg/ml": "mg/L",
}  # fmt: skip
_TO_MG_DL = {
    "mg/dL": Decimal(1),
    "mmol/L": MG_DL_PER_MMOL_L,
    "meq/L": MG_DL_PER_MEQ_L,
    "mg/L": Decimal("0.1"),
}
# Factor to the unit the rules speak, by lab concept; looked up in lower case.
_ONE = Decimal(1)
_LAB_UNITS: dict[str, tuple[str, dict[str, Decimal]]] = {
    "potassium": ("mmol/L", {"mmol/l": _ONE, "meq/l": _ONE, "mm": _ONE, "mmoles/l": _ONE}),
    "calcium": (
        "mg/dL",
        {
            "mg/dl": _ONE,
            "mg/100ml": _ONE,
            "mg%": _ONE,
            "mmol/l": Decimal("4.008"),
            "meq/l": Decimal("2.004"),
            "mg/l": Decimal("0.1"),
        },
    ),
    "calcium-ionized": (
        "mmol/L",
        {"mmol/l": _ONE, "mg/dl": 1 / Decimal("4.008"), "meq/l": Decimal("0.5")},
    ),
    "albumin": ("g/dL", {"g/dl": _ONE, "gm/dl": _ONE, "g/l": Decimal("0.1")}),
    "creatinine": (
        "mg/dL",
        {"mg/dl": _ONE, "mg/100ml": _ONE, "umol/l": 1 / Decimal("88.4"),
         "µmol/l": 1 / Decimal("88.4"), "μmol/l": 1 / Decimal("88.4"), "mg/l": Decimal("0.1")},
    ),
    "egfr": (
        "mL/min",
        dict.fromkeys(
            ("ml/min/{1.73_m2}", "ml/min", "ml/min/1.73m2", "ml/min/1.73 m2", "ml/min/1.73_m2",
             "ml/min/1.73.m2", "ml/min/1.73m*2", "ml/min/{1.73m2}", "ml/min/1.73m^2",
             "ml/min/1.73 m^2", "ml/min/1.73", "ml/min/1.73m²", "ml/min/1.73 m²",
             "ml/min/1,73m2", "ml/min/1,73 m2", "ml/min/1,73m²", "ml/min/1,73 m²"),
            _ONE,
        ),
    ),
    "weight": (
        "kg",
        {"kg": _ONE, "kgs": _ONE, "g": Decimal("0.001"), "[lb_av]": Decimal("0.45359237"),
         "lb": Decimal("0.45359237"), "lbs": Decimal("0.45359237"),
         "[oz_av]": Decimal("0.028349523125")},
    ),
    "qtc": ("ms", {"ms": _ONE, "msec": _ONE, "milliseconds": _ONE, "s": Decimal(1000)}),
    "qrs-duration": ("ms", {"ms": _ONE, "msec": _ONE, "s": Decimal(1000)}),
    "platelets": (
        "10*9/L",
        dict.fromkeys(
            ("10*3/ul", "10*9/l", "k/ul", "10^3/ul", "10^9/l", "x10e3/ul", "10e3/ul", "k/mm3",
             "thousand/ul", "giga/l", "g/l"),
            _ONE,
        )
        | {"/ul": Decimal("0.001"), "{cells}/ul": Decimal("0.001")},
    ),
    "urine-magnesium": (
        "mg/dL",
        {"mg/dl": _ONE, "mmol/l": MG_DL_PER_MMOL_L, "meq/l": MG_DL_PER_MEQ_L,
         "mg/l": Decimal("0.1")},
    ),
    "urine-creatinine": (
        "mg/dL",
        {"mg/dl": _ONE, "umol/l": 1 / Decimal("88.4"), "mmol/l": 1000 / Decimal("88.4"),
         "g/l": Decimal(100), "mg/l": Decimal("0.1")},
    ),
}  # fmt: skip
_LAB_UNITS["calcium-corrected"] = _LAB_UNITS["calcium"]


def stated_units(quantity: RawQuantity) -> tuple[str, ...]:
    """The units stated, UCUM code first. The code of a foreign system, or of none, counts only
    where no unit is stated (rulings 19 and 163)."""
    unit, code = (quantity.unit or "").strip(), (quantity.code or "").strip()
    if code and (not unit or system_of(quantity.system or "") == UCUM):
        return (code, unit) if unit else (code,)
    return (unit,) if unit else ()


def magnesium_unit(text: str) -> str | None:
    """The magnesium unit a spelling stands for, case-insensitively; None when not known.

    ``Mg/dL``, ``Mmol/L``, ``Meq/L`` are UCUM "mega" and are read as milli here (ruling 19).
    """
    return _MAGNESIUM.get(text.lower())


def magnesium_mg_dl(value: Decimal, unit: str) -> Decimal:
    """mg/dL of a value in one of the units ``magnesium_unit`` returns."""
    return value * _TO_MG_DL[unit]


def lab_value(concept: str, quantity: RawQuantity) -> Quantity | None:
    """A lab in the unit the rules speak; None without a number or a known unit."""
    number = read_number(quantity.value)
    if number is None:
        return None
    stated = (quantity.system, quantity.code, quantity.unit)
    if any(part is not None and len(part) > _LONGEST for part in stated):
        return None  # no unit of ours, and never a key of the cache
    factor = _factor(concept, *stated)
    if factor is None:
        return None
    comparator = quantity.comparator.strip() if quantity.comparator else None
    return Quantity(number * factor, _LAB_UNITS[concept][0], comparator or None)


_LONGEST = 80


def unknown_unit(concept: str, quantity: RawQuantity) -> str | None:
    """The unit stated with a number, when none stated is one in which the concept is known; None
    of a concept of which no rule asks an amount."""
    if read_number(quantity.value) is None:
        return None
    known = _MAGNESIUM if concept == "magnesium" else _LAB_UNITS.get(concept, ("", None))[1]
    stated = stated_units(quantity)
    if known is None or any(unit.lower() in known for unit in stated):
        return None
    return next(iter(stated), None)


def is_lab_unit(concept: str, text: str) -> bool:
    """Whether a text is a unit in which a lab is known."""
    return text.lower() in _LAB_UNITS[concept][1]


@lru_cache(maxsize=1024)
def _factor(concept: str, system: str | None, code: str | None, unit: str | None) -> Decimal | None:
    """From the unit stated to the unit the rules speak: a hospital writes few units."""
    factors = _LAB_UNITS[concept][1]
    stated = stated_units(RawQuantity(system=system, code=code, unit=unit))
    return next((factors[s.lower()] for s in stated if s.lower() in factors), None)


_MINUTES = {
    "s": Decimal(1) / 60, "sec": Decimal(1) / 60, "min": _ONE, "minute": _ONE, "minutes": _ONE,
    "mins": _ONE, "h": Decimal(60), "hr": Decimal(60), "hrs": Decimal(60), "hour": Decimal(60),
    "hours": Decimal(60), "d": Decimal(1440), "day": Decimal(1440), "days": Decimal(1440),
    "wk": Decimal(10080), "week": Decimal(10080), "weeks": Decimal(10080),
    "mo": Decimal(43200), "month": Decimal(43200), "months": Decimal(43200),
    "a": Decimal(525600), "year": Decimal(525600), "years": Decimal(525600),
    "seconds": Decimal(1) / 60, "second": Decimal(1) / 60, "wks": Decimal(10080),
    "std": Decimal(60), "stunde": Decimal(60), "stunden": Decimal(60), "minuten": _ONE,
    "tag": Decimal(1440), "tage": Decimal(1440), "woche": Decimal(10080),
    "wochen": Decimal(10080),
}  # fmt: skip


def minutes(value: Decimal | None, unit: str | None) -> Decimal | None:
    """A duration in minutes; None when the number or the unit of time is missing or unknown."""
    factor = _MINUTES.get((unit or "").strip().lower())
    return None if value is None or factor is None else value * factor


_DOSE_MG = {
    "g": Decimal(1000), "gm": Decimal(1000), "gms": Decimal(1000), "gram": Decimal(1000),
    "grams": Decimal(1000), "mg": _ONE, "mgs": _ONE, "milligram": _ONE, "milligrams": _ONE,
}  # fmt: skip
_DOSE_SULFATE_MG = {
    "meq": 1000 / SULFATE_MEQ_PER_G,
    "mmol": 1000 / SULFATE_MMOL_PER_G,
}


def dose_mg(value: Decimal, unit: str, salt: str | None) -> Decimal | None:
    """Milligrams of salt of a stated dose; mEq and mmol only for the sulfate (ruling 44)."""
    unit = unit.strip().lower()
    factor = _DOSE_MG.get(unit)
    if factor is None and salt == "sulfate":
        factor = _DOSE_SULFATE_MG.get(unit)
    return None if factor is None else value * factor


def span(minutes: int) -> str:
    """``20 min``, ``2 h``"""
    return f"{minutes // 60} h" if minutes >= 60 and minutes % 60 == 0 else f"{minutes} min"


def least_minutes(dose: Decimal, mg_per_min: Decimal) -> int:
    """The shortest infusion of a dose in mg, in whole minutes (protocol section 6)."""
    return int((dose / mg_per_min).to_integral_value(rounding=ROUND_CEILING))

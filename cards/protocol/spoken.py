"""What a protocol file's rows say, in the words of those who read them: doses, conditions, times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from cards.protocol.faults import daily_mmol
from cards.protocol.model import Band, Limit, Option, Product, ProtocolFile, When
from cards.quantity import MG_DL_PER_MEQ_L, MG_DL_PER_MMOL_L, SaltMass, places, plain

FLAGS = {
    "life": "life-threatening arrhythmia or seizure",
    "symp": "symptoms",
    "risk": "cardiac risk",
    "noent": "enteral route out",
    "giloss": "gastrointestinal loss",
    "oral-first-step": "first oral step already active",
    "oral-full-dose": "full oral dose already active",
    "anticoagulant": "anticoagulant",
    "platelets-low": "low platelets",
}
_UNITS = {"a": "years", "d": "days", "1": "times", "10*9/L": "x 10^9/L", "mg/g": "mg/dL per g/dL"}
_TIMES = re.compile(r"(end|start)\+(\d+)([hd])")
_SPANS = {"h": "h", "d": "days"}


def unit(limit: Limit) -> str:
    """The unit of a limit as people write it: UCUM's ``a`` is years."""
    return _UNITS.get(limit.unit, limit.unit)


def amount(limit: Limit) -> str:
    """``150 mg/min``"""
    return f"{plain(limit.value)} {unit(limit)}"


def interval(band: Band, per: Decimal = Decimal(1), digits: int | None = None) -> str:
    """``> 1.20 and < 1.50``; divided by ``per``, to so many ``digits``."""

    def number(bound: Decimal) -> str:
        return str(bound) if digits is None else places(bound / per, digits)

    parts = []
    if band.low is not None:
        parts.append(f"{'>=' if band.low_inclusive else '>'} {number(band.low)}")
    if band.high is not None:
        parts.append(f"{'<=' if band.high_inclusive else '<'} {number(band.high)}")
    return " and ".join(parts)


def mmol_l(band: Band) -> str:
    return interval(band, MG_DL_PER_MMOL_L, 3)


def meq_l(band: Band) -> str:
    return interval(band, MG_DL_PER_MEQ_L, 3)


def condition(when: When) -> str:
    """``moderate, mild; noent; inpatient; R0``; ``always`` for no condition."""
    parts = [
        ", ".join(f"band {name}" for name in when.bands) or ", ".join(when.classes),
        ", ".join(when.flags),
        ", ".join(f"not {flag}" for flag in when.without),
        ", ".join(when.settings),
        ", ".join(when.renal),
        "" if when.weight_from is None else f"from {plain(when.weight_from)} kg",
        "" if when.weight_to is None else f"to {plain(when.weight_to)} kg",
    ]
    return "; ".join(part for part in parts if part) or "always"


def dose(file: ProtocolFile, option: Option) -> str:
    """``magnesium sulfate 2 g (8.1 mmol, 16.2 mEq) over 20 min = 100 mg/min IV``"""
    product = file.product[option.product]
    if product.route == "iv":
        text = f"{product.substance} {_infusion(option.dose, option.minutes or 1)} IV"
        if option.then_dose is not None:
            text += f", then {_infusion(option.then_dose, option.then_minutes or 1)}"
        return text
    if product.route == "im":
        return (
            f"{product.substance} {plain(option.dose)} g ({_contents(option.dose)}) IM every "
            f"{option.every_hours} h, {option.count} doses"
        )
    often = "at night" if option.at_night and option.per_day == 1 else f"{option.per_day} a day"
    basis = "" if product.salt == "oxide" else " elemental"
    mmol = daily_mmol(file, option)
    return (
        f"{product.substance} {plain(option.dose)} mg{basis} {often} "
        f"({places(mmol, 1)} mmol, {places(mmol * 2, 1)} mEq a day)"
    )


def _infusion(grams: Decimal, minutes: int) -> str:
    rate = places(grams * 1000 / minutes, 1)
    return f"{plain(grams)} g ({_contents(grams)}) over {minutes} min = {rate} mg/min"


def _contents(grams: Decimal) -> str:
    salt = SaltMass(grams * 1000, "sulfate")
    return f"{places(salt.mmol, 1)} mmol, {places(salt.meq, 1)} mEq"


def strength(product: Product) -> str:
    parts = []
    if product.unit_mg is not None:
        parts.append(f"{plain(product.unit_mg)} mg a unit")
    if product.elemental_mg is not None:
        parts.append(f"{plain(product.elemental_mg)} mg of it magnesium")
    if product.round_to_mg is not None:
        parts.append(f"stocked in steps of {plain(product.round_to_mg)} mg")
    return ", ".join(parts)


def recheck(text: str) -> str:
    """``6 h after the end`` for ``end+6h``"""
    match = _TIMES.fullmatch(text)
    if match is None:
        return text.replace("-", " ")
    return f"{match[2]} {_SPANS[match[3]]} after the {match[1]}"


def flags(names: Iterable[str]) -> str:
    """The flags in words, in the order in which a file names them."""
    return " and ".join(FLAGS[name] for name in FLAGS if name in set(names))

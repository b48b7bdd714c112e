"""What the rows of a protocol file say, in the words of their readers: doses, conditions, times."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from cards.handbook.rows import Dose
from cards.protocol import doses
from cards.protocol.flags import FLAGS
from cards.protocol.model import Band, Option, Product, ProtocolFile, When
from cards.protocol.regimens import RECHECK
from cards.units.quantity import (
    MG_DL_PER_MEQ_L,
    MG_DL_PER_MMOL_L,
    MG_MOLAR,
    places,
    plain,
)

_SPANS = {"h": "h", "d": "days"}


def interval(band: Band, per: Decimal = Decimal(1), digits: int | None = None) -> str:
    """``1.20 < Mg < 1.50``; divided by ``per``, to so many ``digits``."""

    def number(bound: Decimal) -> str:
        return str(bound) if digits is None else places(bound / per, digits)

    if band.high is None and band.low is not None:
        return f"Mg {'≥' if band.low_inclusive else '>'} {number(band.low)}"
    low = "" if band.low is None else f"{number(band.low)} {'≤' if band.low_inclusive else '<'} "
    high = (
        "" if band.high is None else f" {'≤' if band.high_inclusive else '<'} {number(band.high)}"
    )
    return f"{low}Mg{high}"


def mmol_l(band: Band) -> str:
    return interval(band, MG_DL_PER_MMOL_L, 3)


def meq_l(band: Band) -> str:
    return interval(band, MG_DL_PER_MEQ_L, 3)


def condition(when: When) -> str:
    """``moderate, mild; enteral route out; inpatient; R0``; ``always`` for no condition."""
    parts = [
        ", ".join(f"band {name}" for name in when.bands) or ", ".join(when.classes),
        flags(when.flags),
        f"not with {flags(when.without, 'or')}" if when.without else "",
        ", ".join(when.settings),
        ", ".join(when.renal),
        _weight(when),
    ]
    return "; ".join(part for part in parts if part) or "always"


def dose(file: ProtocolFile, option: Option, only: str | None = None) -> Dose:
    """``magnesium sulfate 2 g IV over 20 min``, its amounts, and its condition or ``only``."""
    product = file.product[option.product]
    stated = condition(option.when)
    own = ("" if stated == "always" else stated) if only is None else only
    first, *then = doses.doses(product, option)
    basis = "" if product.salt in ("sulfate", "oxide") else " elemental"
    text = f"{product.substance} {first.shown}{basis} {first.how}"
    text += "".join(f", then {each.shown} {each.how}" for each in then)
    amounts = ", then ".join(_amounts(each) for each in (first, *then))
    return Dose(text, amounts, option.product, option.star, own)


def _amounts(given: doses.Dose) -> str:
    if given.rate is not None:
        return f"{given.contents}, {places(given.rate, 1)} mg/min"
    if given.count is not None:
        return f"{given.contents} each; in all {plain(given.amount * given.count)} g"
    daily = given.daily_mmol or Decimal(0)
    return (
        f"{places(daily, 1)} mmol, {places(daily * 2, 1)} mEq, "
        f"{places(daily * MG_MOLAR, 0)} mg elemental a day"
    )


def only(when: When) -> str:
    """An option's own condition in words: ``40 to 50 kg``, ``not with anticoagulant``."""
    parts = [
        _weight(when),
        flags(when.flags),
        f"not with {flags(when.without, 'or')}" if when.without else "",
    ]
    return "; ".join(part for part in parts if part)


def _weight(when: When) -> str:
    low, high = when.weight_from, when.weight_to
    if low is not None and high is not None:
        return f"{plain(low)} to {plain(high)} kg"
    if low is not None:
        return f"from {plain(low)} kg"
    return "" if high is None else f"up to {plain(high)} kg"


def clearance(file: ProtocolFile, id_: str) -> str:
    """``R1 (30 to < 60 mL/min)``"""
    starts: dict[str, Decimal] = {row.id: row.start for row in file.renal if row.start is not None}
    low = starts.get(id_)
    if id_ in ("R4", "RU"):
        return f"{id_} ({'dialysis' if id_ == 'R4' else 'not known'})"
    if low is None:
        return f"{id_} (< {plain(min(starts.values()))} mL/min)"
    above = [start for start in starts.values() if start > low]
    bounds = f"{plain(low)} to < {plain(min(above))}" if above else f"≥ {plain(low)}"
    return f"{id_} ({bounds} mL/min)"


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
    match = RECHECK.fullmatch(text)
    if match is None:
        return text.replace("-", " ")
    return f"{match[2]} {_SPANS[match[3]]} after the {match[1]}"


def flags(names: Iterable[str], joint: str = "and") -> str:
    """Flags in words."""
    return f" {joint} ".join(kind.words for name, kind in FLAGS.items() if name in set(names))

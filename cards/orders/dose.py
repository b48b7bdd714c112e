"""Dose: how much one dose of a dosage is, in milligrams of salt.

Of several ``doseAndRate`` the ordered one counts, else the calculated one; else the largest
that can be read. One that cannot be read beside one that can is no problem (ruling 141).
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards.fhir import read_codes, words_of
from cards.fhir.resource import Dosage, DoseAndRate, many
from cards.orders.bounds import unit_of
from cards.units.quantity import dose_mg, read_number

_ML = frozenset({"ml", "millilitre", "millilitres", "milliliter", "milliliters", "cc"})
_PIECES = frozenset({"pill", "tablet", "capsule", "each"})
_KINDS = ("ordered", "calculated")


class Dose(Struct, frozen=True, gc=False):
    """``mg`` of salt; ``problem`` why it could not be read; ``pieces`` when its unit is a
    tablet; ``stated`` whether one is there at all; ``unit`` as it was written."""

    mg: Decimal | None = None
    problem: str | None = None
    pieces: bool = False
    stated: bool = False
    unit: str = ""


_NO_DOSE = Dose()


def parts_of(dosage: Dosage) -> list[DoseAndRate]:
    """The doses and rates of a Dosage. What another version states directly counts where no
    ``doseAndRate`` states it (ruling 154)."""
    parts = many(dosage.doseAndRate)
    d = dosage
    if not (
        d.dose or d.doseQuantity or d.doseRange or d.rateQuantity or d.rateRange or d.rateRatio
    ):
        return parts  # as nearly all are
    dosed = any(part.doseQuantity or part.doseRange for part in parts)
    rated = any(part.rateQuantity or part.rateRange or part.rateRatio for part in parts)
    direct = DoseAndRate(
        doseQuantity=None if dosed else d.dose or d.doseQuantity,
        doseRange=None if dosed else d.doseRange,
        rateQuantity=None if rated else d.rateQuantity,
        rateRange=None if rated else d.rateRange,
        rateRatio=None if rated else d.rateRatio,
    )
    return [*parts, direct]


def read_dose(parts: list[DoseAndRate], salt: str | None, mg_per_ml: Decimal | None) -> Dose:
    """The Dose of the ``parts_of`` a Dosage; ``salt`` tells how mEq and mmol are read,
    ``mg_per_ml`` how millilitres are."""
    if len(parts) == 1:
        return _one(parts[0], salt, mg_per_ml)
    found = [(_kind(part), _one(part, salt, mg_per_ml)) for part in parts]
    read = [(kind, dose) for kind, dose in found if dose.mg is not None]
    for kind in _KINDS:
        of_kind = [dose for of, dose in read if of == kind]
        if of_kind:
            return max(of_kind, key=_mg)
    if read:
        return max((dose for _, dose in read), key=_mg)
    stated = [(kind, dose) for kind, dose in found if dose.stated]
    meant = (dose for wanted in _KINDS for kind, dose in stated if kind == wanted)
    return next(meant, stated[-1][1] if stated else _NO_DOSE)


def _mg(dose: Dose) -> Decimal:
    return dose.mg or Decimal(0)


def _kind(part: DoseAndRate) -> str:
    if part.type is None:
        return ""
    said = {code.code.lower() for code in read_codes(part.type)}
    said |= {word.lower() for word in words_of(part.type)}
    return next((kind for kind in _KINDS if kind in said), "")


def _one(part: DoseAndRate, salt: str | None, mg_per_ml: Decimal | None) -> Dose:
    quantity = part.doseQuantity or (part.doseRange.high if part.doseRange else None)
    if quantity is None:
        if part.doseRange is None:
            return _NO_DOSE
        return Dose(problem="a dose range without a high end", stated=True)
    number = read_number(quantity.value)
    unit = unit_of(quantity)
    if unit is None and part.doseRange and part.doseRange.low:
        unit = unit_of(part.doseRange.low)
    if number is None:
        return Dose(problem="the dose is not a number", stated=True)
    if unit is None:
        return Dose(problem="the dose has no unit", stated=True)
    mg = mass_mg(number, unit, salt, mg_per_ml)
    if mg is None:
        pieces = unit.strip("{}").lower() in _PIECES
        return Dose(problem=f'a dose in the unknown unit "{unit}"', pieces=pieces, stated=True)
    if mg <= 0:
        return Dose(problem="the dose is not above zero", stated=True)
    return Dose(mg, stated=True, unit=unit)


def mass_mg(
    number: Decimal, unit: str, salt: str | None, mg_per_ml: Decimal | None
) -> Decimal | None:
    """Milligrams of salt of a mass, an amount or, with a strength, a volume."""
    mg = dose_mg(number, unit, salt)
    if mg is None and mg_per_ml is not None and unit.strip().lower() in _ML:
        mg = number * mg_per_ml
    return mg

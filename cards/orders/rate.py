"""Rate: how fast a dosage runs: every rate and ratio that it states.

A rate is kept as milligrams in so many minutes, so that amounts made from it are exact.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards.fhir.resource import DoseAndRate, Ratio, RawQuantity
from cards.orders.bounds import unit_of
from cards.orders.dose import mass_mg
from cards.units.quantity import minutes, read_number


class Rate(Struct, frozen=True, gc=False):
    """``mg`` of salt in ``minutes``, both above zero."""

    mg: Decimal
    minutes: Decimal

    @property
    def per_minute(self) -> Decimal:
        return self.mg / self.minutes

    def amount(self, span: Decimal) -> Decimal:
        """Milligrams in a span of minutes."""
        return self.mg * span / self.minutes


class Rates(Struct, frozen=True, gc=False):
    """``stated`` rates; ``over`` the minutes when a rate is a time ("2 h": over 2 h);
    ``problem`` why none could be read."""

    stated: tuple[Rate, ...] = ()
    over: Decimal | None = None
    problem: str | None = None


_NO_RATES = Rates()


def read_rates(parts: list[DoseAndRate], salt: str | None, mg_per_ml: Decimal | None) -> Rates:
    """The Rates of the ``parts_of`` a Dosage. One that cannot be read beside one that can is no
    problem; of a range the high end counts."""
    rates: list[Rate] = []
    over: Decimal | None = None
    problem = None
    for part in parts:
        quantity = part.rateQuantity or (part.rateRange.high if part.rateRange else None)
        if quantity is not None:
            time = minutes(read_number(quantity.value), unit_of(quantity))
            rate = _rate(quantity, salt, mg_per_ml)
            if time is not None and time > 0:
                over = time if over is None else min(over, time)
            elif rate is not None:
                rates.append(rate)
            else:
                problem = f"a rate in {unit_of(quantity) or 'no unit'}"
        elif part.rateRange is not None:
            problem = "a rate range without a high end"
        if part.rateRatio is not None:
            rate = _ratio(part.rateRatio, salt, mg_per_ml)
            if rate is None:
                problem = "a rate ratio that cannot be read"
            else:
                rates.append(rate)
    if not rates and over is None and problem is None:
        return _NO_RATES
    return Rates(tuple(rates), over, None if rates or over is not None else problem)


def _rate(quantity: RawQuantity, salt: str | None, mg_per_ml: Decimal | None) -> Rate | None:
    number = read_number(quantity.value)
    above, slash, below = (unit_of(quantity) or "").partition("/")
    if number is None or not slash:
        return None
    return _made(mass_mg(number, above, salt, mg_per_ml), minutes(Decimal(1), below))


def _ratio(ratio: Ratio, salt: str | None, mg_per_ml: Decimal | None) -> Rate | None:
    if ratio.numerator is None or ratio.denominator is None:
        return None
    above = read_number(ratio.numerator.value)
    if above is None:
        return None
    mg = mass_mg(above, unit_of(ratio.numerator) or "", salt, mg_per_ml)
    time = minutes(read_number(ratio.denominator.value), unit_of(ratio.denominator))
    return _made(mg, time)


def _made(mg: Decimal | None, time: Decimal | None) -> Rate | None:
    return Rate(mg, time) if mg is not None and time is not None and time > 0 else None

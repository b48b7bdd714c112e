"""Dose: one dose of a regimen with its arithmetic, every step of it as a number."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cards.assessment import Offer
from cards.plan import Step
from cards.protocol import Product
from cards.units.quantity import MG_MOLAR, places, plain


@dataclass(frozen=True, slots=True)
class Dose:
    """``amount`` in ``unit`` (g, mg) of ``product`` as it is dosed; milligrams of salt or labelled
    product; what they hold; how they are given. ``bound`` is how many days an oral order lasts."""

    product: Product
    amount: Decimal
    minutes: int | None = None
    per_day: int | None = None
    count: int | None = None
    every_hours: int | None = None
    at_night: bool = False
    bound: int | None = None

    @property
    def mg(self) -> Decimal:
        return self.amount * 1000 if self.product.dose_unit == "g" else self.amount

    @property
    def mmol(self) -> Decimal:
        return self.product.mmol(self.mg)

    @property
    def meq(self) -> Decimal:
        return self.mmol * 2

    @property
    def elemental_mg(self) -> Decimal:
        return self.mmol * MG_MOLAR

    @property
    def rate(self) -> Decimal | None:
        """Milligrams of salt a minute of an infusion."""
        return self.mg / self.minutes if self.minutes else None

    @property
    def daily_mmol(self) -> Decimal | None:
        """Millimoles a day of what is given every day."""
        return self.mmol * self.per_day if self.per_day else None

    @property
    def shown(self) -> str:
        """``2 g``"""
        return f"{plain(self.amount)} {self.product.dose_unit}"

    @property
    def how(self) -> str:
        """``IV over 20 min``, ``IM every 6 h, 4 doses``, ``by mouth, 2 a day``"""
        if self.product.route == "iv":
            return f"IV over {self.minutes} min"
        if self.product.route == "im":
            return f"IM every {self.every_hours} h, {self.count} doses"
        often = "at night" if self.at_night else f"{self.per_day} a day"
        bound = f" for {self.bound} days" if self.bound else ""
        return f"by mouth, {often}{bound}"

    @property
    def line(self) -> str:
        """``magnesium sulfate 2 g IV over 20 min: 8.1 mmol, 16.2 mEq, 197 mg elemental``"""
        parts = [
            f"{places(self.mmol, 1)} mmol",
            f"{places(self.meq, 1)} mEq",
            f"{places(self.elemental_mg, 0)} mg elemental",
        ]
        if self.rate is not None:
            parts.append(f"{places(self.rate, 1)} mg/min")
        if self.daily_mmol is not None:
            parts.append(f"{places(self.daily_mmol, 1)} mmol a day")
        return f"{self.product.substance} {self.shown} {self.how}: {', '.join(parts)}"


def dose_of(step: Step) -> Dose:
    """The Dose of one step of a proposal."""
    return _dose(step.offer, step.dose, step.minutes, step.bound)


def doses_of(offer: Offer) -> tuple[Dose, ...]:
    """The Doses of an offer: one, or the first and the second infusion."""
    option = offer.option
    first = _dose(offer, option.dose, option.minutes, None)
    if option.then_dose is None:
        return (first,)
    return first, _dose(offer, option.then_dose, option.then_minutes, None)


def _dose(offer: Offer, amount: Decimal, minutes: int | None, bound: int | None) -> Dose:
    option = offer.option
    return Dose(
        offer.product,
        amount,
        minutes,
        option.per_day,
        option.count,
        option.every_hours,
        option.at_night,
        bound,
    )

"""Dose: one dose of a regimen, its arithmetic, and the one way to put it into words."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards.protocol.model import Option, Product
from cards.units.quantity import MG_MOLAR, places, plain, span

_OFTEN = {1: "once daily", 2: "twice daily"}


class Dose(Struct, frozen=True, gc=False):
    """``amount`` in the unit of ``product`` as it is dosed; ``minutes`` of an infusion, ``count``
    every so many hours of injections, ``per_day`` by mouth. ``bound`` is how many days an oral
    order lasts."""

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
        """Milligrams of salt, or of the product as it is labelled."""
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
        """``IV over 20 min``, ``IM every 6 h x 4``, ``at night``, ``twice daily``"""
        if self.product.route == "iv":
            return f"IV over {span(self.minutes or 0)}"
        if self.product.route == "im":
            return f"IM every {self.every_hours} h x {self.count}"
        often = self.per_day or 1
        return "at night" if self.at_night else _OFTEN.get(often, f"{often} times daily")

    @property
    def short(self) -> str:
        """``magnesium sulfate 2 g IV over 20 min``"""
        return f"{self.product.substance} {self.shown} {self.how}"

    @property
    def full(self) -> str:
        """``2 g (8.1 mmol, 16.2 mEq) IV over 20 min (100 mg/min)``, ``500 mg (302 mg elemental)
        by mouth at night for 2 days``: what a card and an order say."""
        product = self.product
        if product.route == "iv":
            rate = places(self.rate or Decimal(0), 1)
            return f"{self.shown} ({self.contents}) {self.how} ({rate} mg/min)"
        if product.route == "im":
            often = f"every {self.every_hours} h for {self.count} doses"
            return f"{self.shown} ({self.contents}) IM {often}"
        oxide = product.salt == "oxide"
        basis = f"({places(self.elemental_mg, 0)} mg elemental)" if oxide else "elemental"
        return f"{self.shown} {basis} by mouth {self.how} for {self.bound} days"

    @property
    def contents(self) -> str:
        """``8.1 mmol, 16.2 mEq``"""
        mmol = self.mmol
        return f"{places(mmol, 1)} mmol, {places(mmol * 2, 1)} mEq"

    @property
    def line(self) -> str:
        """``magnesium sulfate 2 g IV over 20 min: 8.1 mmol, 16.2 mEq, 197 mg elemental``"""
        bound = f" for {self.bound} days" if self.bound else ""
        parts = [f"{self.contents}, {places(self.elemental_mg, 0)} mg elemental"]
        if self.rate is not None:
            parts.append(f"{places(self.rate, 1)} mg/min")
        if self.daily_mmol is not None:
            parts.append(f"{places(self.daily_mmol, 1)} mmol a day")
        return f"{self.short}{bound}: {', '.join(parts)}"


def doses(product: Product, option: Option, bound: int | None = None) -> tuple[Dose, ...]:
    """The Doses of an option: one, or the first and the second infusion."""
    rest = (option.per_day, option.count, option.every_hours, option.at_night, bound)
    first = Dose(product, option.dose, option.minutes, *rest)
    if option.then_dose is None:
        return (first,)
    return first, Dose(product, option.then_dose, option.then_minutes, *rest)

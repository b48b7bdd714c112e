"""Bounds: from when until when a dosage holds, and the most it allows in a period."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from cards.instant import read_instant
from cards.orders.schedule import first_event, last_event
from cards.orders.timing import DAY
from cards.quantity import dose_mg, minutes, read_number, stated_units
from cards.resource import Dosage, RawQuantity, many


class Bounds(Struct, frozen=True, gc=False):
    """When a dosage begins and ends, as far as it says so itself, or how many ``minutes`` it
    lasts; all None when it states none."""

    start: datetime | None = None
    end: datetime | None = None
    minutes: Decimal | None = None
    last: datetime | None = None

    @property
    def span(self) -> Decimal | None:
        """How long it lasts, in minutes: as stated, else from its start to its end."""
        if self.minutes is not None or self.start is None or self.end is None:
            return self.minutes
        return Decimal(int((self.end - self.start).total_seconds())) / 60


NO_BOUNDS = Bounds()


def read_bounds(dosage: Dosage) -> Bounds:
    """The Bounds of a FHIR Dosage; a period that begins with its first event, where it has no
    other start. ``last`` is its last event."""
    timing = dosage.timing
    if timing is None:
        return NO_BOUNDS
    repeat = timing.repeat
    period = repeat.boundsPeriod if repeat else None
    lasts = repeat.boundsDuration if repeat else None
    if lasts is None and repeat is not None and repeat.boundsRange is not None:
        lasts = repeat.boundsRange.high
    if period is None and lasts is None and not timing.event:
        return NO_BOUNDS
    start = _instant(period.start) if period else None
    return Bounds(
        start or first_event(dosage),
        _instant(period.end) if period else None,
        minutes(read_number(lasts.value), unit_of(lasts)) if lasts else None,
        last_event(dosage),
    )


class Most(Struct, frozen=True, gc=False):
    """The most that may be given: ``mg`` of salt in ``minutes``."""

    mg: Decimal
    minutes: Decimal

    @property
    def in_24h(self) -> Decimal:
        """The most that can fall into 24 h."""
        return self.mg * max(-(-DAY // self.minutes), Decimal(1))


def read_most(dosage: Dosage, salt: str | None) -> Most | None:
    """``maxDosePerPeriod``; of several the one that allows least. None when none can be read:
    then nothing bounds the order."""
    found = []
    for ratio in many(dosage.maxDosePerPeriod):
        above, below = ratio.numerator, ratio.denominator
        number = read_number(above.value) if above else None
        period = minutes(read_number(below.value), unit_of(below)) if below else None
        mg = dose_mg(number, unit_of(above) or "", salt) if number is not None and above else None
        if mg is not None and mg > 0 and period is not None and period > 0:
            found.append(Most(mg, period))
    return min(found, key=lambda most: most.in_24h, default=None)


def unit_of(quantity: RawQuantity) -> str | None:
    """The unit of a quantity: UCUM's code first, then as printed, else the bare code."""
    units = stated_units(quantity)
    return units[0] if units else quantity.code


def _instant(text: str | None) -> datetime | None:
    instant = read_instant(text)
    return instant.start if instant else None

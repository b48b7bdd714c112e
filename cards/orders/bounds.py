"""Bounds: from when until when a dosage holds, and the most it allows in a period."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from cards.fhir.instant import read_instant
from cards.fhir.resource import Dosage, RawQuantity, many
from cards.orders.schedule import first_and_last
from cards.orders.timing import DAY
from cards.units.quantity import dose_mg, minutes, read_number, stated_units


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


class Stated(Struct, frozen=True, gc=False):
    """The bounds of a dosage as written: the text of its start and its end, and its minutes."""

    start: str | None
    end: str | None
    minutes: Decimal | None


def stated_bounds(dosage: Dosage) -> Stated | None:
    """``timing.repeat.bounds[x]``; of a range the high end. None when there are none."""
    repeat = dosage.timing.repeat if dosage.timing else None
    if repeat is None:
        return None
    period, lasts = repeat.boundsPeriod, repeat.boundsDuration
    if lasts is None and repeat.boundsRange is not None:
        lasts = repeat.boundsRange.high
    if period is None and lasts is None:
        return None
    return Stated(
        period.start if period else None,
        period.end if period else None,
        minutes(read_number(lasts.value), unit_of(lasts)) if lasts else None,
    )


def read_bounds(dosage: Dosage) -> Bounds:
    """The Bounds of a FHIR Dosage; a period that begins with its first event, where it has no
    other start, and ends with its last day (a bare date). ``last`` is its last event."""
    timing = dosage.timing
    stated = stated_bounds(dosage)
    if timing is None or (stated is None and not timing.event):
        return NO_BOUNDS
    first, last = first_and_last(dosage)
    if stated is None:
        return Bounds(first, last=last)
    start, end = read_instant(stated.start), read_instant(stated.end)
    ends = None if end is None else end.start if end.exact else end.start + _A_DAY
    return Bounds(start.start if start else first, ends, stated.minutes, last)


_A_DAY = timedelta(days=1)


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

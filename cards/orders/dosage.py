"""DoseLine: one dosage instruction, in milligrams of salt, minutes and milligrams a minute.

Dose, rate and timing are read apart and judged apart (rulings 140 to 142). A range counts by
its high end; every rate that can be computed is kept, because the fastest one counts and a
disagreement is named (D1).
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards import codes
from cards.fhir import read_codes, words_of
from cards.fhir.resource import CodeableConcept, Dosage
from cards.orders.bounds import NO_BOUNDS, Bounds, Most, read_bounds, read_most
from cards.orders.dose import parts_of, read_dose
from cards.orders.push import is_push
from cards.orders.rate import Rate, read_rates
from cards.orders.schedule import read_schedule
from cards.orders.timing import DAY, Continuous, Frequency, NotStated, Once, Timing, Unreadable
from cards.units.quantity import minutes, read_number

_FALSE = b"false"


class DoseLine(Struct, frozen=True, gc=False):
    """One dosage instruction.

    ``dose`` mg of salt for one dose; ``minutes`` the stated infusion time; ``rates`` mg/min as
    stated by any rate, ratio or duration; ``timing`` how often; ``flow`` the rate of a line that
    runs on: without a dose of its own, or continuously; ``bounds`` its own start and end;
    ``most`` what it may give in a period. ``unread_dose`` and ``unread_rate`` say why these
    could not be read.
    """

    text: str = ""
    route: str | None = None
    dose: Decimal | None = None
    minutes: Decimal | None = None
    rates: tuple[Decimal, ...] = ()
    push: bool = False
    timing: Timing = NotStated()
    flow: Rate | None = None
    bounds: Bounds = NO_BOUNDS
    most: Most | None = None
    as_needed: bool = False
    has_dose: bool = False
    pill: bool = False
    unread_dose: str | None = None
    unread_rate: str | None = None
    unit: str = ""

    @property
    def per_day(self) -> Decimal | None:
        return self.timing.per_day if isinstance(self.timing, Frequency) else None

    @property
    def count(self) -> int | None:
        """Doses in all, when that is said."""
        if isinstance(self.timing, Once):
            return 1
        return self.timing.count if isinstance(self.timing, Frequency | NotStated) else None

    @property
    def once(self) -> bool:
        return isinstance(self.timing, Once)

    @property
    def unread_timing(self) -> str | None:
        """Why it cannot be told how often; None when it can, or nothing is said of it."""
        return self.timing.reason if isinstance(self.timing, Unreadable) else None

    @property
    def unreadable(self) -> str | None:
        """Why the dose, else the rate, could not be read."""
        return self.unread_dose or self.unread_rate

    @property
    def single(self) -> bool:
        """One dose in 24 h, as far as it is said; never what runs on or was not understood."""
        return self.flow is None and self.unread_timing is None and self.doses_in_24h() == 1

    def doses_in_24h(self) -> Decimal:
        """How many doses fall in 24 h; at least one, also where how often is not known."""
        count, per_day = self.count, self.per_day
        if per_day is None:
            return Decimal(count or 1)
        within = max(per_day, Decimal(1))
        return min(within, Decimal(count)) if count else within

    def mg_in_24h(self) -> Decimal | None:
        """The most of it that falls in 24 h, at least where how often is not known; None when
        no amount can be read."""
        found = None if self.dose is None else self.dose * self.doses_in_24h()
        if self.flow is not None:
            span = self.bounds.span
            flows = self.flow.amount(DAY if span is None else min(span, DAY))
            found = flows if found is None else max(found, flows)
        if found is not None and self.most is not None:
            found = max(min(found, self.most.in_24h), self.dose or Decimal(0))
        return found

    def lasts(self) -> Decimal | None:
        """Minutes that one dose takes: its stated time, or dose by the slowest rate."""
        slowest = min((rate for rate in self.rates if rate > 0), default=None)
        if self.dose is None or slowest is None:
            return self.minutes
        return max(self.dose / slowest, self.minutes or Decimal(0))


def read_dosage(dosage: Dosage, salt: str | None, mg_per_ml: Decimal | None = None) -> DoseLine:
    """The DoseLine of a FHIR Dosage; ``salt`` tells how mEq and mmol are read, ``mg_per_ml`` (a
    coded strength or a known premix) how millilitres are."""
    parts = parts_of(dosage)
    stated = read_dose(parts, salt, mg_per_ml)
    rates = read_rates(parts, salt, mg_per_ml)
    schedule = read_schedule(dosage)
    repeat = dosage.timing.repeat if dosage.timing else None
    time = minutes(read_number(repeat.duration), repeat.durationUnit) if repeat else None
    if rates.over is not None:
        time = rates.over if time is None else min(time, rates.over)
    dose, flow = stated.mg, None
    fastest = max(rates.stated, key=_per_minute, default=None)
    if fastest is not None and dose is None and time is not None and time > 0:
        dose = fastest.amount(time)
    elif fastest is not None and (
        not stated.stated or (isinstance(schedule.timing, Continuous) and time is None)
    ):
        flow = fastest
    per_minute = tuple(rate.per_minute for rate in rates.stated)
    if time is not None and dose is not None and time > 0:
        per_minute = (*per_minute, dose / time)
    return DoseLine(
        text=dosage.text or "",
        route=_stated_route(dosage),
        dose=dose,
        minutes=time,
        rates=per_minute,
        push=is_push(dosage, timed=any(rate > 0 for rate in per_minute)),
        timing=schedule.timing,
        flow=flow,
        bounds=read_bounds(dosage),
        most=read_most(dosage, salt) if dosage.maxDosePerPeriod else None,
        as_needed=schedule.needed or _is_needed(dosage),
        has_dose=stated.stated,
        pill=stated.pieces,
        unread_dose=stated.problem,
        unread_rate=rates.problem,
        unit=stated.unit,
    )


def _per_minute(rate: Rate) -> Decimal:
    return rate.per_minute


def _is_needed(dosage: Dosage) -> bool:
    """As needed by any element of any version (ruling 157)."""
    return (
        bool(dosage.asNeededBoolean or dosage.asNeeded or dosage.asNeededFor)
        or dosage.asNeededCodeableConcept is not None
        or any(
            (found.url or "").rpartition(".")[2] in ("asNeededFor", "asNeeded")
            and bytes(found.valueBoolean) != _FALSE
            for found in dosage.extension or ()
        )
    )


_TEXT = 1000  # as much of a dosage's own words as is read for a route


def _stated_route(dosage: Dosage) -> str | None:
    """The route as coded; where none is stated, as the words of the dosage name it ("4 g IV")."""
    if dosage.route is not None or not dosage.text:
        return _route(dosage.route)
    return codes.route_named(dosage.text[:_TEXT])


def _route(route: CodeableConcept | None) -> str | None:
    if route is None:
        return None
    for code in read_codes(route):
        found = codes.route_code(code.system, code.code)
        if found:
            return found
    for text in words_of(route):
        found = codes.route_named(text)
        if found:
            return found
    return None

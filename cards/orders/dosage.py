"""DoseLine: one dosage instruction, in milligrams of salt, minutes and milligrams a minute.

A range counts by its high end; every rate that can be computed is kept, because the fastest
one counts and a disagreement is named (D1).
"""

from __future__ import annotations

import re
from decimal import Decimal

from msgspec import Struct

from cards import codes
from cards.fhir.resource import (
    CodeableConcept,
    Dosage,
    DoseAndRate,
    RawQuantity,
    Repeat,
    codings,
    many,
)
from cards.units.quantity import dose_mg, minutes, read_number, stated_units

_PUSH = re.compile(r"\b(?:i\.?v\.?|intravenous)\W{0,3}push\b|\bivp\b|\bbolus\b|\bpush\b", re.I)
_NOT = re.compile(r"\b(?:not?|never|avoid|without)\b(?:\W+\w+){0,3}\W*\Z", re.I)
_CODES_PER_DAY = {
    "QD": 1, "DAILY": 1, "ONCE DAILY": 1, "EVERY DAY": 1, "QHS": 1, "HS": 1, "BED": 1, "AM": 1,
    "PM": 1, "QAM": 1, "QPM": 1, "BID": 2, "TWICE DAILY": 2, "TID": 3, "QID": 4,
    "Q4H": 6, "Q6H": 4, "Q8H": 3, "Q12H": 2, "Q24H": 1, "Q2H": 12, "Q3H": 8, "Q1H": 24,
}  # fmt: skip
_ONCE = {"ONCE", "X1", "ONE TIME", "STAT", "NOW", "ONE-TIME"}
_DAY = Decimal(1440)
_HOURLY = re.compile(
    r"\bq\s?(\d{1,2})\s?h(?:rs?|ours?)?\b|\bevery\s(\d{1,2})\s?h(?:ours?)?\b", re.I
)
# "Q4H (int) X2": what stands in brackets between the hours and the number is passed over.
_TIMES = re.compile(r"(?:\s?\([a-z]{1,12}\))?\W{0,3}(?:x|for)\s?(\d{1,2})\b", re.I)
_DAILY = (
    (re.compile(r"\bqid\b|\bfour times (?:a day|daily)\b|\b4\s?x daily\b", re.I), 4),
    (re.compile(r"\btid\b|\bthree times (?:a day|daily)\b|\b3\s?x daily\b", re.I), 3),
    (re.compile(r"\bbid\b|\btwice (?:a day|daily)\b|\b2\s?x daily\b", re.I), 2),
    (re.compile(r"\bdaily\b|\bqd\b|\bqhs\b", re.I), 1),
)


class DoseLine(Struct, frozen=True, gc=False):
    """One dosage instruction.

    ``dose`` mg of salt for one dose; ``minutes`` the stated infusion time; ``rates`` mg/min as
    stated by any rate, ratio or duration; ``per_day`` doses a day; ``count`` doses in all;
    ``percent`` grams in 100 mL of an intravenous preparation, when the order says it;
    ``unreadable`` says why the dose or the rate could not be read.
    """

    text: str = ""
    route: str | None = None
    dose: Decimal | None = None
    minutes: Decimal | None = None
    rates: tuple[Decimal, ...] = ()
    push: bool = False
    per_day: Decimal | None = None
    count: int | None = None
    once: bool = False
    as_needed: bool = False
    has_dose: bool = False
    pill: bool = False
    unreadable: str | None = None

    def doses_in_24h(self) -> Decimal:
        """How many doses fall in 24 h; a line without frequency is one dose."""
        if self.per_day is None:
            return Decimal(self.count or 1)
        within = max(self.per_day, Decimal(1))
        return min(within, Decimal(self.count)) if self.count else within


def read_dosage(dosage: Dosage, salt: str | None, mg_per_ml: Decimal | None = None) -> DoseLine:
    """The DoseLine of a FHIR Dosage; ``salt`` tells how mEq and mmol are read, ``mg_per_ml`` (a
    coded strength) how millilitres are."""
    repeat = dosage.timing.repeat if dosage.timing else None
    parts = many(dosage.doseAndRate)
    if dosage.dose or dosage.doseQuantity or dosage.rateQuantity or dosage.rateRatio:
        parts = [
            *parts,
            DoseAndRate(
                doseQuantity=dosage.dose or dosage.doseQuantity,
                rateQuantity=dosage.rateQuantity,
                rateRatio=dosage.rateRatio,
            ),
        ]
    dose, dose_problem, pill = _dose(parts, salt, mg_per_ml)
    rates, over, rate_problem = _rates(parts, salt)
    time = minutes(read_number(repeat.duration), repeat.durationUnit) if repeat else None
    if over is not None:
        time = over if time is None else min(time, over)
    if time is not None and dose is not None and time > 0:
        rates = (*rates, dose / time)
    per_day, count, once = _frequency(dosage, repeat)
    return DoseLine(
        text=dosage.text or "",
        route=_route(dosage.route),
        dose=dose,
        minutes=time,
        rates=rates,
        push=_is_push(dosage),
        per_day=per_day,
        count=count,
        once=once,
        as_needed=bool(dosage.asNeededBoolean) or dosage.asNeededCodeableConcept is not None,
        has_dose=any(part.doseQuantity or part.doseRange for part in parts),
        pill=pill,
        unreadable=dose_problem or rate_problem,
    )


class Bounds(Struct, frozen=True, gc=False):
    """Until when a dosage runs: its end as written, or how many minutes it lasts."""

    end: str | None
    minutes: Decimal | None


def read_bounds(dosage: Dosage) -> Bounds | None:
    """The Bounds of a FHIR Dosage; None when it states none."""
    repeat = dosage.timing.repeat if dosage.timing else None
    if repeat is None or (repeat.boundsPeriod is None and repeat.boundsDuration is None):
        return None
    lasts = repeat.boundsDuration
    return Bounds(
        repeat.boundsPeriod.end if repeat.boundsPeriod else None,
        minutes(read_number(lasts.value), _unit(lasts)) if lasts else None,
    )


def starts(dosage: Dosage) -> str | None:
    """When a FHIR Dosage begins, as written."""
    timing = dosage.timing
    if timing is None:
        return None
    period = timing.repeat.boundsPeriod if timing.repeat else None
    return (period.start if period else None) or (timing.event[0] if timing.event else None)


def _route(route: CodeableConcept | None) -> str | None:
    if route is None:
        return None
    for coding in codings(route):
        found = codes.route_code(coding.system or "", coding.code or "")
        if found:
            return found
    for text in (route.text, *(coding.display for coding in codings(route))):
        found = codes.route_named(text) if text else None
        if found:
            return found
    return None


def _unit(quantity: RawQuantity) -> str | None:
    units = stated_units(quantity)
    return units[0] if units else quantity.code


def _dose(
    parts: list[DoseAndRate], salt: str | None, mg_per_ml: Decimal | None
) -> tuple[Decimal | None, str | None, bool]:
    """(mg, why not, whether the unit is a pill): the largest of all stated doses."""
    found: list[Decimal] = []
    problem = None
    pill = False
    for part in parts:
        quantity = part.doseQuantity or (part.doseRange.high if part.doseRange else None)
        if quantity is None:
            if part.doseRange is not None:
                problem = "a dose range without a high end"
            continue
        number = read_number(quantity.value)
        unit = _unit(quantity)
        if part.doseRange and unit is None and part.doseRange.low:
            unit = _unit(part.doseRange.low)
        if number is None:
            problem = "the dose is not a number"
        elif unit is None:
            problem = "the dose has no unit"
        else:
            mg = dose_mg(number, unit, salt)
            if mg is None and mg_per_ml is not None and unit.lower() == "ml":
                mg = number * mg_per_ml
            if mg is None:
                pill = pill or unit.strip("{}").lower() in ("pill", "tablet", "capsule", "each")
                problem = f'a dose in the unknown unit "{unit}"'
            elif mg <= 0:
                problem = "the dose is not above zero"
            else:
                found.append(mg)
    return (max(found) if found else None), problem, pill


def _rates(
    parts: list[DoseAndRate], salt: str | None
) -> tuple[tuple[Decimal, ...], Decimal | None, str | None]:
    """(mg/min each, minutes when a rate is a time, why one could not be read)."""
    rates: list[Decimal] = []
    over: Decimal | None = None
    problem = None
    for part in parts:
        quantity = part.rateQuantity or (part.rateRange.high if part.rateRange else None)
        if quantity is not None:
            number, unit = read_number(quantity.value), _unit(quantity)
            time = minutes(number, unit)
            rate = None if number is None else _rate(number, unit or "", salt)
            if time is not None and time > 0:
                over = time if over is None else min(over, time)
            elif rate is not None:
                rates.append(rate)
            else:
                problem = f"a rate in {unit or 'no unit'}"
        if part.rateRatio is not None:
            rate = _ratio(part, salt)
            if rate is None:
                problem = "a rate ratio that cannot be read"
            else:
                rates.append(rate)
    return tuple(rates), over, problem


def _ratio(part: DoseAndRate, salt: str | None) -> Decimal | None:
    ratio = part.rateRatio
    if ratio is None or ratio.numerator is None or ratio.denominator is None:
        return None
    above, below = read_number(ratio.numerator.value), read_number(ratio.denominator.value)
    mg = None if above is None else dose_mg(above, _unit(ratio.numerator) or "", salt)
    time = minutes(below, _unit(ratio.denominator))
    return mg / time if mg is not None and time is not None and time > 0 else None


def _rate(number: Decimal, unit: str, salt: str | None) -> Decimal | None:
    above, slash, below = unit.partition("/")
    mg = dose_mg(number, above, salt) if slash else None
    time = minutes(Decimal(1), below)
    return mg / time if mg is not None and time is not None else None


def _frequency(dosage: Dosage, repeat: Repeat | None) -> tuple[Decimal | None, int | None, bool]:
    """(doses a day, doses in all, explicitly once)."""
    code = _timing_code(dosage)
    once = code in _ONCE
    count = None
    per_day = Decimal(_CODES_PER_DAY[code]) if code in _CODES_PER_DAY else None
    if repeat is not None:
        stated = read_number(repeat.count)
        count = int(stated) if stated is not None and 0 < stated < 10000 else None
        frequency = read_number(repeat.frequencyMax) or read_number(repeat.frequency)
        period = minutes(read_number(repeat.period), repeat.periodUnit)
        if period is not None and period > 0:
            per_day = (frequency or Decimal(1)) * _DAY / period
        elif repeat.timeOfDay:
            per_day = Decimal(len(repeat.timeOfDay))
        elif repeat.when and per_day is None:
            per_day = Decimal(len(many(repeat.when)))
    if per_day is None and count is None and not once:
        per_day, count = _text_frequency(dosage.text or "")
    if once or (count == 1):
        return None, 1, True
    return per_day, count, once


def _text_frequency(text: str) -> tuple[Decimal | None, int | None]:
    """(doses a day, doses in all) of "TID" or "Q6H X4": the text counts only where the order
    states no frequency at all, so that such an order is not taken for a single dose."""
    hourly = _HOURLY.search(text)
    if hourly:
        every = int(hourly[1] or hourly[2])
        times = _TIMES.match(text, hourly.end())
        return (Decimal(24) / every if every else None), (int(times[1]) if times else None)
    for pattern, per_day in _DAILY:
        if pattern.search(text):
            return Decimal(per_day), None
    return None, None


def _timing_code(dosage: Dosage) -> str:
    code = dosage.timing.code if dosage.timing else None
    if code is None:
        return ""
    for coding in codings(code):
        if coding.code:
            return coding.code.strip().upper()
    return (code.text or "").strip().upper()


def _is_push(dosage: Dosage) -> bool:
    texts = [dosage.text, dosage.patientInstruction]
    for concept in (dosage.method, dosage.route):
        if concept is not None:
            texts += [concept.text, *(coding.display for coding in codings(concept))]
    for text in texts:
        for match in _PUSH.finditer(text or ""):
            if not _NOT.search((text or "")[: match.start()]):
                return True
    return False

"""Schedule: the Timing of a FHIR dosage, from everything that states it.

Every coding and the text of ``timing.code``, ``repeat`` and ``event`` are read; the text of the
dosage where none of them says anything (ruling 140).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Raw, Struct

from cards.fhir import read_codes
from cards.fhir.instant import read_instant
from cards.fhir.resource import NOTHING, CodeableConcept, Dosage, Repeat, many
from cards.orders.spoken import Spoken, read_code, read_words
from cards.orders.timing import (
    DAY,
    Continuous,
    Frequency,
    NotStated,
    Once,
    Timing,
    Unreadable,
    frequency,
)
from cards.units.quantity import has_value, minutes, read_number

_MOST = 10_000  # a count beyond this is a typing error
_MEALS = frozenset({"C", "AC", "PC"})  # three meals a day
_SHOWN = 40


class Schedule(Struct, frozen=True, gc=False):
    """``timing``, and whether its words say that the order is as needed (ruling 157)."""

    timing: Timing
    needed: bool = False


_NOT_STATED = Schedule(NotStated())


def read_schedule(dosage: Dosage) -> Schedule:
    """The Schedule of a FHIR Dosage."""
    timing = dosage.timing
    repeat = timing.repeat if timing else None
    code = timing.code if timing else None
    event = many(timing.event) if timing else []
    if code is None and not event:
        if repeat is not None:
            found = _repeated(repeat)
            if not isinstance(found, NotStated):
                return Schedule(found)
            return _from_text(dosage.text, found, timed=True)
        return _from_text(dosage.text, _NOT_STATED.timing, timed=timing is not None)
    spoken = [read_code(text) for text in _texts(code)] if code else []
    needed = any(one.needed for one in spoken)
    by_repeat: Timing = _repeated(repeat) if repeat else NotStated()
    if isinstance(by_repeat, NotStated) and event:
        by_repeat = _events(event)
    found = _together(spoken, by_repeat, code)
    if isinstance(found, NotStated):
        read = _from_text(dosage.text, found, timed=True)
        return Schedule(read.timing, needed or read.needed)
    return Schedule(found, needed)


def first_and_last(dosage: Dosage) -> tuple[datetime | None, datetime | None]:
    """The earliest and the latest ``timing.event`` that can be read."""
    timing = dosage.timing
    moments = _moments(many(timing.event)) if timing and timing.event else []
    return min(moments, default=None), max(moments, default=None)


def repeats(dosage: Dosage) -> bool:
    """Whether a dosage says that it is given more than once, or how often cannot be told."""
    return not isinstance(read_schedule(dosage).timing, NotStated | Once)


def _texts(code: CodeableConcept) -> Iterator[str]:
    if code.text:
        yield code.text
    for coding in read_codes(code):
        if coding.display:
            yield coding.display
        if coding.code:
            yield coding.code


def _together(spoken: list[Spoken], by_repeat: Timing, code: CodeableConcept | None) -> Timing:
    """Of what the code says and what ``repeat`` says: the more frequent one; "once" stands
    unless the other comes more than once a day."""
    said = [one.timing for one in spoken if one.timing is not None]
    often = [one for one in said if isinstance(one, Frequency)]
    if isinstance(by_repeat, Once):
        return by_repeat
    count = by_repeat.count if isinstance(by_repeat, NotStated | Frequency) else None
    if often:
        most = max(often, key=lambda one: one.per_day)
        if isinstance(by_repeat, Frequency) and by_repeat.per_day > most.per_day:
            most = by_repeat
        return Frequency(most.per_day, most.every, count or most.count)
    flows = next((one for one in said if isinstance(one, Continuous)), None)
    if flows is not None and not isinstance(by_repeat, Frequency):
        return flows
    once = [one for one in said if isinstance(one, Once)]
    if once and isinstance(by_repeat, Frequency):
        strong = any(not one.urgent for one in once)
        return Once() if strong and by_repeat.per_day <= 1 else by_repeat
    if once:
        return Once() if count is None else by_repeat
    if isinstance(by_repeat, NotStated) and any(not (one.empty or one.timing) for one in spoken):
        shown = " ".join(next(iter(_texts(code)), "").split()) if code else ""
        return Unreadable(f'how often could not be read ("{shown[:_SHOWN]}")')
    return by_repeat


def _from_text(text: str | None, otherwise: Timing, *, timed: bool) -> Schedule:
    """What the text of the dosage says, where nothing else does; of an order without any timing
    its "as needed" counts too."""
    if not text:
        return Schedule(otherwise)
    said = read_words(text)
    needed = said.needed and not timed
    if said.timing is not None and not isinstance(said.timing, Continuous):
        count = otherwise.count if isinstance(otherwise, NotStated) else None
        if isinstance(said.timing, Frequency):
            often = said.timing
            return Schedule(Frequency(often.per_day, often.every, count or often.count), needed)
        return Schedule(said.timing, needed)
    if said.again:
        return Schedule(Unreadable("how often could not be read in its text"), needed)
    return Schedule(otherwise, needed)


def _stated(*values: Raw) -> bool:
    return any(has_value(value) for value in values)


def _repeated(repeat: Repeat) -> Timing:
    """What ``Timing.repeat`` says."""
    count = _count(repeat)
    if count == 1:
        return Once()
    days = len(many(repeat.dayOfWeek)) if repeat.dayOfWeek else 7
    period = minutes(read_number(repeat.period), repeat.periodUnit)
    if period is None and repeat.periodUnit and not has_value(repeat.period):
        period = minutes(Decimal(1), repeat.periodUnit)
    times = read_number(repeat.frequencyMax) or read_number(repeat.frequency)
    if period is not None and period > 0:
        if times is None and _stated(repeat.frequency, repeat.frequencyMax):
            return Unreadable("how often could not be read")
        times = Decimal(1) if times is None else times
        if repeat.periodMax is not NOTHING:
            other = minutes(read_number(repeat.periodMax), repeat.periodUnit)
            if other is not None and 0 < other < period:
                period = other
        if times <= 0 or times > period:
            return Unreadable("how often could not be read")
        return _on_days(frequency(times, period, count), days)
    if repeat.timeOfDay:
        return _on_days(frequency(Decimal(len(many(repeat.timeOfDay))), DAY, count), days)
    if repeat.when:
        doses = sum(3 if one.strip().upper() in _MEALS else 1 for one in many(repeat.when))
        return _on_days(frequency(Decimal(doses), DAY, count), days)
    if days < 7:
        return _on_days(frequency(times or Decimal(1), DAY, count), days)
    if _stated(repeat.period, repeat.periodMax) or (
        _stated(repeat.frequency, repeat.frequencyMax) and times != 1
    ):
        return Unreadable("how often could not be read")
    return NotStated(count)


def _on_days(often: Frequency, days: int) -> Frequency:
    """On so many days of the week only."""
    if not 0 < days < 7:
        return often
    return Frequency(often.per_day, often.every * 7 / days, often.count)


def _count(repeat: Repeat) -> int | None:
    if repeat.count is NOTHING and repeat.countMax is NOTHING:
        return None
    counts = (read_number(repeat.count), read_number(repeat.countMax))
    stated = [int(one) for one in counts if one is not None and 0 < one < _MOST]
    return max(stated, default=None)


def _moments(events: list[str]) -> list[datetime]:
    return [found.start for text in events if (found := read_instant(text)) is not None]


def _events(events: list[str]) -> Timing:
    """Each event is a dose: the most of them that fall within 24 h; one that cannot be read
    falls within any."""
    moments = sorted(_moments(events))
    lost = len(events) - len(moments)
    if len(events) == 1:
        return Once()
    day = timedelta(minutes=float(DAY))
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= day:
            first += 1
        most = max(most, last - first + 1)
    span = DAY if len(moments) < 2 else _minutes(moments[-1] - moments[0]) / (len(moments) - 1)
    return Frequency(Decimal(most + lost), max(span, Decimal(1)), len(events))


def _minutes(span: timedelta) -> Decimal:
    return Decimal(int(span.total_seconds())) / 60

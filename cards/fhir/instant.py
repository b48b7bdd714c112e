"""Instant: the span of time a FHIR date, dateTime or instant stands for.

FHIR times may be partial (``2026``, ``2026-03``, ``2026-03-14``) and, against the rules but in
real data, without an offset. A partial time covers a span; a time without an offset is taken
as UTC and says so (ruling 64), because refusing it would lose a result.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")
# datetime.fromisoformat accepts more than FHIR does (week dates, bare hours); this guards it.
_FULL = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[zZ]|[+-]\d{2}:\d{2})?\Z"
)


class Instant(Struct, frozen=True, gc=False):
    """A time read from FHIR.

    ``start`` is the earliest moment meant, aware; ``exact`` is False for a bare date, month or
    year; ``assumed_utc`` is True when a clock time came without an offset.
    """

    start: datetime
    exact: bool = True
    assumed_utc: bool = False

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError("an Instant needs an aware datetime")


@lru_cache(maxsize=4096)
def read_instant(text: str | None) -> Instant | None:
    """The Instant of a FHIR date, dateTime or instant; None when absent or not one.

    A date without a time is 00:00 UTC of that day (ruling 18).
    """
    if not text:
        return None
    text = text.strip()
    try:
        if text[4:20:3] == "--T::Z" and len(text) == 20:  # as nearly all are; tried first
            return Instant(datetime.fromisoformat(text))
        if _FULL.match(text):
            moment = datetime.fromisoformat(text if text[-1] != "z" else text.upper())
        elif partial := _PARTIAL.match(text):
            year, month, day = (int(part) if part else 1 for part in partial.groups())
            return Instant(datetime(year, month, day, tzinfo=UTC), exact=False)
        else:
            return None
    except ValueError:
        return None
    if moment.tzinfo is UTC:
        return Instant(moment)
    if moment.tzinfo is None:
        return Instant(moment.replace(tzinfo=UTC), assumed_utc=True)
    try:
        return Instant(moment.astimezone(UTC))
    except OverflowError:
        return None


def age_span(birth: str | None, on: datetime) -> tuple[int, int] | None:
    """(youngest, oldest) whole years of age on a day, for a full or partial birth date.

    None when the birth date is missing, unreadable, in the future or gives an age over 120
    (ruling 30).
    """
    match = _PARTIAL.match((birth or "").strip())
    if not match:
        return None
    year, month, day = match.groups()
    today = on.date()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        if day:
            last = first
        elif month:
            last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        else:
            last = date(int(year), 12, 31)
    except ValueError:
        return None
    oldest = _years(first, today)
    youngest = max(_years(last, today), 0) if oldest >= 0 else -1
    return None if oldest < 0 or oldest > 120 else (youngest, oldest)


def _years(birth: date, today: date) -> int:
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))

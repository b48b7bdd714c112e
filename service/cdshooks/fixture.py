"""Fixture: a hook request kept in a file, with times that can be moved to any present.

A fixture file is ``{"now": "2026-03-01T08:00:00Z", "service": "magnesium-…", "request": {…}}``.
Its response in ``fixtures/responses/`` is the one at its own ``now``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2})?)(\.\d+)?(Z|[+-]\d{2}:\d{2})?")
_DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
# A bare year looks like any four-digit code: partial dates are moved only where FHIR has dates.
_DATED = re.compile(r"(?:[dD]ate|[dD]ateTime|On|start|end|issued)\Z")


@dataclass(frozen=True, slots=True)
class Fixture:
    """``request`` is a CDS Hooks request whose times were written at ``now`` (aware)."""

    now: datetime
    service: str
    request: dict[str, Any]

    def body(self, now: datetime) -> bytes:
        """The request as JSON, every FHIR time in it as far from ``now`` as from its own.

        A moment moves by the difference, keeping its offset and its digits; a date keeps its
        distance in days (a month in months, a year in years), so that today stays today.
        """
        return json.dumps(_moved(self.request, "", self.now, now), ensure_ascii=False).encode()


def read_fixture(data: bytes) -> Fixture | None:
    """The Fixture of a file's content; None when it is something else (a bare hook request)."""
    content = json.loads(data)
    if not isinstance(content, dict) or not {"now", "service", "request"} <= content.keys():
        return None
    return Fixture(_moment(content["now"]), content["service"], content["request"])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _moved(value: Any, key: str, old: datetime, new: datetime) -> Any:
    if isinstance(value, dict):
        return {k: _moved(v, k, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [_moved(v, key, old, new) for v in value]
    if not isinstance(value, str):
        return value
    moment = _MOMENT.fullmatch(value)
    if moment:
        return _moved_moment(moment, new - old)
    day = _DAY.fullmatch(value)
    if day and (day[3] or _DATED.search(key)):
        return _moved_day(day, old.astimezone(UTC).date(), new.astimezone(UTC).date())
    return value


def _moved_moment(match: re.Match[str], by: timedelta) -> str:
    text, fraction, offset = match[1], match[2] or "", match[3] or ""
    # A difference with a fraction of a second would change the digits after the point.
    moved = datetime.fromisoformat(text) + timedelta(seconds=round(by.total_seconds()))
    seconds = "seconds" if text.count(":") == 2 else "minutes"
    return moved.isoformat(timespec=seconds) + fraction + offset


def _moved_day(match: re.Match[str], old: date, new: date) -> str:
    year, month, day = match.groups()
    if day:
        return (new + (date(int(year), int(month), int(day)) - old)).isoformat()
    if month:
        months = (
            int(year) * 12 + int(month) - 1 + (new.year - old.year) * 12 + new.month - old.month
        )
        return f"{months // 12:04d}-{months % 12 + 1:02d}"
    return f"{int(year) + new.year - old.year:04d}"

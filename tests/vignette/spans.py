"""Words of the grammar shared by results, conditions and orders: lengths of time, lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
SPAN = r"-?\d+(?:\.\d+)? (?:d|h|min|s)(?: \d+(?:\.\d+)? (?:h|min|s))*"
_PIECE = re.compile(r"(-?\d+(?:\.\d+)?) (d|h|min|s)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}


def span(text: str) -> timedelta:
    """``24 h 1 min`` as a timedelta."""
    pieces = _PIECE.findall(text)
    if not pieces:
        raise ValueError(f"not a length of time: {text!r}")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in pieces))


def instant(when: datetime) -> str:
    """A FHIR dateTime in UTC, to the second (nothing here is finer)."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(text: str) -> str:
    """The dateTime that lies the given length of time before ``NOW``."""
    return instant(NOW - span(text))


def split(text: str, separator: str) -> list[str]:
    """Split on ``separator`` outside of brackets, parentheses and double quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char in "([") - (char in ")]")
            if depth == 0 and text.startswith(separator, index) and index >= start:
                parts.append(text[start:index].strip())
                start = index + len(separator)
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def number(text: str) -> int | float:
    """A JSON number that prints as it was written (2 stays 2)."""
    return float(text) if re.search(r"[.eE]", text) else int(text)

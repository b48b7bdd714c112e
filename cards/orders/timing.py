"""Timing: how often an order is given, or that this cannot be told (ruling 140).

What was stated and not understood is ``Unreadable`` with its reason: never a single dose.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

DAY = Decimal(1440)  # minutes


class NotStated(Struct, frozen=True, gc=False):
    """Nothing says how often; ``count`` doses in all when at least that is said."""

    count: int | None = None


class Once(Struct, frozen=True, gc=False):
    """One dose. ``urgent`` where only its haste was said (STAT, now): a frequency beside it
    counts before it."""

    urgent: bool = False


class Continuous(Struct, frozen=True, gc=False):
    """Without a break, as long as the order is active."""


class Frequency(Struct, frozen=True, gc=False):
    """``per_day`` doses on a day that has doses, ``every`` so many minutes on average,
    ``count`` in all (None: no end)."""

    per_day: Decimal
    every: Decimal
    count: int | None = None


class Unreadable(Struct, frozen=True, gc=False):
    """Stated, and not understood; ``reason`` quotes it."""

    reason: str


Timing = NotStated | Once | Continuous | Frequency | Unreadable


def frequency(times: Decimal, period: Decimal, count: int | None = None) -> Frequency:
    """So many ``times`` in a ``period`` of minutes, both above zero."""
    per_day = times * DAY / period
    return Frequency(per_day, period / times, count)

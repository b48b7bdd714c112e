"""Bars: what became of the cards over time, laid out; the template draws them.

A bar is a day or a week: accepted below, overridden on it, not answered on top. Days without a
card have no bar, but their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from service.memory.outcomes import Tally

KINDS = ("accepted", "overridden", "ignored", "shadow")
WIDTH, HEIGHT = 1000, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 8, 10, 28
_MOST = 66  # bars; earlier ones are in the table alone
_LABELS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar, in the units of the drawing."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """``label`` is "" where there is no room for one."""

    first: date
    x: float
    width: float
    parts: tuple[Part, ...]
    label: str
    said: str


@dataclass(frozen=True, slots=True)
class Bars:
    """``ticks`` are (count, y); ``left_out`` is how many earlier bars there was no room for."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, float], ...]
    base: float
    left: float
    left_out: int


def lay_out(course: Mapping[date, Tally], step: timedelta) -> Bars | None:
    """The Bars of the tallies by their first day; None when no card was shown or kept."""
    shown = {day: tally for day, tally in course.items() if tally.shown or tally.shadow}
    if not shown:
        return None
    days = _days(min(shown), max(shown), step)
    left_out = max(len(days) - _MOST, 0)
    days = days[left_out:]
    top = _round_up(max(t.shown + t.shadow for d, t in shown.items() if d in days))
    base = HEIGHT - _BOTTOM
    scale = (base - _TOP) / top
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(days), 6)
    every = -(-len(days) // _LABELS)
    bars = []
    for number, day in enumerate(days):
        tally = shown.get(day, Tally(("",)))
        # The last day is labelled, and back from it.
        labelled = (len(days) - 1 - number) % every == 0
        x = _LEFT + number * slot + slot * 0.15
        label = day.isoformat()[5:] if labelled else ""
        parts = tuple(_parts(tally, base, scale))
        bars.append(Bar(day, round(x, 1), round(slot * 0.7, 1), parts, label, said(tally)))
    ticks = tuple((n, round(base - n * scale, 1)) for n in sorted({0, top // 2, top}))
    return Bars(tuple(bars), ticks, base, _LEFT, left_out)


def said(tally: Tally) -> str:
    """``5 shown: 2 accepted, 1 overridden, 2 not answered``"""
    text = (
        f"{tally.shown} shown: {tally.accepted} accepted, {tally.overridden} overridden, "
        f"{tally.ignored} not answered"
    )
    return f"{text}; {tally.shadow} kept in shadow mode" if tally.shadow else text


def _days(first: date, last: date, step: timedelta) -> list[date]:
    return [first + step * n for n in range((last - first) // step + 1)]


def _parts(tally: Tally, base: float, scale: float) -> list[Part]:
    found, y = [], float(base)
    for kind in KINDS:
        height = getattr(tally, kind) * scale
        if height:
            y -= height
            found.append(Part(kind, round(y, 1), round(height, 1)))
    return found


def _round_up(count: int) -> int:
    """The next even number that is round: 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, …"""
    unit = 2
    while count > unit * 5:
        unit *= 10
    return -(-count // unit) * unit

"""Picture: a patient's magnesium over time, as the numbers that chart.html draws.

Bands of the protocol behind, results as points, what was given below, the deciding result ringed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from cards.phrase import bare, moment
from cards.protocol import Protocol
from cards.trace import Course, Point, Treated
from cards.units.quantity import places
from service.pages.whatif import MARK

_WINDOW = timedelta(days=14)  # older results stand in the table: drawn, they would hide the day
_LEFT, _RIGHT, _TOP, _LANE, _FOOT = 30, 66, 12, 30, 22
_STEPS = [timedelta(hours=h) for h in (1, 2, 3, 6, 12, 24, 48, 96, 168)]
_LABEL_MIN = 13  # a band lower than its name is drawn without it
_APART = 46  # labels nearer than this would lie on each other


@dataclass(frozen=True, slots=True)
class Shade:
    """A band: its rectangle, and its name where there is room for it."""

    y: float
    height: float
    acts_as: str
    name: str


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A result. ``text`` stands beside it; empty where labels would overlap."""

    x: float
    y: float
    text: str
    said: str
    decides: bool
    whatif: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What was given (a bar from ``x`` over ``width``) or is ordered."""

    x: float
    width: float
    text: str
    said: str
    ordered: bool
    whatif: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything in pixels of a drawing of ``width`` by ``height``."""

    width: int
    height: int
    left: int
    right: float
    top: int
    bottom: float
    lane: float
    shades: tuple[Shade, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    marks: tuple[Mark, ...]
    line: str
    older: int
    said: str


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime
    most: float
    left: float
    right: float
    top: float
    bottom: float

    def x(self, when: datetime) -> float:
        share = (when - self.start) / (self.end - self.start)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def y(self, value: float | Decimal) -> float:
        share = min(float(value) / self.most, 1.0)
        return round(self.bottom - share * (self.bottom - self.top), 1)


def draw(
    course: Course, protocol: Protocol, now: datetime, width: int, height: int
) -> Picture | None:
    """The Picture of a course; None when there is no result to draw."""
    if not course.points:
        return None
    newest = next((p for p in course.points if p.decides), course.points[-1]).when
    points = [p for p in course.points if p.when >= newest - _WINDOW]
    treated = [t for t in course.treatments if (t.end or t.start) >= newest - _WINDOW]
    starts = [p.when for p in points] + [max(t.start, newest - _WINDOW) for t in treated]
    end = max([now, *(p.when for p in points)])
    start = min(starts)
    pad = max((end - start) * 0.06, timedelta(hours=2))
    most = max(3.0, 1.15 * float(max(p.value for p in points)))
    lane = height - _FOOT - _LANE
    scale = _Scale(start - pad, end + pad * 0.4, most, _LEFT, width - _RIGHT, _TOP, lane - 6)
    dots = tuple(_dots(points, scale, now))
    return Picture(
        width=width,
        height=height,
        left=_LEFT,
        right=width - _RIGHT,
        top=_TOP,
        bottom=lane - 6,
        lane=lane,
        shades=tuple(_shades(protocol, scale)),
        rows=tuple(Tick(scale.y(n), str(n)) for n in range(int(most) + 1)),
        columns=tuple(_columns(scale, now, 3 if width < 500 else 6)),
        dots=dots,
        marks=tuple(_marks(treated, scale, now)),
        line=" ".join(f"{dot.x},{dot.y}" for dot in dots),
        older=len(course.points) - len(points),
        said=_said(points, treated, now),
    )


def _shades(protocol: Protocol, scale: _Scale) -> Iterator[Shade]:
    lowest = protocol.file.band[0]
    for band in protocol.file.band:
        top = scale.y(scale.most if band.high is None else band.high)
        # What lies below the lowest band is to be verified, and is no lower band.
        bottom = scale.bottom if band is lowest or band.low is None else scale.y(band.low)
        height = round(bottom - top, 1)
        if height > 0:
            name = band.name if height >= _LABEL_MIN else ""
            yield Shade(top, height, band.acts_as, name)


def _columns(scale: _Scale, now: datetime, most: int) -> Iterator[Tick]:
    span = scale.end - scale.start
    step = next((s for s in _STEPS if span / s <= most), span / most)
    days = step >= timedelta(hours=24)
    midnight = scale.start.astimezone(now.tzinfo).replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight
    while at <= scale.end:
        x = scale.x(at)
        if scale.start <= at and scale.left + 14 < x < scale.right - 14:
            whole = days or at.hour == 0
            yield Tick(x, f"{at.day} {at:%b}" if whole else f"{at:%H:%M}")
        at += step


def _dots(points: list[Point], scale: _Scale, now: datetime) -> Iterator[Dot]:
    places_ = [(scale.x(p.when), scale.y(p.value)) for p in points]
    crowded = {
        index + 1
        for index, (one, other) in enumerate(pairwise(places_))
        if other[0] - one[0] < _APART
    }
    for index, (point, (x, y)) in enumerate(zip(points, places_, strict=True)):
        # The deciding result always has its number; of two close ones the later keeps it.
        named = point.decides or index + 1 not in crowded
        text = places(point.value, 2) if named else ""
        said = f"{bare(point.shown)}, {moment(point.when, now)}"
        yield Dot(x, y, text, said, point.decides, point.source.startswith(f"Observation/{MARK}"))


def _marks(treated: list[Treated], scale: _Scale, now: datetime) -> Iterator[Mark]:
    last = float("-inf")
    for one in treated:
        x = scale.x(one.start)
        end = scale.x(one.end) if one.end else (scale.right if one.ordered else x)
        text = one.amount if x - last >= _APART else ""
        last = x if text else last
        what = "ordered" if one.ordered else "given"
        said = f"{bare(one.label)}, {one.amount}, {what} {moment(one.start, now)}"
        yield Mark(x, max(end - x, 4), text, said, one.ordered, f"/{MARK}" in one.source)


def _said(points: list[Point], treated: list[Treated], now: datetime) -> str:
    """The picture in a sentence, for those who do not see it."""
    first, last = points[0], points[-1]
    decides = next((p for p in points if p.decides), None)
    words = f"{len(points)} results from {moment(first.when, now)} to {moment(last.when, now)}"
    if len(points) == 1:
        words = f"One result, {moment(first.when, now)}"
    words += f", newest {bare(last.shown)}."
    if decides is not None:
        words += f" The deciding result is {bare(decides.shown)}."
    if treated:
        words += f" Magnesium given or ordered: {len(treated)} times."
    return words

"""Table: one figure of the report as it may be published; page and summary show nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from service.replay.report.disclosure import Cell

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per 100 of something, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One group: its name in the columns of the table, its count, its rates.

    ``of`` is the denominator (None: not published), ``per_100`` of it; ``per_100_days`` of
    patient-days; both None where the count is withheld. ``extra`` are further counts.
    """

    name: tuple[str, ...]
    cell: Cell
    of: int | None = None
    per_100: Rate | None = None
    per_100_days: Rate | None = None
    extra: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One figure.

    ``counted`` says how its numbers were counted; ``columns`` name the parts of a row's name,
    ``unit`` is what a count counts, ``of`` what the denominator holds ("" for none), ``extra``
    names the further counts. ``days``: rates per 100 patient-days stand beside.
    """

    id: str
    title: str
    counted: str
    columns: tuple[str, ...]
    unit: str
    of: str
    rows: tuple[Row, ...]
    extra: tuple[str, ...] = ()
    days: bool = False

    def row(self, *name: str) -> Row | None:
        return next((row for row in self.rows if row.name[: len(name)] == name), None)


def share(n: int | None, of: int | None) -> Rate | None:
    """n of ``of`` in per cent with Wilson's interval; None where either is not known or none."""
    if n is None or not of:
        return None
    p, square = n / of, _Z * _Z
    middle = (p + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(p * (1 - p) / of + square / (4 * of * of)) / (1 + square / of)
    # The ends are exact at none and at all.
    low = 0.0 if n == 0 else middle - half
    high = 1.0 if n == of else middle + half
    return Rate(100 * p, 100 * low, 100 * high)


def rate(n: int | None, days: float | None) -> Rate | None:
    """n per 100 days, with the interval of a Poisson count (Byar's approximation)."""
    if n is None or not days:
        return None
    low = _byar(n, -_Z) if n else 0.0
    return Rate(100 * n / days, 100 * low / days, 100 * _byar(n + 1, _Z) / days)


def _byar(n: int, z: float) -> float:
    return float(n * (1 - 1 / (9 * n) + z / (3 * math.sqrt(n))) ** 3)

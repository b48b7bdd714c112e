"""Table: one figure of the report as it may be published; page and summary show nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from service.replay.report.disclosure import Cell

_Z = 1.959964  # 95 %
_CHI_CUBE = 9.0


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per 100 of something, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """One group: its name in the columns of the table, its count, its rates.

    ``of`` is the denominator (None: not published). ``per_100`` is of that denominator,
    ``per_100_days`` of patient-days; both None where the count is withheld.
    """

    name: tuple[str, ...]
    cell: Cell
    of: int | None = None
    per_100: Rate | None = None
    per_100_days: Rate | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One figure. ``counted`` says in words what was counted, ``of`` what the denominator is.

    ``columns`` name the parts of a row's name; ``unit`` is what a count counts.
    """

    id: str
    title: str
    counted: str
    columns: tuple[str, ...]
    unit: str
    of: str
    rows: tuple[Row, ...]
    days: bool = False
    notes: tuple[str, ...] = field(default=())


def share(n: int | None, of: int | None) -> Rate | None:
    """n of ``of`` as a percentage with Wilson's interval; None where either is not known."""
    if n is None or not of:
        return None
    p, square = n / of, _Z * _Z
    middle = (p + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(p * (1 - p) / of + square / (4 * of * of)) / (1 + square / of)
    low = 0.0 if n == 0 else middle - half
    high = 1.0 if n == of else middle + half
    return Rate(100 * p, 100 * low, 100 * high)


def rate(n: int | None, days: float | None) -> Rate | None:
    """n events per 100 days, with the interval of a Poisson count (Byar's approximation)."""
    if n is None or not days:
        return None

    def limit(count: int, z: float) -> float:
        if count <= 0:
            return 0.0
        return float(count * (1 - 1 / (_CHI_CUBE * count) + z / (3 * math.sqrt(count))) ** 3)

    low = limit(n, -_Z) if n else 0.0
    return Rate(100 * n / days, 100 * low / days, 100 * limit(n + 1, _Z) / days)

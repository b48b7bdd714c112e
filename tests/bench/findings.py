"""Findings: what a part of the bench brings: tables, raw numbers, targets reached or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Cell = str | float | int


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A line of "Must show". ``most`` or ``least`` is the bound, in ``unit``."""

    words: str
    measured: float
    bound: float
    kind: Literal["most", "least"] = "most"
    unit: str = "x"

    @property
    def reached(self) -> bool:
        # False for nan, which compares with nothing.
        if self.kind == "most":
            return self.measured <= self.bound
        return self.measured >= self.bound


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of the plot: ``points`` (x, y)."""

    chart: str
    name: str
    x: str
    y: str
    points: tuple[tuple[Cell, float], ...]


@dataclass(slots=True)
class Findings:
    """Of one part."""

    part: str
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

"""Tally: counts of events and their patients, and what adds up to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from service.replay.report.disclosure import Count, Key, Sum

INDICATORS = ("critical", "warning", "info")
ORDER_HOOKS = ("order-select", "order-sign")
NO_CARD = "no card"
HOURS = (*(f"{hour:02}" for hour in range(24)), "?")
LOW = ("severe", "moderate", "mild")
OUTCOMES = ("as suggested", "same dose", "same route", "other route", "route unknown", "nothing")
"""What was ordered after a suggestion, best first; an order counts for the best it is."""
QUALITY = ("undated", "unread", "conflicts")
"""What could not be used as it came, by resource type; see row.Walked."""
AFTER_LOW = ("treated", "ordered", "none", "lost")
"""After a low result: magnesium already ordered or given; ordered within LOW_H; not ordered in
all that time; not ordered, and the record ends before."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Hours from a low result to the first magnesium order, of those that had one."""

    n: int
    patients: int
    first: float
    median: float
    third: float


@dataclass(slots=True)
class Tally:
    """Counts by key, what adds up to what, and the figures that are no counts."""

    counts: dict[Key, Count] = field(default_factory=dict)
    sums: list[Sum] = field(default_factory=list)
    seconds: int = 0
    waits: dict[str, Quartiles] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    first: str = ""
    last: str = ""

    @property
    def days(self) -> float:
        return self.seconds / 86400

    def groups(self, *prefix: str) -> tuple[Key, ...]:
        """The counted keys that begin with ``prefix`` and have one part more, sorted."""
        size = len(prefix)
        return tuple(sorted(k for k in self.counts if k[:size] == prefix and len(k) == size + 1))

    def split(self, total: Key, parts: Sequence[Key]) -> None:
        """``total`` is made up of ``parts``; what was counted nowhere is none."""
        for key in (total, *parts):
            self.counts.setdefault(key, Count())
        self.sums.append(Sum(total, tuple(parts)))

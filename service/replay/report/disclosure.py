"""Disclosure: which counts may be published, so that no small group of patients can be counted.

A count of 1 to ``min_cell`` - 1 patients is small. Hiding it is not enough: what a total leaves
when the published parts are taken away must not give it back. So more counts are withheld, the
least informative first, until (over every total and its parts at once)

* no withheld count follows from the published ones by addition and subtraction,
* what a total leaves for its withheld parts together is of ``min_cell`` patients or more,
* every small count could still be any of several numbers.

Zero is no patient and is published, unless it must be withheld to protect another count. The
number of patients behind a count is withheld as well where the patients of a larger published
group who are *not* in it would be few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Key = tuple[str, ...]
_PRIME = (1 << 61) - 1
_ROUNDS = 40
_STEPS = 3
_FAR = 1_000


@dataclass(frozen=True, slots=True)
class Count:
    """``n`` events of ``patients`` distinct patients; ``few`` names them where they are small.

    ``exclusive``: the events are the patients themselves (n = patients).
    """

    n: int = 0
    patients: int = 0
    few: frozenset[str] = frozenset()
    exclusive: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.patients <= self.n or (self.n > 0) != (self.patients > 0):
            raise ValueError(f"{self.n} events of {self.patients} patients")
        if self.exclusive and self.n != self.patients:
            raise ValueError("an exclusive count is one of patients")


@dataclass(frozen=True, slots=True)
class Sum:
    """A total and the parts that make it up: each event of ``total`` is in exactly one part."""

    total: Key
    parts: tuple[Key, ...]

    @property
    def keys(self) -> tuple[Key, ...]:
        return (self.total, *self.parts)


@dataclass(frozen=True, slots=True)
class Cell:
    """A count as it may be published. ``n`` and ``patients`` are None where they may not.

    ``why``: ``small`` (fewer than ``min_cell`` patients) or ``withheld`` (protects a small one).
    """

    n: int | None
    patients: int | None
    why: Literal["", "small", "withheld"] = ""


def protect(
    counts: Mapping[Key, Count],
    sums: Sequence[Sum],
    min_cell: int,
    worth: Callable[[Key], int] = lambda key: 0,
) -> dict[Key, Cell]:
    """The Cell of every Count. ``min_cell`` of 0 or 1 publishes everything.

    ``worth``: of two counts of which one must be withheld, the one worth less is.

    Raises ValueError where a total is not the sum of its parts.
    """
    for relation in sums:
        if counts[relation.total].n != sum(counts[part].n for part in relation.parts):
            raise ValueError(f"the parts of {relation.total} do not add up")
    if min_cell <= 1:
        return {key: Cell(count.n, count.patients) for key, count in counts.items()}
    small = frozenset(key for key, count in counts.items() if 0 < count.patients < min_cell)
    hidden = _Hiding(counts, sums, min_cell, small, worth).run()
    patients = _publishable_patients(counts, sums, min_cell, hidden)
    return {
        key: Cell(
            None if key in hidden else count.n,
            count.patients if key in patients else None,
            "small" if key in small else "withheld" if key in hidden else "",
        )
        for key, count in counts.items()
    }


@dataclass(slots=True)
class _Hiding:
    """Withholds more and more until nothing small can be worked out."""

    counts: Mapping[Key, Count]
    sums: Sequence[Sum]
    min_cell: int
    small: frozenset[Key]
    worth: Callable[[Key], int]
    hidden: set[Key] = field(default_factory=set)
    known: set[Key] = field(default_factory=set)
    """Withheld, but to be worked out of what is published: as good as published."""

    def run(self) -> frozenset[Key]:
        self.hidden = set(self.small)
        while True:
            chosen: set[Key] = set()
            for relations in self._faults():
                touched = {key for relation in relations for key in relation.keys}
                if not chosen & touched and (pick := self._next(relations)) is not None:
                    chosen.add(pick)
            if not chosen:
                return frozenset(self.hidden - self.known)
            self.hidden |= chosen

    def _next(self, relations: Sequence[Sum]) -> Key | None:
        """What to withhold next: of what stands in the relations, and in those that give away
        what is withheld there, the least worth; the nearest, a part before its total, what is
        not zero before zero, the smallest."""
        near = dict.fromkeys(relations, 0)
        for step in range(1, _STEPS + 1):
            known = {key for relation in near for key in relation.keys} & self.known
            for relation in self._about(known):
                near.setdefault(relation, step)
        costs: dict[Key, tuple[int, int, bool, bool, int]] = {}
        for relation, step in near.items():
            for key in relation.keys:
                n = self.counts[key].n
                cost = (self.worth(key), step, key == relation.total, n == 0, n)
                if key not in self.hidden and cost < costs.get(key, (_FAR,)):
                    costs[key] = cost
        return min(costs, key=lambda key: (costs[key], key), default=None)

    def _about(self, keys: set[Key]) -> list[Sum]:
        return [relation for relation in self.sums if keys & set(relation.keys)]

    def _faults(self) -> list[Sequence[Sum]]:
        """The relations by which a reader could work out what is withheld: one count, several
        together, or one nearly."""
        rows = [set(row) for row in _reduced(self.sums, self.hidden) if set(row.values()) == {1}]
        alone = {key for row in rows if len(row) == 1 for key in row}
        self.known = alone - self.small
        faults: list[Sequence[Sum]] = []
        for relation in self.sums:
            parts = {k for k in relation.parts if k in self.hidden} - self.known
            total_known = relation.total not in self.hidden - self.known
            if parts and total_known and (len(parts) == 1 or not self._safe_together(parts)):
                faults.append([relation])
        found = [row for row in rows if not self._safe_together(row)]
        low, high = self._bounds()
        width = max(1, (self.min_cell - 1) // 2)
        found += [{key} for key in sorted(self.small) if high[key] - low[key] < width]
        return faults + [self._about(keys) for keys in found]

    def _safe_together(self, keys: Iterable[Key]) -> bool:
        keys = tuple(keys)
        if any(self.counts[key].patients >= self.min_cell for key in keys):
            return True
        if not any(self.counts[key].n for key in keys):
            return True
        return len(frozenset().union(*(self.counts[k].few for k in keys))) >= self.min_cell

    def _bounds(self) -> tuple[dict[Key, float], dict[Key, float]]:
        """Least and most that each withheld count can be, as a reader can work it out."""
        low: dict[Key, float] = {}
        high: dict[Key, float] = {}
        for key in sorted(self.hidden):
            small = key in self.small
            low[key] = 1 if small else self.min_cell if self.counts[key].n else 0
            exclusive = small and self.counts[key].exclusive
            high[key] = self.min_cell - 1 if exclusive else float("inf")
        for _ in range(_ROUNDS):
            before = (dict(low), dict(high))
            for relation in self.sums:
                self._narrow(relation, low, high)
            if before == (low, high):
                break
        return low, high

    def _narrow(self, relation: Sum, low: dict[Key, float], high: dict[Key, float]) -> None:
        parts = [key for key in relation.parts if key in self.hidden]
        known = sum(self.counts[k].n for k in relation.parts if k not in self.hidden)
        total = relation.total
        if total in self.hidden:
            low[total] = max(low[total], known + sum(low[k] for k in parts))
            high[total] = min(high[total], known + sum(high[k] for k in parts))
            least, most = low[total], high[total]
        else:
            least = most = self.counts[total].n
        for key in parts:
            others = [k for k in parts if k != key]
            high[key] = min(high[key], most - known - sum(low[k] for k in others))
            low[key] = max(low[key], least - known - sum(high[k] for k in others))


def _reduced(sums: Sequence[Sum], hidden: set[Key]) -> list[dict[Key, int]]:
    """The equations over withheld counts, reduced to echelon form (coefficients mod a prime).

    A count follows from the published ones exactly when it is alone in a row.
    """
    rows: list[tuple[Key, dict[Key, int]]] = []
    for relation in sums:
        row = {key: 1 for key in relation.parts if key in hidden}
        if relation.total in hidden:
            row[relation.total] = _PRIME - 1
        for pivot, other in rows:
            if pivot in row:
                _subtract(row, other, row[pivot])
        if not row:
            continue
        pivot = min(row)
        inverse = pow(row[pivot], -1, _PRIME)
        row = {key: value * inverse % _PRIME for key, value in row.items()}
        for _, other in rows:
            if pivot in other:
                _subtract(other, row, other[pivot])
        rows.append((pivot, row))
    return [row for _, row in rows]


def _subtract(row: dict[Key, int], other: Mapping[Key, int], factor: int) -> None:
    for key, value in other.items():
        left = (row.get(key, 0) - factor * value) % _PRIME
        if left:
            row[key] = left
        else:
            row.pop(key, None)


def _publishable_patients(
    counts: Mapping[Key, Count], sums: Sequence[Sum], min_cell: int, hidden: frozenset[Key]
) -> frozenset[Key]:
    above: dict[Key, set[Key]] = {key: set() for key in counts}
    for relation in sums:
        for part in relation.parts:
            above[part].add(relation.total)

    def ancestors(key: Key, seen: set[Key]) -> set[Key]:
        for total in above[key] - seen:
            seen.add(total)
            ancestors(total, seen)
        return seen

    published: set[Key] = set()
    depth = {key: ancestors(key, set()) for key in counts}
    for key in sorted(counts, key=lambda k: (len(depth[k]), k)):
        if key in hidden:
            continue
        count = counts[key]
        left = [counts[total].patients - count.patients for total in depth[key] & published]
        if count.exclusive or all(rest <= 0 or rest >= min_cell for rest in left):
            published.add(key)
    return frozenset(published)

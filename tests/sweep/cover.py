"""A 3-wise covering array: every triple of values of any three axes stands in some cell.

Made by growing the array one axis after the other (the IPOG scheme): the three longest axes in
full, then for each further axis the value that covers most new triples in each row, then rows
for what is left. :func:`uncovered` proves the result without trusting the making.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, product
from math import prod
from random import Random

from .axes import AXES, NEEDS, Cell

STRENGTH = 3


# The values that are no stop by themselves: an array of these alone reaches the offers, which
# in the array of all values some stop hides almost everywhere.
OPEN: dict[str, tuple[str, ...]] = AXES | {
    "renal": ("R0", "R1", "R2", "injury"),
    "urgent": tuple(value for value in AXES["urgent"] if value != "arrest"),
    "person": ("adult",),
    "heart": ("none", "paced block"),
    "weight": ("70", "45", "unknown"),
    "running": ("none", "before", "week"),
    "quality": ("final",),
    "missing": tuple(v for v in AXES["missing"] if v not in ("patient", " ".join(NEEDS))),
}


@cache
def all_cells() -> tuple[Cell, ...]:
    """The array over every value of every axis."""
    return _array(AXES)


@cache
def open_cells() -> tuple[Cell, ...]:
    """The array over the values that are no stop by themselves."""
    return _array(OPEN)


def _array(axes: dict[str, tuple[str, ...]]) -> tuple[Cell, ...]:
    names = sorted(axes, key=lambda name: -len(axes[name]))
    rows = grow([len(axes[name]) for name in names])
    found = [
        Cell(**{name: axes[name][value] for name, value in zip(names, row, strict=True)})
        for row in rows
    ]
    # A fixed shuffle, so that any head of the list is a fair sample.
    Random(3).shuffle(found)
    return tuple(found)


def grow(sizes: Sequence[int]) -> list[list[int]]:
    """Rows that cover every triple of the axes of these sizes, longest first."""
    rows = [list(row) for row in product(*(range(size) for size in sizes[:STRENGTH]))]
    for axis in range(STRENGTH, len(sizes)):
        pairs = list(combinations(range(axis), 2))
        # open_[n][value]: the (a, b) values of pair n not yet seen beside the value.
        open_ = [
            [
                {a * 64 + b for a in range(sizes[i]) for b in range(sizes[j])}
                for _ in range(sizes[axis])
            ]
            for i, j in pairs
        ]
        used = [0] * sizes[axis]
        for row in rows:
            keys = [row[i] * 64 + row[j] for i, j in pairs]
            gains = [
                (
                    sum(key in seen[value] for key, seen in zip(keys, open_, strict=True)),
                    -used[value],
                )
                for value in range(sizes[axis])
            ]
            value = max(range(sizes[axis]), key=gains.__getitem__)
            used[value] += 1
            row.append(value)
            for key, seen in zip(keys, open_, strict=True):
                seen[value].discard(key)
        rows += _rest(axis, sizes, pairs, open_)
    return rows


def _rest(
    axis: int,
    sizes: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    open_: Sequence[Sequence[set[int]]],
) -> list[list[int]]:
    """Rows for the triples that no row took: each put where it fits, the holes filled."""
    added: list[list[int | None]] = []
    for (i, j), by_value in zip(pairs, open_, strict=True):
        for value, left in enumerate(by_value):
            for key in sorted(left):
                wanted = {i: key // 64, j: key % 64, axis: value}
                row = next(
                    (r for r in added if all(r[k] in (None, v) for k, v in wanted.items())), None
                )
                if row is None:
                    row = [None] * (axis + 1)
                    added.append(row)
                for k, v in wanted.items():
                    row[k] = v
    return [
        [(number + k) % sizes[k] if v is None else v for k, v in enumerate(row)]
        for number, row in enumerate(added)
    ]


def uncovered(array: Sequence[Cell], axes: dict[str, tuple[str, ...]]) -> int:
    """How many triples of values stand in no cell of an array."""
    missing = 0
    for names in combinations(Cell._fields, STRENGTH):
        i, j, k = (Cell._fields.index(name) for name in names)
        seen = {(cell[i], cell[j], cell[k]) for cell in array}
        missing += prod(len(axes[name]) for name in names) - len(seen)
    return missing

"""Disclosure: no small count of patients is published, and none can be worked out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.replay.report.disclosure import Cell, Count, Key, Sum, protect

ALL: Key = ("all",)


def count(n: int, patients: int | None = None, prefix: str = "p") -> Count:
    who = n if patients is None else patients
    names = frozenset(f"{prefix}{i}" for i in range(who)) if who < 11 else frozenset()
    return Count(n, who, names)


def split(**parts: Count) -> tuple[dict[Key, Count], list[Sum]]:
    """One total and its parts, of disjoint patients."""
    counts = {(name,): value for name, value in parts.items()}
    total = Count(sum(c.n for c in parts.values()), sum(c.patients for c in parts.values()))
    return {ALL: total, **counts}, [Sum(ALL, tuple(counts))]


def test_a_small_count_takes_the_next_smallest_with_it() -> None:
    counts, sums = split(a=count(100), b=count(30), c=count(4))
    cells = protect(counts, sums, 11)
    assert cells["c",] == Cell(None, None, "small")
    assert cells["b",] == Cell(None, None, "withheld")
    assert cells["a",] == Cell(100, 100)
    assert cells[ALL].n == 134


def test_small_counts_hide_each_other_only_when_they_are_many_patients_together() -> None:
    counts, sums = split(a=count(100), b=count(9, prefix="b"), c=count(8, prefix="c"))
    assert protect(counts, sums, 11)["a",].n == 100
    same = split(a=count(100), b=count(9, prefix="x"), c=count(8, prefix="x"))
    assert protect(*same, 11)["a",].n is None  # 9 patients in all: total - a would count them


def test_a_total_with_a_single_part_left_is_withheld_too() -> None:
    counts, sums = split(a=count(5), b=count(0))
    cells = protect(counts, sums, 11)
    assert cells[ALL] == Cell(None, None, "small")
    assert cells["b",] == Cell(0, 0)


def test_zero_is_published() -> None:
    counts, sums = split(a=count(40), b=count(0))
    assert protect(counts, sums, 11) == {
        ALL: Cell(40, 40),
        ("a",): Cell(40, 40),
        ("b",): Cell(0, 0),
    }


def test_two_withheld_counts_that_only_add_up_one_way_take_a_third() -> None:
    # 10 and 10 patients of 20: each "<11", and 20 can be made in no other way.
    counts = {
        ALL: Count(70, 70, exclusive=True),
        ("a",): Count(10, 10, frozenset(f"a{i}" for i in range(10)), exclusive=True),
        ("b",): Count(10, 10, frozenset(f"b{i}" for i in range(10)), exclusive=True),
        ("c",): Count(50, 50, exclusive=True),
    }
    cells = protect(counts, [Sum(ALL, (("a",), ("b",), ("c",)))], 11)
    assert cells["c",].n is None


def test_patients_outside_a_group_are_not_counted_by_difference() -> None:
    counts = {
        ALL: Count(200, 50),
        ("card",): Count(120, 46),  # 4 patients never had a card
        ("none",): Count(80, 40),
    }
    cells = protect(counts, [Sum(ALL, (("card",), ("none",)))], 11)
    assert (cells[ALL].n, cells[ALL].patients) == (200, 50)
    assert (cells["card",].n, cells["card",].patients) == (120, None)
    assert (cells["none",].n, cells["none",].patients) == (80, None)


def test_nothing_is_withheld_when_it_is_turned_off() -> None:
    counts, sums = split(a=count(1), b=count(2, prefix="b"))
    for off in (0, 1):
        assert all(cell.n == counts[key].n for key, cell in protect(counts, sums, off).items())


def test_parts_that_do_not_add_up_are_refused() -> None:
    counts, sums = split(a=count(3))
    with pytest.raises(ValueError, match="do not add up"):
        protect({**counts, ("a",): count(2)}, sums, 11)


def test_a_count_checks_itself() -> None:
    for n, patients in ((1, 2), (3, 0), (0, 1)):
        with pytest.raises(ValueError):
            Count(n, patients)


# --- no small count can be worked out -----------------------------------------

Event = tuple[int, int, int]  # patient, row, column
MIN = 4


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events of up to 12 patients in a table of 3 by 3, with subgroups of its rows."""
    return draw(
        st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2), st.integers(0, 2)), max_size=40)
    )


def tabled(found: list[Event]) -> tuple[dict[Key, Count], list[Sum]]:
    """Two-way table with both margins: the hardest of the shapes the report holds."""

    def counted(chosen: list[Event]) -> Count:
        who = frozenset(str(patient) for patient, _, _ in chosen)
        return Count(len(chosen), len(who), who if len(who) < MIN else frozenset())

    counts = {ALL: counted(found)}
    for r in range(3):
        counts["r", str(r)] = counted([e for e in found if e[1] == r])
        counts["c", str(r)] = counted([e for e in found if e[2] == r])
        for c in range(3):
            counts["rc", str(r), str(c)] = counted([e for e in found if e[1:] == (r, c)])
    index = [str(i) for i in range(3)]
    sums = [Sum(ALL, tuple(("r", i) for i in index)), Sum(ALL, tuple(("c", i) for i in index))]
    sums += [Sum(("r", i), tuple(("rc", i, j) for j in index)) for i in index]
    sums += [Sum(("c", j), tuple(("rc", i, j) for i in index)) for j in index]
    return counts, sums


def determined(cells: Mapping[Key, Cell], sums: list[Sum]) -> set[Key]:
    """Withheld counts that linear algebra gives back, by exact elimination."""
    hidden = sorted(key for key, cell in cells.items() if cell.n is None)
    rows = []
    for relation in sums:
        row = [Fraction(0)] * len(hidden)
        for key in relation.keys:
            if cells[key].n is None:
                row[hidden.index(key)] += -1 if key == relation.total else 1
        rows.append(row)
    done = 0
    for column in range(len(hidden)):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [value / rows[done][column] for value in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [a - row[column] * b for a, b in zip(row, rows[done], strict=True)]
        done += 1
    alone = [[i for i, value in enumerate(row) if value] for row in rows]
    return {hidden[found[0]] for found in alone if len(found) == 1}


@given(events())
def test_no_small_count_can_be_worked_out_of_a_two_way_table(found: list[Event]) -> None:
    counts, sums = tabled(found)
    cells = protect(counts, sums, MIN)
    for key, cell in cells.items():
        if 0 < counts[key].patients < MIN:
            assert cell == Cell(None, None, "small")
        else:
            assert cell.n in (None, counts[key].n)
            assert cell.patients in (None, counts[key].patients)
    assert determined(cells, sums) == set()
    for relation in sums:  # what is left of a total is of enough patients
        left = [key for key in relation.parts if cells[key].n is None]
        if sum(counts[k].n for k in left) and cells[relation.total].n is not None:
            union = {str(p) for p, r, c in found if any(_holds(key, r, c) for key in left)}
            assert len(union) >= MIN
            assert len(left) >= 2


def _holds(key: Key, row: int, column: int) -> bool:
    names = {"r": ("r", str(row)), "c": ("c", str(column)), "rc": ("rc", str(row), str(column))}
    return names[key[0]] == key


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_every_small_part_could_be_several_numbers(sizes: list[int]) -> None:
    """By trying every way to fill the withheld parts of one total of patients."""
    counts: dict[Key, Count] = {
        (str(i),): Count(
            n, n, frozenset(f"{i}-{j}" for j in range(n)) if n < MIN else frozenset(), True
        )
        for i, n in enumerate(sizes)
    }
    parts = tuple(counts)
    counts[ALL] = Count(sum(sizes), sum(sizes), frozenset(str(j) for j in range(sum(sizes))), True)
    cells = protect(counts, [Sum(ALL, parts)], MIN)
    if cells[ALL].n is None:
        return
    hidden = [key for key in parts if cells[key].n is None]
    left = sum(sizes) - sum(cells[key].n or 0 for key in parts)
    ranges = [
        range(1, MIN) if cells[key].why == "small" else (0, *range(MIN, left + 1)) for key in hidden
    ]
    ways = [way for way in product(*ranges) if sum(way) == left]
    for i, key in enumerate(hidden):
        if cells[key].why == "small":
            assert len({way[i] for way in ways}) >= 2


@given(events())
def test_the_order_of_the_sums_changes_nothing_published_wrongly(found: list[Event]) -> None:
    counts, sums = tabled(found)
    cells = protect(counts, sums[::-1], MIN)
    assert determined(cells, sums) == set()
    assert protect(counts, sums, MIN) == protect(dict(sorted(counts.items())), sums, MIN)

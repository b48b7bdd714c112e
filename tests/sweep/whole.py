"""The exhaustive grid and the covering arrays, in chunks of even size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

from .axes import AXES, NEEDS, Cell, request
from .check import (
    check,
    check_accepted,
    check_again,
    check_order,
    check_removed,
    comparable,
    drugs,
    neighbours,
    worst,
)
from .cover import all_cells, open_cells
from .drawn import Tally
from .grid import MAGNESIUM, columns

GRID_CHUNKS = 64
COVER_CHUNKS = 32
_PAIRS = neighbours([mg for mg in MAGNESIUM if mg != "not obtained"])
_BETTER = dict(neighbours(list(AXES["mg"])))


def run_grid(chunk: int, chunks: int = GRID_CHUNKS) -> Tally:
    """Every ``chunks``-th column of the grid, from ``chunk`` on."""
    return judge_columns(islice(columns(), chunk, None, chunks))


def judge_columns(taken: Iterable[dict[str, Cell]]) -> Tally:
    """The Tally of columns of cells that differ in magnesium alone."""
    tally = Tally()
    for column in taken:
        ranks: dict[str, int] = {}
        for mg, cell in column.items():
            body = _one(cell, tally)
            if body is None:
                continue
            response = json.loads(body)
            ranks[mg] = worst(response)
            if drugs(response) and tally.drugs % 16 == 0:
                tally.note(cell, check_accepted(cell, body, tally.ask))
        for worse, better in _PAIRS:
            problems = check_order(column[worse], ranks[worse], column[better], ranks[better])
            tally.note(column[worse], problems)
    return tally


def run_cover(chunk: int, chunks: int = COVER_CHUNKS) -> Tally:
    """Every ``chunks``-th cell of both covering arrays, from ``chunk`` on; of each cell every
    fourth need is taken away, another fourth of the next."""
    return judge_cells(islice((*all_cells(), *open_cells()), chunk, None, chunks), needs=4)


def judge_cells(cells: Iterable[Cell], needs: int = 1) -> Tally:
    """The Tally of cells, each with every suggestion accepted, every ``needs``-th need taken
    away, the same request again, and its better neighbour."""
    tally = Tally()
    for number, cell in enumerate(cells):
        body = _one(cell, tally)
        if body is None:
            continue
        tally.note(cell, check_again(cell, body, tally.ask))
        tally.note(cell, check_accepted(cell, body, tally.ask))
        tally.note(cell, check_removed(cell, body, tally.ask, NEEDS[number % needs :: needs]))
        if cell.mg in _BETTER and comparable(cell):
            better = cell._replace(mg=_BETTER[cell.mg])
            other = tally.ask(request(better), better.hook)
            if other is not None:
                ranks = worst(json.loads(body)), worst(json.loads(other))
                tally.note(cell, check_order(cell, ranks[0], better, ranks[1]))
    return tally


def _one(cell: Cell, tally: Tally) -> bytes | None:
    tally.cells += 1
    body = tally.ask(request(cell), cell.hook)
    if body is None:
        if not cell.lacks("patient"):
            tally.note(cell, iter(["the patient is asked for although it was sent"]))
        return None
    tally.note(cell, check(cell, body))
    response = json.loads(body)
    tally.cards += bool(response["cards"])
    tally.drugs += bool(drugs(response))
    return body

"""Random cells, by chunk: the same seed and chunk give the same cells, whoever runs them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from . import ask
from .axes import AXES, Cell, request
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
from .cover import OPEN

CHUNK = 5_000
# Half of the draws keep to values that are no stop by themselves: among all values some stop
# hides almost every offer.
_POOLS = (tuple(AXES.items()), tuple(OPEN.items()))
_DEFAULT = Cell()._asdict()
_BETTER = dict(neighbours(list(AXES["mg"])))
NEIGHBOUR, ACCEPTED, REMOVED, AGAIN = 8, 16, 128, 64  # every so many cells


@dataclass
class Tally:
    """What some cells gave: counts, and one cell for each kind of broken invariant."""

    cells: int = 0
    requests: int = 0
    cards: int = 0
    drugs: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def note(self, cell: Cell, problems: Iterator[str]) -> None:
        for problem in problems:
            self.broken[problem] += 1
            self.first.setdefault(problem, cell.words())

    def add(self, other: Tally) -> None:
        self.cells += other.cells
        self.requests += other.requests
        self.cards += other.cards
        self.drugs += other.drugs
        self.broken.update(other.broken)
        self.first = other.first | self.first

    def ask(self, body: bytes, hook: str) -> bytes | None:
        self.requests += 1
        return ask(body, hook)


def draw(random: Random) -> Cell:
    """A random cell: each axis at its default half of the time, else anywhere."""
    pool = _POOLS[random.getrandbits(1)]
    bits = random.getrandbits(len(pool))
    values = {
        name: _DEFAULT[name] if bits >> n & 1 else values[int(random.random() * len(values))]
        for n, (name, values) in enumerate(pool)
    }
    hook, mg = random.random(), AXES["mg"]
    values["hook"] = AXES["hook"][int(hook * 3)]
    values["mg"] = mg[int(random.random() * len(mg))]
    if values["hook"] != "patient-view" and values["draft"] == "none":
        drafts = AXES["draft"]
        values["draft"] = drafts[int(random.random() * len(drafts))]
    return Cell(**values)


def run_chunk(work: tuple[int, int, int]) -> Tally:
    """The Tally of one chunk; ``work`` is (seed, chunk, cells)."""
    seed, chunk, cells = work
    random = Random(seed * 1_000_003 + chunk)
    tally = Tally()
    for number in range(cells):
        cell = draw(random)
        judge(cell, tally, number)
    return tally


def judge(cell: Cell, tally: Tally, number: int) -> None:
    """Every invariant of the cell, the dearer ones on some cells only."""
    tally.cells += 1
    body = tally.ask(request(cell), cell.hook)
    if body is None:
        if "patient" not in cell.missing.split():
            tally.note(cell, iter(["the patient is asked for although it was sent"]))
        return
    tally.note(cell, check(cell, body))
    if number % AGAIN == 0:
        tally.note(cell, check_again(cell, body, tally.ask))
    if number % REMOVED == 0:
        tally.note(cell, check_removed(cell, body, tally.ask))
    if number % NEIGHBOUR == 0 and cell.mg in _BETTER and comparable(cell):
        better = cell._replace(mg=_BETTER[cell.mg])
        other = tally.ask(request(better), better.hook)
        if other is not None:
            ranks = worst(json.loads(body)), worst(json.loads(other))
            tally.note(cell, check_order(cell, ranks[0], better, ranks[1]))
    if b'"cards":[]' not in body:
        tally.cards += 1
        if drugs(json.loads(body)):
            tally.drugs += 1
            if number % ACCEPTED == 0:
                tally.note(cell, check_accepted(cell, body, tally.ask))

"""Published: the counts that may be shown, and how a row of a table is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.replay.report.disclosure import Cell, Key
from service.replay.report.table import Row, rate, share
from service.replay.report.tally import Tally
from service.replay.row import Run

NONE = Cell(0, 0)
CALLED = {
    "patient-view": "magnesium results",
    "order-select": "orders chosen",
    "order-sign": "orders signed",
}


@dataclass(frozen=True, slots=True)
class Published:
    run: Run
    tally: Tally
    cells: Mapping[Key, Cell]
    days: float | None

    def cell(self, *key: str) -> Cell:
        return self.cells.get(key, NONE)

    def row(
        self,
        name: tuple[str, ...],
        key: Key,
        of: Key | None,
        *,
        days: bool = False,
        extra: tuple[Cell, ...] = (),
    ) -> Row:
        cell = self.cell(*key)
        base = self.cell(*of).n if of else None
        per_days = rate(cell.n, self.days) if days else None
        return Row(name, cell, base, share(cell.n, base), per_days, extra)

    def title(self, rule: str) -> str:
        return self.run.protocol.rules.get(rule, "")

    @property
    def other(self) -> str:
        return self.run.against.name if self.run.against else ""


def sorted_rows(rows: list[Row], by: int = 0) -> tuple[Row, ...]:
    """Most first within the first ``by`` parts of the name, which keep their order.

    What is withheld comes last, by name: its place among the others would tell its size.
    """
    groups = list(dict.fromkeys(row.name[:by] for row in rows))

    def place(row: Row) -> tuple[int, bool, int, tuple[str, ...]]:
        hidden = row.cell.n is None
        return groups.index(row.name[:by]), hidden, -(row.cell.n or 0), row.name

    return tuple(sorted(rows, key=place))

"""Table, Column and Row: the parts of a sheet, whoever shows them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

# ``name`` heads its row; ``sources`` and ``statements`` are keys, a line each, that lead to
# another place of the page.
Kind = Literal["name", "text", "number", "dose", "indicator", "sources", "statements", "why"]


class Dose(Struct, frozen=True, gc=False):
    """One option as it is offered: ``magnesium sulfate 2 g IV over 20 min``.

    ``amounts`` are of magnesium, and the rate; ``only`` is its own condition, "" for none;
    ``star`` marks the recommended one.
    """

    text: str
    amounts: str
    product: str
    star: bool = False
    only: str = ""

    def __str__(self) -> str:
        star, only = "★ " if self.star else "", f" [{self.only}]" if self.only else ""
        return f"{star}{self.text} ({self.amounts}){only}, product {self.product}"


Cell = tuple[str | Dose, ...]


class Column(Struct, frozen=True, gc=False):
    name: str
    kind: Kind = "text"


class Row(Struct, frozen=True, gc=False):
    """``cells`` hold lines, a cell for each column of the table."""

    anchor: str
    cells: tuple[Cell, ...]


class Table(Struct, frozen=True, gc=False):
    """``title`` is "" for the only table of a section; ``grouped`` rows with the same first cell
    belong together."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    grouped: bool = False

    def __post_init__(self) -> None:
        if any(len(row.cells) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: a row has more or fewer cells than columns")


def cell(*lines: str) -> Cell:
    """A cell of those lines that say something."""
    return tuple(line for line in lines if line)

"""Published: all that may be shown, and the tables that are made of it and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cards.evidence import title_of
from service.replay.report.count import Counted, Quartiles
from service.replay.report.disclosure import Cell, Key, protect
from service.replay.report.figure import LOW, Figure, at_hook, each, every, figures, key
from service.replay.report.table import Rate, Row, Table, rate, share
from service.replay.row import HOOKS, Run

NONE = Cell(0, 0)
CALLED = {
    "patient-view": "magnesium results",
    "order-select": "orders chosen",
    "order-sign": "signings",
}
TOGETHER = {
    False: "the orders of one patient, encounter and minute; where the record gives the day alone,"
    " of a day and author",
    True: "each order by itself, as this run was told",
}
_NAME = re.compile(r"\{(\w+)\}")
_WORTH = {
    **dict.fromkeys(("call", "card", "silent", "patients", "orders"), 3),
    # A loud rule says more than how many warnings there were in all.
    **dict.fromkeys(
        ("rule", "ordered", "ordered-card", "lows", "asked", "suggested", "differs", "other-card"),
        2,
    ),
    **dict.fromkeys(
        ("indicator", "size", "kind-card", "low", "offered", "outcome", "stop", "gap", "after"), 1
    ),
}


def _worth(key: Key) -> int:
    """Headlines are withheld last, cross-tables first. The parts of a headline that is counted
    in two ways (`orders` by hook) are none."""
    return 0 if key[0] == "orders" and len(key) > 1 else _WORTH.get(key[0], 0)


@dataclass(frozen=True, slots=True)
class Wait:
    """Hours from a low result to the first magnesium order; None where too few had one."""

    band: str
    hours: Quartiles | None


@dataclass(frozen=True, slots=True)
class Published:
    """All that is published. ``days`` is None where even that would tell too much; ``first`` and
    ``last`` are the dates of the first and the last call, "" likewise."""

    run: Run
    cells: Mapping[Key, Cell]
    days: float | None
    first: str
    last: str
    waits: tuple[Wait, ...]
    tables: tuple[Table, ...]

    @property
    def tells_input(self) -> bool:
        """Whether the numbers of what was read may be told: not where they would give back how
        many patients or calls there were."""
        keys = [("patients",), ("quality", "patient_missing", "Patient")]
        keys += [(what, hook) for what in ("call", "ordered") for hook in self.run.hooks]
        return all(self.cell(*key).n is not None for key in keys)

    def table(self, id_: str) -> Table | None:
        return next((table for table in self.tables if table.id == id_), None)

    def cell(self, *key: str) -> Cell:
        return self.cells.get(key, NONE)

    def cells_withheld(self, *key: str) -> bool:
        """Whether there is a count that is not told."""
        return self.cell(*key).n is None

    def share(self, part: Key, of: Key) -> Rate | None:
        return share(self.cell(*part).n, self.cell(*of).n)

    def per_100_days(self, *key: str) -> Rate | None:
        return rate(self.cell(*key).n, self.days)


def publish(run: Run, counted: Counted, min_cell: int) -> Published:
    """What may be told of the counts, with small groups of patients withheld."""
    cells = protect(counted.counts, counted.sums, min_cell, _worth)
    whole = cells[("patients",)].n is not None
    days = counted.days if whole else None
    first, last = (counted.first, counted.last) if whole else ("", "")
    # Quartiles of a withheld group would tell of it.
    waits = tuple(
        Wait(
            band,
            hours
            if (hours := counted.waits.get(band))
            and hours.patients >= max(min_cell, 1)
            and cells["after", band, "ordered"].n is not None
            else None,
        )
        for band in LOW
    )
    tables = _Tables(run, cells, days, counted.why).make()
    return Published(run, cells, days, first, last, waits, tuple(tables))


@dataclass(frozen=True, slots=True)
class _Tables:
    """Makes tables of the patterns of figures."""

    run: Run
    cells: Mapping[Key, Cell]
    days: float | None
    why: Mapping[str, str]

    def make(self) -> Iterator[Table]:
        for figure in figures():
            if figure.optional and self.run.against is None:
                continue
            hooks = [hook for hook in HOOKS if hook in self.run.hooks and figure.speaks_of(hook)]
            if "{hook}" in figure.id:
                for hook in hooks:
                    yield self._table(figure, [hook])
            elif figure.by_hook:
                if hooks:
                    yield self._table(figure, hooks)
            elif figure.id != "both" or {"order-select", "order-sign"} <= {*hooks}:
                yield self._table(figure, [""])

    def _table(self, figure: Figure, hooks: list[str]) -> Table:
        names = {
            "one": self.run.protocol.name,
            "other": self.run.against.name if self.run.against else "",
            "timezone": self.run.timezone,
            "hook": hooks[0],
            "called": CALLED.get(hooks[0], ""),
            "together": TOGETHER[self.run.alone],
        }

        def said(text: str) -> str:
            return _NAME.sub(lambda match: names[match[1]], text)

        rows = [row for hook in hooks for row in self._rows(figure, hook)]
        return Table(
            said(figure.id),
            said(figure.title),
            said(figure.counted),
            tuple(map(said, figure.columns)),
            said(figure.unit),
            said(figure.of),
            tuple(rows) if figure.ranked is None else sorted_rows(rows, figure.ranked),
            tuple(map(said, figure.extra)),
            figure.days,
        )

    def _rows(self, figure: Figure, hook: str) -> Iterator[Row]:
        told: set[Key] = set()
        for line in figure.rows:
            for values in each((line.key, *line.extra), self.cells, at_hook(hook)):
                extra = [k for text in line.extra for k in every(text, self.cells, values)]
                again = figure.once and told.issuperset(extra)
                if line.given and (again or self._cell(key(line.given, values)) == NONE):
                    continue
                if line.told and not self._cell(key(line.key, values)).n:
                    continue
                told.update(extra)
                cell = self._cell(key(line.key, values))
                base = self._cell(key(line.of, values)).n if line.of else None
                yield Row(
                    tuple(self._said(figure, part, values) for part in line.name),
                    cell,
                    base,
                    share(cell.n, base),
                    rate(cell.n, self.days) if figure.days else None,
                    tuple(NONE if again else self._cell(one) for one in extra),
                )

    def _cell(self, key: Key) -> Cell:
        return self.cells.get(key, NONE)

    def _said(self, figure: Figure, text: str, values: Mapping[str, str]) -> str:
        """A part of a row's name, with words for values."""
        named = {name: figure.words.get(value, value) for name, value in values.items()}
        if "need" in values:
            named["need"] = title_of(values["need"])
        named["title"] = self.run.protocol.rules.get(values.get("rule", ""), "")
        named["why"] = self.why.get(values.get("stop", ""), "")
        return _NAME.sub(lambda match: named[match[1]], text)


def sorted_rows(rows: list[Row], by: int = 0) -> tuple[Row, ...]:
    """Most first within the first ``by`` parts of the name, which keep their order.

    What is withheld comes last, by name: its place among the others would tell its size.
    """
    groups = list(dict.fromkeys(row.name[:by] for row in rows))

    def place(row: Row) -> tuple[int, bool, int, tuple[str, ...]]:
        hidden = row.cell.n is None
        return groups.index(row.name[:by]), hidden, -(row.cell.n or 0), row.name

    return tuple(sorted(rows, key=place))

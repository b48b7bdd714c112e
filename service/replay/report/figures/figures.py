"""Figures: the tables of the report, made of what may be published and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.replay.report.disclosure import Cell, Key, protect
from service.replay.report.figures import against, agreement, burden, refusals
from service.replay.report.figures.published import NONE, Published
from service.replay.report.table import Rate, Table, rate, share
from service.replay.report.tally import LOW, ORDER_HOOKS, Quartiles, Tally
from service.replay.row import HOOKS, Run

_WORTH = {
    **dict.fromkeys(("call", "card", "silent", "patients", "orders"), 3),
    # A loud rule says more than how many warnings there were in all.
    **dict.fromkeys(("rule", "lows", "asked", "suggested", "differs", "other-card"), 2),
    **dict.fromkeys(("indicator", "low", "offered", "outcome", "stop", "gap", "after"), 1),
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
class Figures:
    """All that is published. ``days`` is None where even that would tell too much; ``first`` and
    ``last`` are the dates of the first and the last call, "" likewise."""

    run: Run
    cells: Mapping[Key, Cell]
    days: float | None
    first: str
    last: str
    tables: tuple[Table, ...]
    waits: tuple[Wait, ...]

    @property
    def tells_input(self) -> bool:
        """Whether the numbers of what was read may be told: not where they would give back how
        many patients or calls there were."""
        keys = [("patients",), ("quality", "patient_missing", "Patient")]
        keys += [("call", hook) for hook in self.run.hooks]
        return all(self.cell(*key).n is not None for key in keys)

    def table(self, id_: str) -> Table | None:
        return next((table for table in self.tables if table.id == id_), None)

    def cell(self, *key: str) -> Cell:
        return self.cells.get(key, NONE)

    def share(self, part: Key, of: Key) -> Rate | None:
        return share(self.cell(*part).n, self.cell(*of).n)

    def per_100_days(self, *key: str) -> Rate | None:
        return rate(self.cell(*key).n, self.days)


def make_figures(run: Run, tally: Tally, min_cell: int) -> Figures:
    """The Figures of a Tally, with small groups of patients withheld."""
    cells = protect(tally.counts, tally.sums, min_cell, _worth)
    whole = cells[("patients",)].n is not None
    shown = Published(run, tally, cells, tally.days if whole else None)
    hooks = [hook for hook in HOOKS if hook in run.hooks]
    orders = [hook for hook in hooks if hook in ORDER_HOOKS]
    tables = [burden.patients(shown), refusals.observed(shown), refusals.quality(shown)]
    tables.append(burden.cards(shown, hooks))
    if len(orders) == len(ORDER_HOOKS) and ("orders",) in tally.counts:
        tables.append(burden.both(shown))
    if orders:
        tables.append(burden.kinds(shown, orders))
    if "patient-view" in hooks:
        tables.append(burden.levels(shown))
    tables += [burden.rules(shown, hook) for hook in hooks]
    tables += [burden.hours(shown, hook) for hook in hooks]
    for refused in (refusals.asked, refusals.stops, refusals.gaps, refusals.hushed):
        tables.append(refused(shown, hooks))
    for agreed in (
        agreement.outcomes,
        agreement.outcomes_by_route,
        agreement.outcomes_by_rule,
    ):
        tables.append(agreed(shown, hooks))
    tables.append(agreement.lows(shown))
    if run.against is not None:
        for differing in (against.compared, against.differs, against.changes):
            tables.append(differing(shown, hooks))
    enough = max(min_cell, 1)
    waits = tuple(
        Wait(
            band,
            found
            if (found := tally.waits.get(band))
            and found.patients >= enough
            # Quartiles of a withheld group would tell of it.
            and cells["after", band, "ordered"].n is not None
            else None,
        )
        for band in LOW
    )
    first, last = (tally.first[:10], tally.last[:10]) if whole else ("", "")
    return Figures(run, cells, shown.days, first, last, tuple(tables), waits)

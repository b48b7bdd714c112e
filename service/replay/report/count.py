"""Count: what DuckDB counts for the report, within bounded memory.

Every count is one of distinct patients too, and names them (by a number) where they are fewer
than ``min_cell``, so that what is published can be checked for small groups (disclosure). Sums
of fractions are made of whole seconds: the order in which threads add them must not show.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from service.replay.database import database
from service.replay.report.disclosure import Count, Key, Sum
from service.replay.report.figure import LOW, Figure, add_up, figures
from service.replay.row import HOOKS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "512MB"
THREADS = 2
_FEW = 1000
_EXCLUSIVE = ("patients", "counted")
WAITS = """
    SELECT band, count(*), count(DISTINCT who), quantile_cont(hours, 0.25),
           quantile_cont(hours, 0.5), quantile_cont(hours, 0.75)
    FROM low WHERE after = 'ordered' GROUP BY band"""
WHY = "SELECT r.stop, min(r.why) FROM (SELECT unnest(refusals) AS r FROM d) GROUP BY r.stop"


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Hours from a low result to the first magnesium order, of those that had one."""

    n: int
    patients: int
    first: float
    median: float
    third: float


@dataclass(slots=True)
class Counted:
    """Counts by key, what adds up to what, and the figures that are no counts: seconds under
    observation, quartiles of the hours to an order by level, titles of stops, first and last
    day of a call."""

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


def count(folder: Path, min_cell: int) -> Counted:
    """All that the report counts in ``decisions.parquet`` and ``patients.ndjson``."""
    spill = folder / ".report-spill"
    try:
        with database(MEMORY, THREADS, spill) as db:
            for name, file in (("decisions", "decisions.parquet"), ("patients", "patients.ndjson")):
                db.execute(f"SET VARIABLE {name} = ?", [str(folder / file)])
            db.execute(files(__package__).joinpath("rows.sql").read_text(encoding="utf-8"))
            return _count(db, max(min_cell, 1))
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _count(db: DuckDBPyConnection, few: int) -> Counted:
    found = Counted()
    made = {figure.id: _groups(db, figure, few) for figure in figures()}
    for counts in made.values():
        found.counts |= counts
    for hook in (*HOOKS, ""):
        for figure in figures():
            if figure.by_hook == bool(hook) and (
                not figure.optional or any(key[1] == hook for key in made[figure.id])
            ):
                found.sums += add_up(figure.sums, hook, found.counts)
    for band in LOW:
        _same_results(found, band)
    ((seconds, first, last),) = db.execute(
        "SELECT sum(seconds)::BIGINT, min(time)::DATE::VARCHAR, max(time)::DATE::VARCHAR "
        "FROM (SELECT seconds, NULL AS time FROM p UNION ALL SELECT NULL, time FROM d)"
    ).fetchall()
    found.seconds, found.first, found.last = seconds or 0, first or "", last or ""
    found.waits = {band: Quartiles(*rest) for band, *rest in db.execute(WAITS).fetchall()}
    found.why = dict(db.execute(WHY).fetchall())
    return found


def _groups(db: DuckDBPyConnection, figure: Figure, few: int) -> dict[Key, Count]:
    query = f"""
        SELECT key, sum(n)::BIGINT, count(*), min(who, ?)
        FROM (SELECT who, key, count(*) AS n FROM ({figure.query}) AS t(who, key) GROUP BY ALL)
        GROUP BY key"""  # noqa: S608  # a figure's own query
    counts = {}
    for parts, n, patients, who in db.execute(query, [few]).fetchall():
        key = tuple(map(str, parts))
        names = frozenset(map(str, who)) if patients < few else frozenset[str]()
        counts[key] = Count(n, patients, names, key[0] in _EXCLUSIVE)
    return counts


def _same_results(found: Counted, band: str) -> None:
    """The low results of a level are calls at patient-view at that level, all but those decided
    on another result: who reads both tables can take one from the other."""
    calls, low, other = ("level-call", "patient-view", band), ("low", band), ("low-other", band)
    left = found.counts.get(calls, Count()).n - found.counts[low].n
    if left == 0:
        found.sums.append(Sum(calls, (low,)))
    elif left > 0:
        # Whose the others are is not told: as many patients as there are results, at most.
        names = frozenset(f"other {n}" for n in range(min(left, _FEW)))
        found.counts[other] = Count(left, left, names)
        found.sums.append(Sum(calls, (low, other)))

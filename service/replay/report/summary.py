"""Summary: the figures as JSON, for machines.

The shape (``format`` changes when it does):

| key | holds |
|---|---|
| `format` | `repletion-replay-summary/1` |
| `run` | the Run (service/replay/row.py) without the titles of the rules, see below |
| `min_cell` | below which number of patients a count is withheld (0 or 1: none) |
| `sentences` | the five sentences of the report |
| `patient_days` | days under observation; null where withheld |
| `period` | dates of the first and the last call; null where withheld |
| `tables` | by id: `title`, `counted` (how), `of` (the denominator in words), `rows` |
| `waits` | by level: hours from a low result to the first magnesium order, or null |

Of the run, the numbers of what was read are left out where they would tell of few patients.
A row holds the parts of its name by column, ``n`` (null where withheld), ``patients`` (a number,
``"<11"`` where they are fewer than ``min_cell``, null where withheld to protect such a number),
``of`` (the denominator), ``per_100`` and ``per_100_patient_days``, each as
``[rate, low, high]`` at 95 % or null. ``more`` holds further counts by their name.
"""

from __future__ import annotations

from typing import Any

import msgspec

from service.replay.report.disclosure import Cell
from service.replay.report.published import Published, Wait
from service.replay.report.table import Rate, Row, Table

FORMAT = "repletion-replay-summary/1"


def make_summary(figures: Published, sentences: tuple[str, ...], min_cell: int) -> bytes:
    """The summary as indented JSON in UTF-8, keys in a fixed order."""
    whole = {
        "format": FORMAT,
        "run": _run(figures, min_cell),
        "min_cell": min_cell,
        "sentences": list(sentences),
        "patient_days": None if figures.days is None else round(figures.days, 3),
        "period": [figures.first, figures.last] if figures.first else None,
        "tables": {table.id: _table(table, min_cell) for table in figures.tables},
        "waits": {wait.band: _wait(wait) for wait in figures.waits},
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"


def _run(figures: Published, min_cell: int) -> dict[str, Any]:
    run: dict[str, Any] = msgspec.to_builtins(figures.run)
    for profile in (run["protocol"], run.get("against")):
        if profile:
            profile.pop("rules", None)  # their titles stand in the tables
    if 0 < run.get("failed", 0) < min_cell:
        run["failed"] = f"<{min_cell}"
    if not figures.tells_input:
        for name in ("patients", "decisions", "held", "rejected", "unused"):
            run.pop(name, None)
        run["sources"] = [{"name": source["name"]} for source in run["sources"]]
    return run


def _table(table: Table, min_cell: int) -> dict[str, Any]:
    return {
        "title": table.title,
        "counted": table.counted,
        "unit": table.unit,
        "of": table.of or None,
        "rows": [_row(table, row, min_cell) for row in table.rows],
    }


def _row(table: Table, row: Row, min_cell: int) -> dict[str, Any]:
    found: dict[str, Any] = dict(zip(table.columns, row.name, strict=True))
    found |= _cell(row.cell, min_cell)
    if table.of:
        found |= {"of": row.of, "per_100": _rate(row.per_100)}
    if table.days:
        found["per_100_patient_days"] = _rate(row.per_100_days)
    if table.extra:
        found["more"] = {
            name: _cell(cell, min_cell) for name, cell in zip(table.extra, row.extra, strict=True)
        }
    return found


def _cell(cell: Cell, min_cell: int) -> dict[str, Any]:
    few = f"<{min_cell}" if cell.why == "small" else cell.patients
    return {"n": cell.n, "patients": few}


def _rate(rate: Rate | None) -> list[float] | None:
    return None if rate is None else [round(part, 3) for part in (rate.value, rate.low, rate.high)]


def _wait(wait: Wait) -> dict[str, Any] | None:
    hours = wait.hours
    if hours is None:
        return None
    return {
        "n": hours.n,
        "quartiles": [round(h, 2) for h in (hours.first, hours.median, hours.third)],
    }

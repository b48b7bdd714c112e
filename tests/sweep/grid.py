"""The exhaustive grid without draft: magnesium x renal class x flags x enteral state x setting
x each stop alone."""

from __future__ import annotations

from collections.abc import Iterator

from .axes import POINTS, Cell

MAGNESIUM = (*POINTS, "none", "not obtained")
RENAL = ("R0", "R1", "R2", "R3", "R4", "RU")
URGENT = ("none", "torsades", "seizure", "tetany", "qtc 510", "digoxin", "qtc 485")
ENTERAL = ("works", "ileus", "short bowel", "oral first", "oral full")
SETTING = ("inpatient", "ambulatory", "unknown")
STOPS: dict[str, dict[str, str]] = {
    "none": {},
    "age 10": {"person": "child"},
    "birth date unknown": {"person": "no birth date"},
    "heart block": {"heart": "block"},
    "myocardial infarction": {"heart": "mi"},
    "myasthenia": {"heart": "myasthenia"},
    "pregnancy": {"person": "pregnant"},
    "weight 39": {"weight": "39"},
    "weight unknown": {"weight": "unknown"},
    "running IV": {"running": "iv"},
    "given since": {"running": "since"},
    "PRN": {"running": "prn"},
    "do not perform": {"running": "do not perform"},
    "stale": {"quality": "stale"},
    "preliminary": {"quality": "preliminary"},
    "haemolysed": {"quality": "haemolysed"},
    "unit conflict": {"quality": "unit conflict"},
    "not a number": {"quality": "text"},
    "under another key": {"quality": "elsewhere"},
    "conditions not obtained": {"missing": "conditions"},
    "medications not obtained": {"missing": "medications"},
    "administrations not obtained": {"missing": "administrations"},
    "both not obtained": {"missing": "medications administrations"},
}
SIZE = len(MAGNESIUM) * len(RENAL) * len(URGENT) * len(ENTERAL) * len(SETTING) * len(STOPS)


def columns() -> Iterator[dict[str, Cell]]:
    """The grid by columns: the cells that differ in magnesium alone, by magnesium point."""
    for stop in STOPS.values():
        for setting in SETTING:
            for enteral in ENTERAL:
                for urgent in URGENT:
                    for renal in RENAL:
                        base = Cell(renal=renal, urgent=urgent, enteral=enteral, setting=setting)
                        yield {mg: _at(base._replace(**stop), mg) for mg in MAGNESIUM}


def _at(cell: Cell, mg: str) -> Cell:
    if mg != "not obtained":
        return cell._replace(mg=mg)
    missing = "magnesium" if cell.missing == "nothing" else f"magnesium {cell.missing}"
    return cell._replace(mg="1.21", missing=missing)

"""The tables: CSV files beside this package, one row one vignette."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

TABLES = Path(__file__).parent.parent / "vignettes"
HOOKS = ("patient-view", "order-select", "order-sign")
INDICATORS = ("critical", "warning", "info", "no card")


@dataclass(frozen=True)
class Row:
    """One vignette. Empty optional columns check nothing, with two exceptions:

    an empty ``also_offered_at_most`` allows no drug but the recommended one, and ``no drug`` in
    ``recommended`` forbids every create or update of a MedicationRequest. ``none starred`` asks
    for offered drugs of which none is recommended; ``oral only`` allows whatever is not
    parenteral, also nothing; ``any`` leaves drugs open where the texts do. ``says`` and
    ``not_says`` hold substrings, ``;`` between them, ``||`` between alternatives; ``deletes``
    may be ``none``. ``labs_at`` is ``code@dateTime`` of labs beside the recommended drug,
    ``bounded`` the boundsDuration of the recommended drug (``2 d``). A ``?`` in ``source``
    marks a reading the texts leave open.
    """

    id: str
    hook: str
    inputs: str
    worst_indicator: str
    recommended: str
    also_offered_at_most: str = ""
    labs_suggested_at_least: str = ""
    deletes: str = ""
    also_offered_at_least: str = ""
    updates: str = ""
    labs_at: str = ""
    bounded: str = ""
    rule: str = ""
    says: str = ""
    not_says: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.id or self.hook not in HOOKS:
            raise ValueError(f"row {self.id!r}: unknown hook {self.hook!r}")
        if self.worst_indicator not in INDICATORS:
            raise ValueError(f"row {self.id}: unknown indicator {self.worst_indicator!r}")
        if not self.recommended:
            raise ValueError(f"row {self.id}: nothing said about the recommended drug")


COLUMNS = tuple(field.name for field in fields(Row))


def read_table(path: Path) -> list[Row]:
    """The rows of one table; an unknown column or a ragged line is an error."""
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        unknown = set(reader.fieldnames or ()) - set(COLUMNS)
        if unknown:
            raise ValueError(f"{path.name}: unknown columns {sorted(unknown)}")
        rows = []
        for record in reader:
            if None in record or None in record.values():
                raise ValueError(f"{path.name}:{reader.line_num}: ragged line")
            rows.append(Row(**{key: value.strip() for key, value in record.items()}))
    return rows


def all_rows() -> list[Row]:
    """Every row of every table, ids unique over all of them."""
    rows = [row for path in sorted(TABLES.glob("*.csv")) for row in read_table(path)]
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise ValueError(f"row id used twice: {row.id}")
        seen.add(row.id)
    return rows

"""Rows of a replay, written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from service.replay.row import Decided, Ordered, Profile, Run, Source, Trigger, Walked, line
from service.replay.table import write_table

STANDARD = Profile(
    "standard",
    "1.0",
    "Magnesium replacement",
    "ab" * 32,
    {"N1": "Potassium ordered", "D1-sign": "No infusion time stated", "severe": "Severe"},
)
SLOW = Profile("slow-infusion", "1.1", "Slow infusions", "cd" * 32, {})


def run(**changed: Any) -> Run:
    facts: dict[str, Any] = {
        "software": "repletion 0.1.0",
        "protocol": STANDARD,
        "hooks": ("patient-view", "order-select", "order-sign"),
        "answers": "record",
        "timezone": "UTC",
        "min_cell": 0,
        "sources": (Source("export/Observation.ndjson", 1000, 10),),
        "held": {"Observation": 10, "Patient": 3},
        "patients": 3,
        "decisions": 0,
    }
    return Run(**{**facts, **changed})


def decided(
    patient: str, hook: str, trigger: str, order: Ordered | None = None, **more: Any
) -> Decided:
    """``order``: the one at hand, of which its card speaks."""
    type_ = "Observation" if hook == "patient-view" else "MedicationRequest"
    if order is not None:
        more["orders"] = (replace(order, id=trigger, told=more.get("indicator") is not None),)
    facts: dict[str, Any] = {"time": "2026-01-01T08:00:00Z", "hour": 8, "weekday": 3, **more}
    return Decided(patient, hook=hook, trigger=Trigger(type_, trigger), **facts)


def write_rows(
    folder: Path, run: Run, decisions: Iterable[Decided], patients: Iterable[Walked]
) -> Path:
    """The folder as a replay leaves it before its report is written."""
    (folder / "run.json").write_bytes(line(run))
    lines = folder / "decisions"
    lines.write_bytes(b"".join(map(line, decisions)))
    write_table([lines], folder / "decisions.parquet")
    lines.unlink()
    (folder / "patients.ndjson").write_bytes(b"".join(map(line, patients)))
    return folder

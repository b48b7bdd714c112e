"""Walks of few resources in tests: who is walked, and the rows that come of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from service.replay.ask import Ask, ProtocolFile
from service.replay.row import HOOKS, Decided, Walked
from service.replay.scan import USED
from service.replay.walk import Walker
from tests.contract.shapes import LOINC, UCUM, Json

T = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEY = b"a key of tests, long enough"
ALL = tuple(sorted(USED))


def moment(hours: float) -> str:
    return (T + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def patient(**more: Any) -> Json:
    person = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1966-01-15"}
    return {**person, **more}


def of(type_: str, id_: str, **more: Any) -> Json:
    return {"resourceType": type_, "id": id_, "subject": {"reference": "Patient/p1"}, **more}


def lab(code: str, value: float, unit: str, hours: float, **more: Any) -> Json:
    """Collected half an hour before it was issued."""
    given: Json = {
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": moment(hours - 0.5),
        "issued": moment(hours),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }
    return of("Observation", f"{code}-{hours:g}".replace(".", "-"), **{**given, **more})


def magnesium(value: float, hours: float, **more: Any) -> Json:
    return lab("19123-9", value, "mg/dL", hours, **more)


def order(id_: str, text: str, hours: float, **more: Any) -> Json:
    given: Json = {
        "status": "active",
        "intent": "order",
        "authoredOn": moment(hours),
        "medicationCodeableConcept": {"text": text},
    }
    return of("MedicationRequest", id_, **{**given, **more})


def sulfate(id_: str, hours: float, **more: Any) -> Json:
    line = {
        "route": {"text": "IV"},
        "timing": {"repeat": {"count": 1, "duration": 60, "durationUnit": "min"}},
        "doseAndRate": [{"doseQuantity": {"value": 2, "unit": "g"}}],
    }
    return order(id_, "Magnesium sulfate 2 g", hours, **{"dosageInstruction": [line], **more})


def stay(id_: str, start: float, end: float | None, code: str = "IMP", **more: Any) -> Json:
    period = {"start": moment(start)} | ({"end": moment(end)} if end is not None else {})
    status = "finished" if end is not None else "in-progress"
    given: Json = {"status": status, "class": {"code": code}, "period": period}
    return of("Encounter", id_, **{**given, **more})


def lines(resources: Iterable[Json | bytes]) -> list[bytes]:
    return [r if isinstance(r, bytes) else json.dumps(r).encode() for r in resources]


def ask(**more: Any) -> Ask:
    given: dict[str, Any] = {
        "protocol": ProtocolFile("standard"),
        "against": None,
        "hooks": HOOKS,
        "answers": "record",
        "assume_none": (),
        "setting": "",
        "timezone": "UTC",
        "key": KEY,
    }
    return Ask(**{**given, **more})


def walk(
    *resources: Json | bytes, held: Iterable[str] = ALL, **more: Any
) -> tuple[list[Decided], Walked]:
    """(rows, line of the patient) of the patient p1."""
    walker = Walker(ask(**more), held)
    walked = walker.walk("f" * 24, "p1", lines(resources))
    rows = list(walked.decisions())
    return rows, walked.walked(len(rows))


def read_table(path: Path) -> list[Decided]:
    """The rows of a decisions.parquet, in order."""
    with duckdb.connect() as db:
        query = (
            "SELECT * REPLACE (strftime(time, '%Y-%m-%dT%H:%M:%SZ') AS time) FROM read_parquet(?)"
        )
        found = db.execute(query, [str(path)])
        names = [column[0] for column in found.description or ()]
        return [
            msgspec.convert(dict(zip(names, row, strict=True)), Decided) for row in found.fetchall()
        ]


def at(rows: Iterable[Decided], hours: float, hook: str = "patient-view") -> Decided:
    (row,) = [row for row in rows if row.time == moment(hours) and row.hook == hook]
    return row

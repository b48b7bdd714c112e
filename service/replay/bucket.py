"""Bucket: some patients walked, one after the other. What every engine maps over its data."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from service.replay.ask import Ask
from service.replay.record import medication_ids
from service.replay.row import Walked, line
from service.replay.sample import Sample
from service.replay.scan import patient_of, split
from service.replay.walk import Walker

Lookup = Callable[[Iterable[str]], list[bytes]]
_HERE = Path(__file__).parents[2]


def walk_records(
    records: Iterable[bytes], walker: Walker, medications: Lookup, sample: Sample
) -> Iterator[tuple[list[bytes], bytes, bool]]:
    """(lines of the decisions, line of the patient, whether the patient was walked) of each
    patient of a bucket, in order; ``sample`` draws among their cards."""
    patients: dict[str, list[bytes]] = {}
    for record in records:
        patient, text = split(record)
        patients.setdefault(patient, []).append(text)
    for patient in sorted(patients):
        lines = patients.pop(patient)
        try:
            walk = walker.walk(
                patient,
                patient_of(lines[0]) or "",
                [*lines, *medications(medication_ids(lines))],
                sample,
            )
            rows = [line(row) for row in walk.decisions()]
            sample.add(walk.drawn)
            yield rows, line(walk.walked(len(rows))), True
        except Exception as error:  # a fault of ours: one patient, not the whole run
            yield [], line(Walked(patient, failed=_where(error))), False


_kept: list[tuple[Ask, tuple[str, ...], Walker]] = []


def walker(ask: Ask, held: tuple[str, ...]) -> Walker:
    """Made once in a process: a protocol takes longer to read than a small bucket to walk."""
    if not _kept or _kept[0][:2] != (ask, held):
        _kept[:] = [(ask, held, Walker(ask, held))]
    return _kept[0][2]


def _where(error: Exception) -> str:
    """What broke and where; never the message, which may quote the record."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(_HERE)
    ]
    where = f"{Path(ours[-1].filename).relative_to(_HERE)}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {where}"

"""Levels: what is offered at each band, kind of patient and renal class, found from the file.

The answer a pharmacist looks for first. It is worked out from the regimen table as the core does
it: the first row that holds decides, and what setting, cap or stop forbids is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby

from msgspec import Struct

from cards.handbook.rows import Dose
from cards.handbook.spoken import dose, only, recheck
from cards.protocol.flags import FLAGS, SYMPTOMS, URGENT
from cards.protocol.model import Band, Option, ProtocolFile, Regimen, Setting, When
from cards.protocol.regimens import (
    Patient,
    Room,
    cap,
    decided,
    fitting,
    holds,
    rechecks,
    relaxed,
)

# The patient of whom nothing is said: neither his weight nor what he was given narrows the cap.
WEIGHT = Decimal(70)


class Gets(Struct, frozen=True, gc=False):
    """What a renal class gets: options with their recheck, or none and ``says``, why.

    ``rows`` are the numbers of the regimen rows that decide; ``recheck`` is the starred option's.
    """

    doses: tuple[Dose, ...] = ()
    recheck: str = ""
    says: str = ""
    rows: tuple[int, ...] = ()


class PatientKind(Struct, frozen=True, gc=False):
    """A kind of patient at one band: ``flags`` met, ``weight`` where rows ask for one."""

    band: Band
    flags: frozenset[str]
    weight: Decimal
    cells: tuple[Gets, ...]


class Levels(Struct, frozen=True, gc=False):
    """The lines of one setting; ``columns`` are renal classes that get the same at every line."""

    setting: Setting
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[PatientKind, ...]
    weight: Decimal = WEIGHT


def levels(file: ProtocolFile, setting: Setting) -> Levels:
    """The Levels of a file. A line that only repeats those of its parts is left out."""
    ids: list[str] = [row.id for row in file.renal]
    lines = [line for band in file.band for line in _lines(file, band, setting, ids)]
    columns = [tuple(line.cells[n] for line in lines) for n in range(len(ids))]
    same = [list(group) for _, group in groupby(range(len(ids)), key=lambda n: columns[n])]
    kept = tuple(
        PatientKind(
            line.band, line.flags, line.weight, tuple(line.cells[group[0]] for group in same)
        )
        for line in lines
    )
    return Levels(setting, tuple(tuple(ids[n] for n in group) for group in same), kept)


def _lines(
    file: ProtocolFile, band: Band, setting: Setting, ids: list[str]
) -> Iterator[PatientKind]:
    kept: list[PatientKind] = []
    for flags, weight in _kinds(file):
        if band.acts_as == "normal" and SYMPTOMS in flags:
            continue  # symptoms count below the normal band only
        cells = tuple(
            _cell(file, Patient(band.name, band.acts_as, setting, id_, flags, weight))
            for id_ in ids
        )
        parts = [line for line in kept if line.flags <= flags and line.weight in (weight, WEIGHT)]
        nearest = [line for line in parts if not any(_within(line, other) for other in parts)]
        if nearest and all(line.cells == cells for line in nearest):
            continue
        kept.append(PatientKind(band, flags, weight, cells))
    yield from kept


def _within(line: PatientKind, other: PatientKind) -> bool:
    """Whether a line is a part of another one: fewer flags, or no weight asked for."""
    return line is not other and line.flags <= other.flags and line.weight in (other.weight, WEIGHT)


def _kinds(file: ProtocolFile) -> list[tuple[frozenset[str], Decimal]]:
    """The kinds of patient that rows tell apart: none, each flag, each set that a row names."""
    found = {(frozenset[str](), WEIGHT)}
    for row in file.regimen:
        for flags in (row.when.flags, *((flag,) for flag in (*row.when.flags, *row.when.without))):
            found.add((frozenset(flags), WEIGHT))
        for bound in (row.when.weight_from, row.when.weight_to):
            if bound is not None:
                found.add((frozenset(row.when.flags), bound))
    return sorted(
        found, key=lambda kind: (kind[1] != WEIGHT, len(kind[0]), _order(kind[0]), kind[1])
    )


def _order(flags: frozenset[str]) -> tuple[int, ...]:
    return tuple(n for n, flag in enumerate(FLAGS) if flag in flags)


def _cell(file: ProtocolFile, patient: Patient) -> Gets:
    if stop := _stop(file, patient):
        return Gets(says=stop)
    found = decided(file, patient, lambda row, seen: _opened(file, row, seen))
    if found.row is None:
        return Gets(says="nothing", rows=found.rows)
    options = found.options
    first = next((o for o in options if o.star), options[0] if options else None)
    return Gets(
        tuple(dose(file, option, _only(file, option, patient)) for option in options),
        _recheck(file, found.row, first, patient) if first else "",
        "" if options else found.row.why,
        found.rows,
    )


def _stop(file: ProtocolFile, patient: Patient) -> str:
    """The hard stop that the patient itself is; "" when it is none."""
    if patient.renal in ("R3", "R4"):
        return f"H2: {file.stop['H2'].says}"
    if patient.acts_as in ("high", "toxic"):
        return f"H3: {file.stop['H3'].says}"
    life = "life" in patient.flags
    if patient.acts_as == "normal" and patient.setting == "inpatient" and not life:
        return "a normal level is not treated"
    exempt = life and file.stop["H2-unknown"].life_exempt
    if patient.renal == "RU" and not relaxed(file, "RU") and not exempt:
        return f"H2: {file.stop['H2-unknown'].says}"
    low = patient.acts_as in ("severe", "moderate", "mild")
    urgent = bool(patient.flags & URGENT) or patient.acts_as == "severe"
    if patient.setting == "ambulatory" and ((low and urgent) or life):
        return f"H11: {file.stop['H11'].says}"
    return ""


def _opened(file: ProtocolFile, row: Regimen, patient: Patient) -> list[Option]:
    """The options of a row as they are offered to a patient whom nothing else hinders: whether
    the weight and the flags they ask for are there is told beside them."""
    found = []
    for option in row.offer:
        when = option.when
        told = When(
            classes=when.classes,
            bands=when.bands,
            settings=when.settings,
            renal=when.renal,
            without=when.without,
        )
        weight = when.weight_to or when.weight_from or patient.weight
        room = Room(cap(file, patient.renal, weight))
        given = fitting(file, row, option, patient.setting, room)
        if given is not None and holds(told, patient):
            found.append(given)
    return found


def _only(file: ProtocolFile, option: Option, patient: Patient) -> str:
    """The option's condition that the patient leaves open."""
    if patient.acts_as == "normal" and "life" not in patient.flags:
        return (
            f"only after intravenous magnesium within {file.limit.maintenance_window.said}, "
            "while a cause persists and no oral magnesium is active"
        )
    when = option.when
    unmet = tuple(flag for flag in when.flags if flag not in patient.flags)
    return only(
        When(
            flags=unmet,
            without=when.without,
            weight_from=when.weight_from,
            weight_to=when.weight_to,
        )
    )


def _recheck(file: ProtocolFile, row: Regimen, option: Option, patient: Patient) -> str:
    found = rechecks(file, file.product[option.product].route, row.id, patient)
    return "; ".join(recheck(text) for text in found)

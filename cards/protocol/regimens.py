"""Regimens: what the regimen table gives to whom, how much fits, when the level is looked at again.

The one reading of ``[[renal]]``, ``[[regimen]]`` and ``[[followup]]``: the offers of a card, the
checks of a draft, ``protocol check`` and the protocol's page all ask here. The first row that
holds decides; what the setting, a stop or the 24 h limit forbids is left out, never replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from cards.protocol.model import CLASSES, LOW, Option, ProtocolFile, Regimen, Renal, When

RECHECK = re.compile(r"(end|start)\+(\d+)([hd])")
_FULL, _FIRST = "oral-full-dose", "oral-first-step"


class Patient(Struct, frozen=True, gc=False):
    """A patient as rows see one; ``weight`` in kg, None when not known."""

    band: str | None
    acts_as: str | None
    setting: str
    renal: str
    flags: frozenset[str]
    weight: Decimal | None


class Decided(Struct, frozen=True, gc=False):
    """The row that decides and its options that are open; ``rows`` are the numbers of all rows
    that held on the way to it."""

    rows: tuple[int, ...]
    row: Regimen | None = None
    options: tuple[Option, ...] = ()


class Room(Struct, frozen=True, gc=False):
    """What may be given now: ``left`` grams of the 24 h limit; ``exempt`` whether a
    life-threatening arrhythmia does not ask for them; ``parenteral`` whether any may."""

    left: Decimal
    exempt: bool = True
    parenteral: bool = True


# -- who ---------------------------------------------------------------------------------------
def fits(when: When, patient: Patient) -> bool:
    """Whether a condition holds but for its flags."""
    weight = patient.weight
    return (
        (not when.classes or patient.acts_as in when.classes)
        and (not when.bands or patient.band in when.bands)
        and (not when.settings or patient.setting in when.settings)
        and (not when.renal or patient.renal in when.renal)
        and (when.weight_from is None or (weight is not None and weight >= when.weight_from))
        and (when.weight_to is None or (weight is not None and weight <= when.weight_to))
    )


def met(when: When, flags: frozenset[str]) -> bool:
    """Whether the flags a condition asks for are there, and those it excludes are not."""
    return flags.issuperset(when.flags) and flags.isdisjoint(when.without)


def holds(when: When, patient: Patient) -> bool:
    """Whether every stated part of a condition holds; an unstated part always does."""
    return fits(when, patient) and met(when, patient.flags)


def decided(
    file: ProtocolFile, patient: Patient, opened: Callable[[Regimen, Patient], Iterable[Option]]
) -> Decided:
    """The first row that holds, with the options that ``opened`` leaves of it."""
    if _FULL in patient.flags and renal(file, patient.renal).oral == "reduced":
        # Oral magnesium is active: no second one in a reduced class (ruling 41).
        patient = replace(patient, flags=patient.flags | {_FIRST})
    rows: list[int] = []
    for index, row in enumerate(file.regimen):
        if not (fits(row.when, patient) and met(row.when, patient.flags)):
            continue
        rows.append(index)
        options = tuple(opened(row, patient))
        if not goes_on(row, options):
            return Decided(tuple(rows), row, options)
    return Decided(tuple(rows))


def goes_on(row: Regimen, options: Iterable[Option]) -> bool:
    """Whether the next row decides instead: the starred option of this one cannot be given."""
    starred = row.else_next and any(option.star for option in row.offer)
    return starred and not any(option.star for option in options)


def open_options(
    file: ProtocolFile, row: Regimen, patient: Patient, room: Room
) -> Iterator[Option]:
    """The options of a row that are open to a patient."""
    for option in row.offer:
        if holds(option.when, patient):
            given = fitting(file, row, option, patient.setting, room)
            if given is not None:
                yield given


def fitting(
    file: ProtocolFile, row: Regimen, option: Option, setting: str, room: Room
) -> Option | None:
    """The option, or its first step alone, when it may be given; None when it may not."""
    if file.product[option.product].route == "po":
        return option
    if setting == "ambulatory" or not room.parenteral:
        return None
    if (room.exempt and for_life(row)) or grams(option) <= room.left:
        return option
    return first_alone(option) if first_grams(option) <= room.left else None


def for_life(row: Regimen) -> bool:
    """Whether a row is for life-threatening arrhythmia: exempt from the 24 h limit, once."""
    return "life" in row.when.flags


# -- how much ----------------------------------------------------------------------------------
def renal(file: ProtocolFile, id_: str) -> Renal:
    return next(row for row in file.renal if row.id == id_)


def relaxed(file: ProtocolFile, name: str) -> bool:
    return any(row.stop == name for row in file.relaxed)


def cap(
    file: ProtocolFile, id_: str, weight: Decimal | None, *, suggesting: bool = True
) -> Decimal:
    """The grams of parenteral magnesium a renal class may get in 24 h; ``suggesting`` applies the
    2 g of an unknown weight, which a drafted order is not measured against (ruling 6)."""
    row = renal(file, id_)
    found = row.cap_g
    if weight is not None and row.cap_g_per_kg is not None:
        found = min(found, row.cap_g_per_kg * weight)
    if weight is None and suggesting and not relaxed(file, "weight-unknown"):
        found = min(found, file.limit.unknown_weight_iv.value)
    return found


def grams(option: Option) -> Decimal:
    """All parenteral grams of an option, as they count towards the 24 h limit."""
    return first_grams(option) + (option.then_dose or 0)


def first_grams(option: Option) -> Decimal:
    """The grams that must fit for the option to be offered: those of its first step alone."""
    return option.dose * (option.count or 1)


def first_alone(option: Option) -> Option:
    """An option without its second infusion."""
    return option.model_copy(update={"then_dose": None, "then_minutes": None})


def then_alone(option: Option) -> Option | None:
    """The second infusion of an option by itself; None when there is none."""
    if option.then_dose is None:
        return None
    second = {"dose": option.then_dose, "minutes": option.then_minutes}
    return first_alone(option).model_copy(update=second)


def largest_dose(file: ProtocolFile, id_: str, acts_as: str | None = None) -> Decimal:
    """Grams of the largest single parenteral dose that the table gives a renal class at a level,
    in an emergency of life apart; at any low level where it gives none at this one."""
    for level in (acts_as, None):
        found = [
            option.dose
            for row, option in _rows_for(file, id_, level)
            if not for_life(row) and file.product[option.product].route != "po"
        ]
        if found:
            return max(found)
    return Decimal(0)


def largest_oxide(file: ProtocolFile, id_: str) -> Decimal:
    """Milligrams a day of magnesium oxide that the table gives a renal class, at most."""
    found = (
        option.dose * (option.per_day or 1)
        for _, option in _rows_for(file, id_, None)
        if file.product[option.product].salt == "oxide"
    )
    return max(found, default=Decimal(0))


def gives_oral(file: ProtocolFile, id_: str, acts_as: str | None) -> bool:
    """Whether a renal class gets oral magnesium at a level, as far as anybody does."""

    def given(class_: str) -> bool:
        rows = _rows_for(file, class_, acts_as)
        return any(file.product[option.product].route == "po" for _, option in rows)

    return given(id_) or not any(given(row.id) for row in file.renal if row.oral == "full")


def _rows_for(file: ProtocolFile, id_: str, acts_as: str | None) -> list[tuple[Regimen, Option]]:
    """Rows and their options for a renal class, at a level or at any low one."""
    wanted = {acts_as} if acts_as is not None else LOW
    return [
        (row, option)
        for row in file.regimen
        for option in row.offer
        if id_ in classes_of(file, row.when, option.when)
        and wanted & set(acting(file, row.when, option.when))
    ]


def classes_of(file: ProtocolFile, *whens: When) -> tuple[str, ...]:
    """The renal classes that rows and their options speak of; those that do not always refuse
    when nothing is stated."""
    stated = [set(when.renal) for when in whens if when.renal]
    open_ = {row.id for row in file.renal if row.intravenous != "refuse" or row.oral != "refuse"}
    ids = set.intersection(*stated) if stated else open_
    return tuple(row.id for row in file.renal if row.id in ids)


def acting(file: ProtocolFile, *whens: When) -> tuple[str, ...]:
    """The classes of level rows and their options speak of: all that may be treated when none
    is."""
    found = {band.acts_as for band in file.band} - {"high", "toxic"}
    for when in whens:
        if when.classes:
            found &= set(when.classes)
        if when.bands:
            found &= {band.acts_as for band in file.band if band.name in when.bands}
    return tuple(acts_as for acts_as in CLASSES if acts_as in found)


# -- when again --------------------------------------------------------------------------------
def rechecks(file: ProtocolFile, route: str, regimen: str, patient: Patient) -> tuple[str, ...]:
    """The rechecks of the first follow-up row that holds: ``end+6h``, ``next-morning``, …"""
    for row in file.followup:
        if (
            route in row.routes
            and (not row.regimens or regimen in row.regimens)
            and fits(row.when, patient)
        ):
            return row.recheck
    return ()


@lru_cache(maxsize=256)
def recheck_after(recheck: str) -> tuple[str, timedelta] | None:
    """(``end`` or ``start``, how long after it); None for the next morning."""
    match = RECHECK.fullmatch(recheck)
    if match is None:
        return None
    return match[1], timedelta(hours=int(match[2]) * (24 if match[3] == "d" else 1))


def lasts(found: Sequence[str]) -> int | None:
    """Days an oral order lasts: until its first recheck at a stated time (protocol section 6);
    None when none is stated, which a file is refused for."""
    times = (after for recheck in found if (after := recheck_after(recheck)) is not None)
    first = next((time for anchor, time in times if anchor == "start"), None)
    return None if first is None else max(first.days, 1)

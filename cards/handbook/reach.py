"""Reach: every combination of facts that regimen rows can tell apart, to find rows that no
patient reaches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import combinations, product

from msgspec import Struct

from cards.protocol.flags import LIFE, SYMPTOMS, URGENT
from cards.protocol.model import LOW, ProtocolFile, When
from cards.protocol.regimens import Patient, Room, cap, fits, fitting, goes_on, met, relaxed

# A patient whose oral magnesium is the full amount is past the first step.
_EXCLUSIVE = (frozenset({"oral-first-step", "oral-full-dose"}),)


class Reach(Struct, frozen=True, gc=False):
    """Which rows decide for some patient, and which of their options are then offered.

    ``rows`` are row numbers, ``options`` (row, option) numbers; ``answered`` the bands at which
    some patient is offered something for the level itself, without urgent symptoms.
    """

    rows: frozenset[int]
    options: frozenset[tuple[int, int]]
    answered: frozenset[str]


class _Candidate(Struct, frozen=True, gc=False):
    """A row that decides for a kind of patient if his flags say so; ``options`` are those open
    to him, with their numbers. Flags are looked at last: there are hundreds of sets of them."""

    index: int
    when: When
    options: tuple[tuple[int, When], ...]
    goes_on: bool


def reach(file: ProtocolFile) -> Reach:
    """The Reach of a file's regimen table."""
    rows: set[int] = set()
    options: set[tuple[int, int]] = set()
    answered: set[str] = set()
    sets = _flag_sets(file)
    for patient in _kinds(file):
        candidates = tuple(_candidates(file, patient))
        # Unknown renal function is treated in life-threatening arrhythmia, or where relaxed.
        only_life = patient.renal == "RU" and not relaxed(file, "RU")
        for flags in sets:
            if only_life and LIFE not in flags:
                continue
            if patient.acts_as == "normal" and SYMPTOMS in flags:
                continue
            for candidate in candidates:
                if not met(candidate.when, flags):
                    continue
                rows.add(candidate.index)
                given = [(candidate.index, n) for n, when in candidate.options if met(when, flags)]
                options.update(given)
                if given and not flags & URGENT:
                    answered.add(patient.band or "")
                # Its starred option may still be refused by a stop or by what was given before.
                if not candidate.goes_on:
                    break
    return Reach(frozenset(rows), frozenset(options), frozenset(answered))


def _candidates(file: ProtocolFile, patient: Patient) -> Iterator[_Candidate]:
    room = Room(cap(file, patient.renal, patient.weight))
    for index, row in enumerate(file.regimen):
        if fits(row.when, patient):
            given = tuple(
                (number, option.when)
                for number, option in enumerate(row.offer)
                if fits(option.when, patient)
                and fitting(file, row, option, patient.setting, room) is not None
            )
            yield _Candidate(index, row.when, given, goes_on(row, ()))


def _flag_sets(file: ProtocolFile) -> list[frozenset[str]]:
    """Every set of flags that rows can tell apart."""
    named = sorted({flag for when in _whens(file) for flag in (*when.flags, *when.without)})
    return [
        frozenset(some)
        for size in range(len(named) + 1)
        for some in combinations(named, size)
        if not any(pair <= set(some) for pair in _EXCLUSIVE)
    ]


def _whens(file: ProtocolFile) -> list[When]:
    whens = [row.when for row in file.regimen]
    return whens + [option.when for row in file.regimen for option in row.offer]


def _kinds(file: ProtocolFile) -> Iterator[Patient]:
    """Every kind of patient, his flags left open."""
    bands = [band for band in file.band if band.acts_as in LOW or band.acts_as == "normal"]
    renal = [row.id for row in file.renal if row.id not in ("R3", "R4")]
    for band, setting, id_, weight in product(
        bands, ("inpatient", "ambulatory"), renal, _weights(_whens(file))
    ):
        yield Patient(band.name, band.acts_as, setting, id_, frozenset(), weight)


def _weights(whens: list[When]) -> list[Decimal | None]:
    bounds = {b for when in whens for b in (when.weight_from, when.weight_to) if b is not None}
    return [None, Decimal(70), *sorted(bounds)]

"""State: every combination of facts that regimen rows can tell apart, to find rows that no
patient reaches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, product

from cards.protocol.faults import first_grams
from cards.protocol.model import LOW, Option, ProtocolFile, Regimen, When

_URGENT = frozenset({"life", "symp"})
# A patient whose oral magnesium is the full amount is past the first step.
_EXCLUSIVE = (frozenset({"oral-first-step", "oral-full-dose"}),)


@dataclass(frozen=True, slots=True)
class State:
    """A kind of patient, as regimen rows see one; ``weight`` None is unknown."""

    band: str
    acts_as: str
    setting: str
    renal: str
    flags: frozenset[str]
    weight: Decimal | None


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rows decide for some patient, and which of their options are then offered.

    ``rows`` are row numbers, ``options`` (row, option) numbers; ``answered`` the bands at which
    some patient is offered something for the level itself, without urgent symptoms.
    """

    rows: frozenset[int]
    options: frozenset[tuple[int, int]]
    answered: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The flags a condition asks for and excludes."""

    flags: frozenset[str]
    without: frozenset[str]

    @classmethod
    def of(cls, when: When) -> _Asked:
        return cls(frozenset(when.flags), frozenset(when.without))

    def met(self, flags: frozenset[str]) -> bool:
        return self.flags <= flags and not self.without & flags


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row that decides for a kind of patient if his flags say so; ``options`` are those open
    to him, with their numbers. Flags are looked at last: there are hundreds of sets of them."""

    index: int
    asked: _Asked
    options: tuple[tuple[int, _Asked], ...]
    goes_on: bool


def reach(file: ProtocolFile) -> Reach:
    """The Reach of a file's regimen table."""
    rows: set[int] = set()
    options: set[tuple[int, int]] = set()
    answered: set[str] = set()
    sets = _flag_sets(file)
    # Unknown renal function is treated in life-threatening arrhythmia, or where relaxed.
    relaxed = any(row.stop == "RU" for row in file.relaxed)
    for state in _kinds(file):
        candidates = tuple(_candidates(file, state))
        only_life = state.renal == "RU" and not relaxed
        for flags in sets:
            if only_life and "life" not in flags:
                continue
            if state.acts_as == "normal" and "symp" in flags:
                continue
            for candidate in candidates:
                if not candidate.asked.met(flags):
                    continue
                rows.add(candidate.index)
                given = [(candidate.index, n) for n, asked in candidate.options if asked.met(flags)]
                options.update(given)
                if given and not flags & _URGENT:
                    answered.add(state.band)
                # Its starred option may still be refused by a stop or by what was given before.
                if not candidate.goes_on:
                    break
    return Reach(frozenset(rows), frozenset(options), frozenset(answered))


def _candidates(file: ProtocolFile, state: State) -> Iterator[_Candidate]:
    for index, row in enumerate(file.regimen):
        if _fits(row.when, state):
            given = tuple(
                (number, _Asked.of(option.when))
                for number, option in enumerate(row.offer)
                if _open(file, row, option, state)
            )
            goes_on = row.else_next and any(option.star for option in row.offer)
            yield _Candidate(index, _Asked.of(row.when), given, goes_on)


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


def _kinds(file: ProtocolFile) -> Iterator[State]:
    """Every kind of patient, his flags left open."""
    bands = [band for band in file.band if band.acts_as in LOW or band.acts_as == "normal"]
    renal = [row.id for row in file.renal if row.id not in ("R3", "R4")]
    for band, setting, id_, weight in product(
        bands, ("inpatient", "ambulatory"), renal, _weights(_whens(file))
    ):
        yield State(band.name, band.acts_as, setting, id_, frozenset(), weight)


def _weights(whens: list[When]) -> list[Decimal | None]:
    bounds = {b for when in whens for b in (when.weight_from, when.weight_to) if b is not None}
    return [None, Decimal(70), *sorted(bounds)]


def holds(when: When, state: State) -> bool:
    """Whether every stated part of a condition holds."""
    return _fits(when, state) and _Asked.of(when).met(state.flags)


def _fits(when: When, state: State) -> bool:
    """Whether a condition holds but for its flags."""
    return (
        state.acts_as in (when.classes or (state.acts_as,))
        and state.band in (when.bands or (state.band,))
        and state.setting in (when.settings or (state.setting,))
        and state.renal in (when.renal or (state.renal,))
        and (when.weight_from is None or (state.weight or 0) >= when.weight_from)
        and (when.weight_to is None or when.weight_to >= (state.weight or when.weight_to + 1))
    )


def _open(file: ProtocolFile, regimen: Regimen, option: Option, state: State) -> bool:
    """Whether an option is offered to a patient of whom nothing was given and no stop holds, if
    his flags allow it."""
    if not _fits(option.when, state):
        return False
    if file.product[option.product].route == "po":
        return True
    if state.setting == "ambulatory":
        return False
    return "life" in regimen.when.flags or first_grams(option) <= cap(file, state)


def cap(file: ProtocolFile, state: State) -> Decimal:
    """The 24 h cap in grams that the core finds for a patient like this."""
    row = next(row for row in file.renal if row.id == state.renal)
    found = row.cap_g
    if state.weight is not None and row.cap_g_per_kg is not None:
        found = min(found, row.cap_g_per_kg * state.weight)
    relaxed = any(entry.stop == "weight-unknown" for entry in file.relaxed)
    if state.weight is None and not relaxed:
        found = min(found, file.limit.unknown_weight_iv.value)
    return found

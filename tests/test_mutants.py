"""Seeded faults: each is noticed by the parser, a vignette, an invariant or a test of shapes."""

from __future__ import annotations

import pytest

from tests.mutants import CARDS, CAUGHT, FAULTS, SECOND_WALL, Fault, verdict
from tests.mutants.judge import ROOT, SHAPES
from tests.vignette import all_rows


def faults(chosen: tuple[Fault, ...]) -> list[object]:
    return [pytest.param(fault, id=f"{fault.file}: {fault.name}") for fault in chosen]


def test_there_are_enough_and_each_has_its_name() -> None:
    names = [fault.name for fault in (*FAULTS, *SECOND_WALL)]
    assert len(names) == len(set(names))
    assert len(FAULTS) >= 150
    files = {fault.file.split("/")[0] for fault in FAULTS}
    rooms = "protocols protocol assessment plan chart orders evidence fhir units"
    assert files == set(rooms.split())


@pytest.mark.parametrize("fault", faults((*FAULTS, *SECOND_WALL)))
def test_a_fault_changes_the_source(fault: Fault) -> None:
    """Its text stands there exactly once: a fault cannot become one that changes nothing."""
    text = (CARDS / fault.file).read_text(encoding="utf-8")
    assert fault.apply(text) != text


def test_the_record_names_what_there_is() -> None:
    """What is tried first (caught.toml): a vignette or invariant that exists, for every fault."""
    known = {row.id for row in all_rows()} | {"parser", "columns", "cells", "random"}
    assert {fault.name for fault in FAULTS} - set(CAUGHT) == set(), "make it: --record"
    assert set(CAUGHT) - {fault.name for fault in FAULTS} == set()
    tests = {name for name in CAUGHT.values() if name.startswith(SHAPES)}
    assert set(CAUGHT.values()) - tests <= known
    for name in tests:
        path, _, test = name.partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.mutation
@pytest.mark.rotates
def test_a_record_out_of_date_hides_nothing() -> None:
    """Another vignette is tried first and passes: the fault is caught all the same."""
    (fault,) = (fault for fault in FAULTS if fault.name == "a borderline result is treated")
    other = next(row.id for row in all_rows() if row.id != CAUGHT[fault.name])
    assert verdict(fault, first=other).name == CAUGHT[fault.name]


@pytest.mark.mutation
@pytest.mark.rotates
def test_without_a_fault_nothing_is_noticed() -> None:
    found = verdict(Fault("none", "units/quantity.py", ()))
    assert not found.caught, found.what


@pytest.mark.mutation
@pytest.mark.rotates
@pytest.mark.parametrize("fault", faults(FAULTS))
def test_a_fault_is_caught(fault: Fault) -> None:
    assert verdict(fault).caught


@pytest.mark.mutation
@pytest.mark.rotates
@pytest.mark.parametrize("fault", faults(SECOND_WALL))
def test_a_fault_before_a_second_wall_changes_no_card(fault: Fault) -> None:
    assert not verdict(fault).caught

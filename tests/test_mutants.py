"""Seeded faults: each is noticed by the parser, a vignette or an invariant of the sweep."""

from __future__ import annotations

import pytest

from tests.mutants import CARDS, FAULTS, SECOND_WALL, Fault, verdict


def faults(chosen: tuple[Fault, ...]) -> list[object]:
    return [pytest.param(fault, id=f"{fault.file}: {fault.name}") for fault in chosen]


def test_there_are_enough_and_each_has_its_name() -> None:
    names = [fault.name for fault in (*FAULTS, *SECOND_WALL)]
    assert len(names) == len(set(names))
    assert len(FAULTS) >= 150
    files = {fault.file.split("/")[0] for fault in FAULTS}
    assert files == {"protocols", "protocol", "assessment", "plan", "chart", "units"}


@pytest.mark.parametrize("fault", faults((*FAULTS, *SECOND_WALL)))
def test_a_fault_changes_the_source(fault: Fault) -> None:
    """Its text stands there exactly once: a fault cannot become one that changes nothing."""
    text = (CARDS / fault.file).read_text(encoding="utf-8")
    assert fault.apply(text) != text


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

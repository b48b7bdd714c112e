"""Golden pairs: a fixture at its own time gives its response, whole, to the byte."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from service.answer import answer
from service.cdshooks.fixture import Fixture, read_fixture
from service.cdshooks.schema import explain
from tests.contract.golden import FIXTURES, HOOKS, response, response_path


def fixture_of(path: Path) -> Fixture:
    fixture = read_fixture(path.read_bytes())
    assert fixture is not None
    return fixture


def test_there_are_pairs_and_no_orphans() -> None:
    assert len(HOOKS) >= 2
    assert {p.name for p in (FIXTURES / "responses").glob("*.json")} == {p.name for p in HOOKS}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda p: p.stem)
def test_the_response_is_the_golden_one(hook: Path) -> None:
    assert response(hook).decode() == response_path(hook).read_text()


@pytest.mark.parametrize("hook", HOOKS, ids=lambda p: p.stem)
def test_at_its_own_time_a_fixture_is_sent_as_written(hook: Path) -> None:
    fixture = fixture_of(hook)
    assert msgspec.json.decode(fixture.body(fixture.now)) == fixture.request


@pytest.mark.parametrize("hook", HOOKS, ids=lambda p: p.stem)
def test_moved_to_another_present_it_gives_the_same_advice(hook: Path) -> None:
    fixture = fixture_of(hook)
    then = datetime(2031, 7, 9, 21, 47, 13, 512, tzinfo=UTC)
    moved = answer(fixture.body(then), fixture.service, then)
    kept = answer(fixture.body(fixture.now), fixture.service, fixture.now)
    assert moved.decision.rules == kept.decision.rules
    assert [c.indicator for c in moved.decision.cards] == [c.indicator for c in kept.decision.cards]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda p: p.stem)
def test_fixtures_and_responses_keep_their_schemas(hook: Path) -> None:
    fixture = fixture_of(hook)
    name = f"request-{fixture.request['hook']}"
    assert not explain(name, fixture.body(fixture.now))
    assert not explain("response", response(hook))

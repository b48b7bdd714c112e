"""Fixtures with one thing broken: never a 5xx, never a hang, never a warning turned to silence."""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from flask.testing import FlaskClient

from service.cdshooks.fixture import Fixture, read_fixture
from service.config.settings import Settings
from service.observe import Observer
from service.server.app import create_app
from tests.contract.golden import HOOKS
from tests.fuzz.mutate import Mutant, mutant, mutants, nodes
from tests.fuzz.rule import verdict, worst

# Time is read to see hangs, not to decide anything.
pytestmark = pytest.mark.real_clock
_MOST_S = 2.0


def fixture(path: Path) -> Fixture:
    found = read_fixture(path.read_bytes())
    assert found is not None
    return found


def client(found: Fixture) -> FlaskClient:
    app = create_app(Settings(), now=lambda: found.now, observer=Observer(io.StringIO()))
    return app.test_client()


def run(path: Path, count: int, seed: int) -> None:
    found = fixture(path)
    caller, url = client(found), f"/cds-services/{found.service}"
    body = found.body(found.now)

    def send(data: bytes) -> tuple[int, bytes]:
        answer = caller.post(url, data=data, content_type="application/json")
        return answer.status_code, answer.data

    before = worst(send(body)[1])
    seen: Counter[str] = Counter()
    wrong: list[tuple[str, Mutant]] = []
    for made in islice(mutants(json.loads(body), Random(f"{path.name} {seed}")), count):
        started = time.perf_counter()
        status, content = send(made.body)
        assert time.perf_counter() - started < _MOST_S, made
        assert status < 500, made
        if before < 2:
            continue
        said = verdict(before, made, status, content)
        seen[said] += 1
        if said in ("less", "empty"):
            wrong.append((said, made))
    told = [f"{said}: {m.what} at {'/'.join(map(str, m.at))}" for said, m in wrong]
    assert not told, (len(told), seen, told[:20])


# 600 in all by default, shared among the fixtures; twenty thousand in `make test-full`.
@pytest.mark.parametrize("path", HOOKS, ids=lambda p: p.stem)
def test_mutants(path: Path) -> None:
    run(path, max(30, 600 // len(HOOKS)), 1)


@pytest.mark.slow
@pytest.mark.rotates
@pytest.mark.parametrize("path", HOOKS, ids=lambda p: p.stem)
def test_twenty_thousand_mutants(path: Path) -> None:
    run(path, 20_000 // len(HOOKS) + 1, 2)


def test_the_mutants_break_every_corner() -> None:
    """The generator is no sham: every kind, in every part of the request."""
    found = fixture(HOOKS[0])
    request = json.loads(found.body(found.now))
    made = list(islice(mutants(request, Random(1)), 2000))
    assert {m.what for m in made} >= {"drop", "null", "other", "garble", "wrap", "twice", "extend"}
    assert {m.what for m in made} >= {"cut", "flip", "insert", "repeat"}
    assert {p[:2] for p in nodes(request)} <= {m.at[:2] for m in made}
    assert len({m.body for m in made}) > 1000


def test_the_rule_finds_a_service_that_falls_silent() -> None:
    """With a wrong answer the rule says so: else it would pass whatever the service does."""
    path = ("prefetch", "patient")
    made = mutant({"prefetch": {"patient": {"a": 1}}}, path, Random(1))
    assert verdict(3, made, 200, b'{"cards":[]}') == "empty"
    mild = b'{"cards":[{"indicator":"info","summary":"Magnesium is fine."}]}'
    assert verdict(3, made, 200, mild) == "less"
    named = mild.replace(b"is fine", b"was not read")
    assert verdict(3, made, 200, named) == "named"
    assert verdict(1, made, 200, mild) == "same"
    assert verdict(3, made, 412, b"") == "refused"

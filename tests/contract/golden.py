"""Fixtures and their responses: ``fixtures/hooks/x.json`` must give ``fixtures/responses/x.json``.

``python -m tests.contract.golden`` writes the responses anew; the difference is reviewed.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from service.answer import answer
from service.cdshooks.fixture import read_fixture

FIXTURES = Path(__file__).parents[2] / "fixtures"
HOOKS = sorted((FIXTURES / "hooks").glob("*.json"))


def response_path(hook: Path) -> Path:
    return FIXTURES / "responses" / hook.name


def response(hook: Path) -> bytes:
    """The response of a fixture at its own ``now``, indented."""
    fixture = read_fixture(hook.read_bytes())
    if fixture is None:
        raise ValueError(f"{hook} is no fixture")
    body = answer(fixture.body(fixture.now), fixture.service, fixture.now).body
    return msgspec.json.format(body, indent=2) + b"\n"


if __name__ == "__main__":
    for hook in HOOKS:
        response_path(hook).write_bytes(response(hook))

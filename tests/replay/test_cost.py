"""One decision inside a replay costs at most twice the pure ``decide``."""

from __future__ import annotations

import time
from typing import Any

import pytest

import cards
from service.replay.row import line
from service.replay.walk import Walker
from tests.replay.test_leakage import base
from tests.replay.walking import ALL, ask

pytestmark = pytest.mark.real_clock


def test_a_decision_costs_at_most_twice_the_pure_one(monkeypatch: pytest.MonkeyPatch) -> None:
    walker = Walker(ask(), ALL)
    patients = [base(number) for number in range(1, 13)]
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    decide = cards.decide

    def kept(*call: Any, **answered: Any) -> cards.Decision:
        calls.append((call, answered))
        return decide(*call, **answered)

    def replayed() -> None:
        for lines in patients:
            walk = walker.walk("f" * 24, "p1", lines)
            rows = [line(row) for row in walk.decisions()]
            line(walk.walked(len(rows)))

    with monkeypatch.context() as patch:
        patch.setattr(cards, "decide", kept)
        replayed()
    assert len(calls) > 100
    whole = min(_cpu(replayed) for _ in range(3))
    pure = min(
        _cpu(lambda: [decide(*call, **answered) for call, answered in calls]) for _ in range(3)
    )
    assert whole < 2 * pure, f"{whole / pure:.2f} times, over {len(calls)} decisions"


def _cpu(work: Any) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun

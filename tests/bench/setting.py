"""Setting: how one run of the bench is made: how long, on which cores, at which time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.bench import load
from tests.bench.measure import Effort, Machine


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Setting:
    """``quick``: all parts within about two minutes, to see that things work; for figures to
    quote take the time. ``now``: the newest results of the bodies are an hour older."""

    quick: bool = False
    machine: Machine = field(default_factory=Machine.here)
    now: datetime = field(default_factory=_now)
    soak_s: float | None = None
    say: Callable[[str], None] = print

    def effort(self, times: int = 1) -> Effort:
        """Rounds for one comparison; ``times`` as many where the figure decides a target."""
        return Effort(2 * times, 0.25, 3) if self.quick else Effort(5 * times, 1.5, 40)

    def client(self) -> AbstractContextManager[load.Client]:
        return load.client(self.machine.client_core)

    def unbound_client(self) -> AbstractContextManager[load.Client]:
        """One that shares the cores with the server: where several workers are compared."""
        return load.client()

"""Stages: where the microseconds of one call go.

A stage is a function of ours that another stage calls by a name of its module: found in the
code, not listed here, so that the table stays true when functions come and go. Each is wrapped
by a clock; the minimum over many calls is told, since all noise is on one side.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any

Path = tuple[str, ...]
_OURS = ("cards", "service")


@dataclass(frozen=True, slots=True)
class Stage:
    """``path`` from the outermost; ``us`` all of it, ``own_us`` without the stages within."""

    path: Path
    us: float
    own_us: float
    calls: int


class Clock:
    """Adds up the nanoseconds under each path while one call runs."""

    def __init__(self) -> None:
        self._at: Path = ()
        self.spent: dict[Path, list[int]] = {}  # nanoseconds, calls

    def wrapped(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        clock = time.perf_counter_ns

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            before = self._at
            path = self._at = (*before, name)
            started = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent = self.spent.setdefault(path, [0, 0])
                spent[0] += clock() - started
                spent[1] += 1
                self._at = before

        return timed


def called_by(function: FunctionType) -> Iterator[tuple[ModuleType, str, FunctionType]]:
    """(module, name, function) of the functions of ours that ``function`` calls by a global
    name, or by the name of a module of ours: where to put a clock in their place."""
    here = sys.modules[function.__module__]
    names = function.__code__.co_names
    for name in names:
        found = vars(here).get(name)
        if _is_ours(found):
            yield here, name, found
        elif isinstance(found, ModuleType) and found.__name__.partition(".")[0] in _OURS:
            for inner in names:
                if _is_ours(target := vars(found).get(inner)):
                    yield found, inner, target


def _is_ours(thing: object) -> bool:
    return isinstance(thing, FunctionType) and thing.__module__.partition(".")[0] in _OURS


Place = tuple[Any, str]


@contextmanager
def clocked(clock: Clock, places: list[tuple[Any, str, Callable[..., Any]]]) -> Iterator[None]:
    """Clocks in the places of functions, and the functions back at the end."""
    for owner, name, function in places:
        setattr(owner, name, clock.wrapped(function, function.__name__))
    try:
        yield
    finally:
        for owner, name, function in places:
            setattr(owner, name, function)


def measure(
    call: Callable[[], object],
    roots: list[Place],
    *,
    runs: int = 200,
    share: float = 0.02,
    depth: int = 4,
) -> list[Stage]:
    """The stages of ``call``, each below its caller.

    ``roots`` are (module or class, name) of functions that are clocked to begin with; what they
    call is clocked as well, down to ``depth``, where the caller costs more than ``share`` of all.
    """
    places = {(id(owner), name): (owner, name, vars(owner)[name]) for owner, name in roots}
    opened: set[Any] = set()
    stages: list[Stage] = []
    for _ in range(depth):
        stages = _run(call, list(places.values()), max(runs // 10, 3))
        total = max((stage.us for stage in stages if len(stage.path) == 1), default=0.0)
        costly = {stage.path[-1] for stage in stages if stage.us >= share * total}
        for _, _, function in list(places.values()):
            if function.__name__ not in costly or function in opened:
                continue
            opened.add(function)
            for owner, name, inner in called_by(function):
                places.setdefault((id(owner), name), (owner, name, inner))
    return [s for s in _run(call, list(places.values()), runs) if s.us >= share * total / 4]


def _run(
    call: Callable[[], object], places: list[tuple[Any, str, Callable[..., Any]]], runs: int
) -> list[Stage]:
    best: dict[Path, tuple[int, int]] = {}
    least: dict[Path, int] = {}
    for _ in range(runs):
        clock = Clock()
        with clocked(clock, places):
            call()
        for path, (spent, calls) in clock.spent.items():
            if spent < best.get(path, (sys.maxsize, 0))[0]:
                best[path] = spent, calls
        for path in clock.spent:
            inner = sum(
                spent
                for other, (spent, _) in clock.spent.items()
                if len(other) == len(path) + 1 and other[: len(path)] == path
            )
            own = clock.spent[path][0] - inner
            least[path] = min(own, least.get(path, sys.maxsize))
    return sorted(
        (
            Stage(path, spent / 1000, least[path] / 1000, calls)
            for path, (spent, calls) in best.items()
        ),
        key=lambda stage: _order(stage.path, best),
    )


def _order(path: Path, best: dict[Path, tuple[int, int]]) -> tuple[tuple[int, str], ...]:
    """Each stage after its caller, the costliest first."""
    steps = (path[: n + 1] for n in range(len(path)))
    return tuple((-best[step][0] if step in best else 0, step[-1]) for step in steps)

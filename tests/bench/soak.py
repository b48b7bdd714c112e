"""Soak: minutes at most of the capacity, and an end in the middle of work."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

from tests.bench.bodies import TARGET
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.hooks import path_of
from tests.bench.load import Client, Plan, Round
from tests.bench.measure import percentile
from tests.bench.setting import Setting
from tests.bench.subjects import SERVICE, Recipe, Subject, running

SHARE = 0.8  # of the capacity
_CONNECTIONS = 32  # of which few are busy at a time: what is due never waits for a free one
_WINDOWS = 20
_PATH = path_of("order-select")


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the soak. ms; MB of the worker at its end."""

    requests: int
    p50: float
    p99: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """``rate`` is what was asked, requests a second; ``capacity`` what had been measured."""

    capacity: float
    rate: float
    windows: tuple[Window, ...]
    faults: Counter[str]

    def _thirds(self, figure: str) -> tuple[float, float]:
        """The medians of a figure over the first and the last third, the very first window
        left out: it warms up."""
        values = [float(getattr(window, figure)) for window in self.windows[1:]]
        third = max(len(values) // 3, 1)
        return median(values[:third]), median(values[-third:])

    @property
    def grown_mb(self) -> float:
        first, last = self._thirds("memory_mb")
        return last - first

    @property
    def p99_drift(self) -> float:
        """p99 at the end beside p99 at the beginning."""
        first, last = self._thirds("p99")
        return last / first


def capacity(client: Client, subject: Subject, setting: Setting, seconds: float) -> float:
    """Requests a second at 8 at once: the median of three rounds."""
    plan = Plan(subject.port, _PATH, 8, seconds, size=TARGET, now=setting.now)
    client.run(plan)
    return median(client.run(plan).rate for _ in range(3))


def soak(
    client: Client,
    subject: Subject,
    setting: Setting,
    seconds: float,
    most: float,
    share: float = SHARE,
) -> Soaked:
    """Requests when they are due, ``share`` of the capacity ``most``."""
    rate = most * share
    plan = Plan(subject.port, _PATH, _CONNECTIONS, seconds, size=TARGET, now=setting.now, rate=rate)
    client.start(plan)
    step = seconds / _WINDOWS
    memory = []
    began = time.monotonic()
    for number in range(_WINDOWS):
        time.sleep(max(began + (number + 1) * step - time.monotonic(), 0))
        memory.append(subject.pss_mb())
    return soaked(client.result(), memory, step, most, rate)


def soaked(got: Round, memory: list[float], step: float, most: float, rate: float) -> Soaked:
    """The Round in windows of ``step`` seconds, each with its memory at the end."""
    windows: list[list[float]] = [[] for _ in memory]
    for at, ms in zip(got.at, got.ms, strict=True):
        windows[min(int(at / step), len(windows) - 1)].append(ms)
    return Soaked(
        most,
        rate,
        tuple(
            Window(len(found), percentile(found, 0.5), percentile(found, 0.99), mb)
            for found, mb in zip(windows, memory, strict=True)
        ),
        got.faults,
    )


def measure_soak(setting: Setting) -> Findings:
    """Ten minutes (``--soak``) at 80 % of the capacity."""
    found = Findings("soak")
    seconds = setting.soak_s or (8 if setting.quick else 600)
    with ExitStack() as stack:
        subject = stack.enter_context(running(SERVICE, setting.machine.server_core))
        client = stack.enter_context(setting.client())
        setting.say("soak: capacity")
        most = capacity(client, subject, setting, 0.7 if setting.quick else 5)
        setting.say(f"soak: {seconds:g} s at {SHARE * most:.0f} of {most:.0f} requests a second")
        got = soak(client, subject, setting, seconds, most)
    step = seconds / _WINDOWS
    faults = sum(got.faults.values())
    found.tables.append(
        Table(
            f"{seconds:g} s at {got.rate:.0f} requests a second, {faults} errors",
            ("until s", "requests", "p50 ms", "p99 ms", "PSS MB"),
            tuple(
                (round((n + 1) * step), w.requests, w.p50, w.p99, w.memory_mb)
                for n, w in enumerate(got.windows)
            ),
        )
    )
    found.targets += [
        Target("errors in the soak", faults, 0, unit=""),
        Target("growth of memory in the soak, last third beside first", got.grown_mb, 2, unit="MB"),
        Target("p99 in the soak, last third beside first", got.p99_drift, 1.25),
    ]
    found.curves += [
        Curve("soak: ms by second", figure, "second", "ms",
              tuple(((n + 1) * step, getattr(w, figure)) for n, w in enumerate(got.windows)))
        for figure in ("p50", "p99")
    ]  # fmt: skip
    found.raw = {
        "capacity": got.capacity,
        "rate": got.rate,
        "seconds": seconds,
        "faults": dict(got.faults),
        "windows": [
            {"requests": w.requests, "p50": w.p50, "p99": w.p99, "pss_mb": w.memory_mb}
            for w in got.windows
        ],
    }
    return found


# --- SIGTERM ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stopped:
    """``answered`` before and after SIGTERM; ``faults`` by kind; ``status`` of the server."""

    answered: int
    after: int
    faults: Counter[str]
    lost: int
    status: int
    ended_s: float


def stop_under_load(
    client: Client,
    setting: Setting,
    *,
    workers: int = 1,
    connections: int = 8,
    after: float = 1.0,
    anew: bool = False,
) -> Stopped:
    """SIGTERM after ``after`` seconds of a closed loop that goes on until nobody listens.

    A connection that is refused, and one that the server closed while nothing was in flight, is
    no loss. A request that was sent and not answered is one.
    """
    recipe = Recipe(f"service, {workers} workers", workers=workers)
    with running(recipe, setting.machine.server_core) as subject:
        plan = Plan(
            subject.port, _PATH, connections, after + 30, size=TARGET, now=setting.now,
            until_refused=True, anew=anew,
        )  # fmt: skip
        client.run(Plan(subject.port, _PATH, connections, 0.3, size=TARGET, now=setting.now))
        client.start(plan)
        began = time.perf_counter()
        time.sleep(after)
        subject.terminate()
        got = client.result()
        status = subject.process.wait(30)
        ended = time.perf_counter() - began - after
        late = sum(at > after for at in got.at)
        return Stopped(len(got.ms), late, got.faults, got.lost, status, ended)


def measure_sigterm(setting: Setting) -> Findings:
    """Servers stopped under load, again and again."""
    found = Findings("sigterm")
    rows: list[tuple[Any, ...]] = []
    times = 1 if setting.quick else 10
    counts = (1,) if setting.quick else (1, 2)
    with setting.client() as client:
        for workers, anew, number in product(counts, (False, True), range(times)):
            kept = "a new one each" if anew else "kept"
            setting.say(f"sigterm: {workers} workers, {kept}, {number + 1} of {times}")
            # Not always at the same moment of the loop's second.
            after = 1 + 0.13 * number
            got = stop_under_load(client, setting, workers=workers, after=after, anew=anew)
            told = ", ".join(f"{n} {kind}" for kind, n in sorted(got.faults.items()))
            rows.append((workers, kept, got.answered, got.after, got.lost, told, got.ended_s))
    lost = sum(row[4] for row in rows)
    found.tables.append(
        Table(
            "SIGTERM under load, 8 connections",
            (
                "workers",
                "connections",
                "answered",
                "begun after SIGTERM",
                "lost",
                "faults",
                "gone after s",
            ),
            tuple(rows),
        )
    )
    found.targets.append(Target("requests lost at SIGTERM", lost, 0, unit=""))
    found.raw = {"runs": rows}
    return found

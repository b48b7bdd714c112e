"""Inside: the decision without HTTP: what ``decide`` costs beside the reading of its request.

Every run decides on Evidence that was just read, of a patient not seen in the run before, under
the collector settings of the product.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import msgspec

import cards
from cards.protocol import Protocol, shipped
from service import hooks, serve
from service.gather import gather
from tests.bench.bodies import TARGET, Size, pool
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.setting import Setting

SERVICE_ID = "magnesium-order-select"
SIZES = (10, 100, 300, 1_000, 3_000, 10_000)
# From here on each Observation has to cost the same.
_LINEAR_FROM = 100
read = msgspec.json.Decoder(hooks._Request).decode  # as the msgspec floor


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of each step on one size of body: the least of many runs, and the median."""

    observations: int
    least: dict[str, float]
    usual: dict[str, float]


@contextmanager
def collector_of_the_product() -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*serve._GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def costs(observations: int, now: datetime, *, runs: int, medications: int = 30) -> Costs:
    """The steps of a call, each timed by itself: msgspec's read, read_hook, gather, decide,
    and writing the answer."""
    size = Size(str(observations), observations, medications)
    bodies = [b.whole() for b in pool(size, "order-select", now, count=4 if runs < 30 else 16)]
    protocol = shipped("standard")
    spent: dict[str, list[int]] = {}
    with collector_of_the_product():
        for number in range(runs + 3):
            for step, ns in _steps(bodies[number % len(bodies)], protocol, now):
                spent.setdefault(step, []).append(ns)
    # The first runs fill caches.
    return Costs(
        observations,
        {step: min(all_[3:]) / 1000 for step, all_ in spent.items()},
        {step: median(all_[3:]) / 1000 for step, all_ in spent.items()},
    )


def _steps(body: bytes, protocol: Protocol, now: datetime) -> Iterator[tuple[str, int]]:
    clock = time.perf_counter_ns
    started = clock()
    read(body)
    yield "msgspec read", clock() - started
    started = clock()
    request = hooks.read_hook(body, SERVICE_ID)
    yield "read_hook", clock() - started
    started = clock()
    evidence, orders = gather(request, protocol)
    yield "gather", clock() - started
    started = clock()
    decision = cards.decide(evidence, orders, protocol, now)
    yield "decide", clock() - started
    started = clock()
    answer = decision.response()
    yield "response", clock() - started
    if b'"cards":[{' not in answer:
        raise RuntimeError("no card for the target body: not what was to be measured")


def each(measured: list[Costs], step: str) -> dict[int, float]:
    """Microseconds that each Observation adds to a step beyond the smallest size, by size."""
    base, *rest = measured
    return {
        c.observations: (c.least[step] - base.least[step]) / (c.observations - base.observations)
        for c in rest
    }


def growth(by_size: dict[int, float]) -> float:
    """How many times as much an Observation costs where it costs the most, beside what it costs
    at the smallest size."""
    smallest = by_size[min(by_size)]
    return max(by_size.values()) / smallest if smallest > 0 else float("inf")


def measure_inside(setting: Setting) -> Findings:
    """decide beside the msgspec read on the target body, and over the sizes."""
    found = Findings("inside")
    setting.say("inside: the target body")
    target = costs(TARGET.observations, setting.now, runs=200 if setting.quick else 1000)
    measured = []
    for size in SIZES:
        setting.say(f"inside: {size} Observations")
        runs = max((6_000 if setting.quick else 60_000) // max(size, 20), 5)
        measured.append(costs(size, setting.now, runs=min(runs, 500)))
    steps = list(target.least)
    found.tables.append(
        Table(
            "In process, target body: µs",
            ("step", "least", "median", "x msgspec read"),
            tuple(
                (s, target.least[s], target.usual[s], target.least[s] / target.least[steps[0]])
                for s in steps
            ),
        )
    )
    adds = {step: each(measured, step) for step in ("msgspec read", "decide")}
    found.tables.append(
        Table(
            "In process, by Observations: µs, least",
            ("Observations", *steps, "decide / read", "decide, each one adds", "read, each adds"),
            tuple(
                (
                    c.observations,
                    *(c.least[s] for s in steps),
                    c.least["decide"] / c.least["msgspec read"],
                    *(adds[s].get(c.observations, "") for s in ("decide", "msgspec read")),
                )
                for c in measured
            ),
        )
    )
    linear = {n: us for n, us in adds["decide"].items() if n >= _LINEAR_FROM}
    found.targets += [
        Target(
            "decide beside the msgspec read of the target body",
            target.least["decide"] / target.least["msgspec read"],
            1.0,
        ),
        Target("cost of an Observation to decide, 100 to 10,000", growth(linear), 1.3),
    ]
    found.curves += [
        Curve("in process: ms by Observations", step, "Observations", "ms",
              tuple((c.observations, c.least[step] / 1000) for c in measured))
        for step in ("msgspec read", "gather", "decide")
    ]  # fmt: skip
    found.raw = {"target": _raw(target), "sizes": [_raw(c) for c in measured]}
    return found


def _raw(c: Costs) -> dict[str, object]:
    return {"observations": c.observations, "least_us": c.least, "median_us": c.usual}

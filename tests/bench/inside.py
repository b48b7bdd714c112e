"""Inside: the decision without HTTP: what ``decide`` costs beside the reading of its request.

Every run decides on Evidence that was just read, of a patient not seen in the run before, under
the collector settings of the product.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

import msgspec

import cards
from cards.protocol import Protocol, shipped
from service.cdshooks.request import _Request, read_hook
from service.gather import gather
from service.server import serve
from tests.bench.bodies import TARGET, Size, pool
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.setting import Setting

SERVICE_ID = "magnesium-order-select"
SIZES = (10, 100, 300, 1_000, 3_000, 10_000)
# Between these each Observation has to cost the same.
_LINEAR = (100, 1_000, 10_000)
read = msgspec.json.Decoder(_Request).decode  # as the msgspec floor


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


def costs(sizes: Sequence[int], now: datetime, *, rounds: int) -> list[Costs]:
    """The steps of a call with so many Observations, each timed by itself: msgspec's read,
    read_hook, gather, decide, and writing the answer.

    The sizes take turns: when the machine is busy for a while, it is for all of them. The small
    ones run more often in a round, so that each has about the same time.
    """
    protocol = shipped("standard")
    bodies = {
        n: [
            body.whole()
            for body in pool(
                Size(str(n), n, TARGET.medications), "order-select", now, count=_count(n)
            )
        ]
        for n in sizes
    }
    spent: dict[int, dict[str, list[int]]] = {n: {} for n in sizes}
    with collector_of_the_product():
        for turn in range(rounds + 1):
            if turn == 1:  # the first filled caches
                spent = {n: {} for n in sizes}
            for n in sizes:
                for body in bodies[n]:
                    for step, ns in _steps(body, protocol, now):
                        spent[n].setdefault(step, []).append(ns)
    return [
        Costs(
            n,
            {step: min(all_) / 1000 for step, all_ in steps.items()},
            {step: median(all_) / 1000 for step, all_ in steps.items()},
        )
        for n, steps in spent.items()
    ]


def _count(observations: int) -> int:
    """Bodies of a size."""
    return min(max(6_000 // max(observations, 1), 2), 24)


def _steps(body: bytes, protocol: Protocol, now: datetime) -> Iterator[tuple[str, int]]:
    clock = time.perf_counter_ns
    started = clock()
    read(body)
    yield "msgspec read", clock() - started
    started = clock()
    request = read_hook(body, SERVICE_ID)
    yield "read_hook", clock() - started
    started = clock()
    evidence, orders = gather(request, protocol)
    yield "gather", clock() - started
    started = clock()
    decision = cards.decide(evidence, orders, protocol, now)
    yield "decide", clock() - started
    started = clock()
    answer = decision.response().body
    yield "response", clock() - started
    if b'"cards":[{' not in answer:
        raise RuntimeError("no card for the target body: not what was to be measured")


def each(measured: list[Costs], step: str) -> dict[int, float]:
    """Microseconds that each Observation adds to a step, from the next smaller size to a size."""
    return {
        c.observations: (c.least[step] - b.least[step]) / (c.observations - b.observations)
        for b, c in pairwise(measured)
    }


def growth(measured: list[Costs], step: str, sizes: tuple[int, int, int] = _LINEAR) -> float:
    """What an Observation adds between the larger two of ``sizes``, beside the smaller two."""
    below, above = each([c for c in measured if c.observations in sizes], step).values()
    return above / below if below > 0 else math.inf


def measure_inside(setting: Setting) -> Findings:
    """decide beside the msgspec read on the target body, and over the sizes."""
    found = Findings("inside")
    setting.say("inside: the target body")
    (target,) = costs([TARGET.observations], setting.now, rounds=10 if setting.quick else 60)
    setting.say(f"inside: {', '.join(map(str, SIZES))} Observations")
    measured = costs(SIZES, setting.now, rounds=6 if setting.quick else 40)
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
    found.targets += [
        Target(
            "decide beside the msgspec read of the target body",
            target.least["decide"] / target.least["msgspec read"],
            1.0,
        ),
        Target(
            "an Observation more to decide: from 1,000 to 10,000 beside from 100 to 1,000"
            f" (msgspec read: {growth(measured, 'msgspec read'):.2f} x)",
            growth(measured, "decide"),
            1.3,
        ),
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

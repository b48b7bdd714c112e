"""Measure: subjects side by side, in turn, so that whatever else the machine does hits all alike.

One comparison is a number of rounds; in each every subject answers the same kind of load, in
an order that rotates. A figure is the median over the rounds. A ratio is the median of the
ratios within each round: a round in which the machine was busy tells nothing about either.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from tests.bench.load import Client, Plan, Round
from tests.bench.subjects import Subject

Json = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them do not exceed (nearest rank);
    nan of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one subject. Milliseconds; ``cpu_ms`` of the server's workers for each
    request, ``client_us`` of the client; ``rate`` requests a second."""

    requests: int
    p50: float
    p95: float
    p99: float
    rate: float
    cpu_ms: float
    client_us: float
    faults: int


@dataclass(slots=True)
class Measured:
    """The rounds of one subject."""

    name: str
    samples: list[Sample] = field(default_factory=list)

    def of(self, figure: str) -> float:
        """The median over the rounds of ``p50``, ``rate`` …"""
        return median(float(getattr(sample, figure)) for sample in self.samples)

    @property
    def faults(self) -> int:
        return sum(sample.faults for sample in self.samples)

    def as_json(self) -> Json:
        figures = ("p50", "p95", "p99", "rate", "cpu_ms", "client_us")
        return {
            "medians": {figure: self.of(figure) for figure in figures},
            "requests": sum(sample.requests for sample in self.samples),
            "faults": self.faults,
            "rounds": [asdict(sample) for sample in self.samples],
        }


def ratio(one: Measured, other: Measured, figure: str) -> float:
    """How many times as much ``one`` is: the median over the rounds."""
    return _paired(one, other, figure, lambda a, b: a / b if b else math.nan)


def difference(one: Measured, other: Measured, figure: str) -> float:
    """How much more ``one`` is: the median over the rounds."""
    return _paired(one, other, figure, lambda a, b: a - b)


def _paired(
    one: Measured, other: Measured, figure: str, how: Callable[[float, float], float]
) -> float:
    if len(one.samples) != len(other.samples):
        raise ValueError("the two were not measured in the same rounds")
    return median(
        how(getattr(a, figure), getattr(b, figure))
        for a, b in zip(one.samples, other.samples, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: rounds, seconds of each, and at least so many requests in each."""

    rounds: int
    seconds: float
    requests: int = 5


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores to run on: None where the machine has too few to keep the two apart."""

    server_core: int | None
    client_core: int | None

    @classmethod
    def here(cls) -> Machine:
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[-1]) if len(cores) > 1 else cls(None, None)

    def as_json(self) -> Json:
        return {
            "cores": os.cpu_count(),
            "server_core": self.server_core,
            "client_core": self.client_core,
            "load_average": os.getloadavg(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def compare(
    client: Client,
    subjects: Sequence[Subject],
    plan_of: Callable[[Subject], Plan],
    effort: Effort,
) -> dict[str, Measured]:
    """The subjects under the load of ``plan_of``, by name.

    A first round that is not counted warms up: code, connections, the client's bodies. It also
    tells how long a request takes, so that a round is long enough for ``effort.requests``.
    """
    found = {subject.name: Measured(subject.name) for subject in subjects}
    seconds = effort.seconds
    for subject in subjects:
        plan = plan_of(subject)
        warm = client.run(replace(plan, seconds=min(0.3, effort.seconds), rate=None))
        if warm.ms:
            # A closed loop of c connections answers c requests in the time of one.
            one = median(warm.ms) / 1000 / plan.connections
            seconds = max(seconds, min(one * effort.requests * 1.5, 30))
    for number in range(effort.rounds):
        turn = number % len(subjects)
        for subject in (*subjects[turn:], *subjects[:turn]):
            plan = replace(plan_of(subject), seconds=seconds)
            before = subject.cpu_s()
            got = client.run(plan)
            found[subject.name].samples.append(sample(got, subject.cpu_s() - before))
    return found


def sample(got: Round, cpu_s: float) -> Sample:
    """What is told of a Round. ``cpu_s``: processor seconds of the server during it."""
    requests = len(got.ms)
    each = max(requests, 1)
    return Sample(
        requests=requests,
        p50=percentile(got.ms, 0.5),
        p95=percentile(got.ms, 0.95),
        p99=percentile(got.ms, 0.99),
        rate=got.rate,
        cpu_ms=cpu_s / each * 1000,
        client_us=got.client_cpu / each * 1e6,
        faults=sum(Counter(got.faults).values()),
    )

"""Hooks: discovery and the three hooks beside the floors, by size of the body and concurrency."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product

from tests.bench.bodies import HOOKS, SIZES, TARGET, Hook, Size
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.load import Plan
from tests.bench.measure import Measured, compare, ratio
from tests.bench.setting import Setting
from tests.bench.subjects import MSGSPEC, ORJSON, SERVICE, Subject, running

DISCOVERY = "/cds-services"
_COLUMNS = (
    "route", "body", "at once", "subject", "p50 ms", "p95 ms", "p99 ms", "req/s", "CPU ms",
    "p50 x orjson", "p99 x orjson", "CPU x orjson", "client µs",
)  # fmt: skip


def path_of(hook: Hook) -> str:
    return f"{DISCOVERY}/magnesium-{hook}"


def measure_hooks(setting: Setting) -> Findings:
    """Every route, size and concurrency; ``quick`` the target body and one each of the others."""
    found = Findings("hooks")
    with ExitStack() as stack:
        core = setting.machine.server_core
        subjects = [stack.enter_context(running(r, core)) for r in (ORJSON, MSGSPEC, SERVICE)]
        client = stack.enter_context(setting.client())
        rows: list[tuple[str | float | int, ...]] = []
        for hook, size, connections in _cells(setting.quick):
            title = (hook or "discovery", size.name if size else "", connections)

            def plan_of(
                subject: Subject,
                hook: Hook | None = hook,
                size: Size | None = size,
                connections: int = connections,
            ) -> Plan:
                if hook is None or size is None:
                    return Plan(subject.port, DISCOVERY, connections)
                return Plan(
                    subject.port,
                    path_of(hook),
                    connections,
                    size=size,
                    hook=hook,
                    now=setting.now,
                    count=16 if size.observations > 1000 else 64,
                )

            target = (hook, size) == ("order-select", TARGET)
            setting.say("hooks: {} {} at {} at once".format(*title))
            measured = compare(client, subjects, plan_of, setting.effort(2 if target else 1))
            rows += [(*title, *row) for row in side_by_side(measured)]
            found.raw["/".join(map(str, title))] = {
                name: m.as_json() for name, m in measured.items()
            }
            if target:
                found.targets += _targets(measured, connections)
                found.curves += _bars(measured, connections)
        found.raw["errors"] = {subject.name: subject.err() for subject in subjects}
    found.tables.append(Table("Hooks beside the floors, one worker", _COLUMNS, tuple(rows)))
    return found


def _cells(quick: bool) -> list[tuple[Hook | None, Size | None, int]]:
    if quick:
        return [
            (None, None, 1),
            ("order-select", SIZES["3kB"], 1),
            ("order-select", TARGET, 1),
            ("order-select", TARGET, 8),
            ("order-select", SIZES["1MB"], 1),
        ]
    at_once = (1, 8, 32)
    cells: list[tuple[Hook | None, Size | None, int]] = [(None, None, c) for c in at_once]
    return [*cells, *product(HOOKS, SIZES.values(), at_once)]


def side_by_side(measured: dict[str, Measured]) -> list[tuple[str | float | int, ...]]:
    """Rows of ``_COLUMNS`` from "subject" on."""
    floor = measured[ORJSON.name]
    return [
        (
            m.name,
            *(m.of(figure) for figure in ("p50", "p95", "p99", "rate", "cpu_ms")),
            ratio(m, floor, "p50"),
            ratio(m, floor, "p99"),
            # What is left of the comparison on a machine that others keep busy.
            ratio(m, floor, "cpu_ms"),
            round(m.of("client_us")),
        )
        for m in measured.values()
    ]


def _targets(measured: dict[str, Measured], connections: int) -> list[Target]:
    service, floor = measured[SERVICE.name], measured[ORJSON.name]
    if connections == 1:
        return [
            Target("p50 of the target body beside the orjson floor", ratio(service, floor, "p50"),
                   1.25),
            Target("p99 of the target body beside the orjson floor", ratio(service, floor, "p99"),
                   1.5),
        ]  # fmt: skip
    if connections == 8:
        words = "requests a second at 8 at once beside the orjson floor"
        return [Target(words, ratio(service, floor, "rate"), 0.8, "least")]
    return []


def _bars(measured: dict[str, Measured], connections: int) -> list[Curve]:
    chart = f"order-select, 118 kB, {connections} at once: ms"
    return [
        Curve(chart, m.name, "percentile", "ms", tuple((f, m.of(f)) for f in ("p50", "p95", "p99")))
        for m in measured.values()
    ]

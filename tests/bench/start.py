"""Start: how long until the first answer, and what memory a worker takes after load."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from tests.bench.bodies import TARGET
from tests.bench.findings import Findings, Table, Target
from tests.bench.hooks import path_of
from tests.bench.load import Plan
from tests.bench.setting import Setting
from tests.bench.subjects import MSGSPEC, ORJSON, SERVICE, Recipe, running

# Bodies of the largest kind that came by a moment ago must not stay behind.
_LOADS = (8, 32)


def measure_start(setting: Setting) -> Findings:
    """Each subject started several times in turn, its database new each time."""
    found = Findings("start")
    times = 2 if setting.quick else 7
    recipes = (ORJSON, MSGSPEC, SERVICE)
    started: dict[str, list[float]] = {recipe.name: [] for recipe in recipes}
    worked: dict[str, list[float]] = {recipe.name: [] for recipe in recipes}
    for number in range(times):
        setting.say(f"start: {number + 1} of {times}")
        for recipe in recipes:
            with running(recipe) as subject:
                started[recipe.name].append(subject.start_s)
                worked[recipe.name].append(subject.start_cpu_s)
    memory = {recipe.name: _memory(recipe, setting) for recipe in recipes}
    rows = tuple(
        (name, min(seconds), median(seconds), median(worked[name]), *memory[name])
        for name, seconds in started.items()
    )
    found.tables.append(
        Table(
            "Start-up and memory of a worker",
            (
                "subject",
                "start s, least",
                "median",
                "CPU s",
                "PSS MB at start",
                "after load",
                "after more",
            ),
            rows,
        )
    )
    found.targets += [
        Target("start-up, median", median(started[SERVICE.name]), 1.5, unit="s"),
        Target("memory of a worker after load", max(memory[SERVICE.name]), 90, unit="MB"),
    ]
    found.raw = {"started_s": started, "start_cpu_s": worked, "pss_mb": memory}
    return found


def _memory(recipe: Recipe, setting: Setting) -> list[float]:
    """PSS at start, and after each load."""
    setting.say(f"start: memory of {recipe.name}")
    with ExitStack() as stack:
        subject = stack.enter_context(running(recipe, setting.machine.server_core))
        client = stack.enter_context(setting.client())
        found = [subject.pss_mb()]
        for connections in _LOADS:
            client.run(
                Plan(
                    subject.port,
                    path_of("order-select"),
                    connections,
                    seconds=1 if setting.quick else 15,
                    size=TARGET,
                    now=setting.now,
                )
            )
            found.append(subject.pss_mb())
        return found

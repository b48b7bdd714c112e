"""Profile: where the microseconds of one request go."""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TextIO

import orjson

import cards
from service.config.settings import Settings
from service.memory import Memory
from service.observe import Observer
from service.server.app import create_app
from service.store import open_store
from service.web import door, routes
from tests.bench import stages
from tests.bench.bodies import TARGET, instance, pool
from tests.bench.findings import Findings, Table
from tests.bench.inside import SERVICE_ID, collector_of_the_product, read
from tests.bench.serve import floor
from tests.bench.setting import Setting
from tests.bench.subjects import MSGSPEC, ORJSON, SERVICE

_TOP = 40


def application(database: Path, lines: TextIO) -> Any:
    """The application as it is served; what it would log goes to ``lines``."""
    settings = Settings(database_url=f"sqlite:///{database}")
    return create_app(settings, store=open_store(settings.database_url), observer=Observer(lines))


def call(app: Any, body: bytes) -> bytes:
    """The answer of the WSGI application to an order-select, without a server around it."""
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/cds-services/{SERVICE_ID}",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    answer = app.wsgi_app(environ, lambda given, *_: status.append(given))
    try:
        content = b"".join(answer)
    finally:
        answer.close()
    if status[0] != "200 OK":
        raise RuntimeError(status[0])
    return content


def _roots(app: Any) -> list[stages.Place]:
    """Methods, which no code names as a global: those of the way in and out of HTTP."""
    named = (
        (type(app), "wsgi_app request_context full_dispatch_request preprocess_request"
                    " dispatch_request process_response"),
        (door.Door, "enter leave"),
        (Memory, "answered remember"),
        (Observer, "request"),
        (cards.Decision, "response"),
        (routes, "answer body_of json_answer"),
    )  # fmt: skip
    places: list[stages.Place] = []
    for owner, names in named:
        for name in names.split():
            inherited = owner.__mro__ if isinstance(owner, type) else (owner,)
            home = next((o for o in inherited if name in vars(o)), None)
            if home is not None:  # a stage that was renamed costs its line, not the run
                places.append((home, name))
    return places


def measure_profile(setting: Setting) -> Findings:
    """The stages of one order-select with the target body, and the functions by own time."""
    found = Findings("profile")
    bodies = pool(TARGET, "order-select", setting.now)
    turn = iter(range(10_000_000))

    def body() -> bytes:
        return bodies[next(turn) % len(bodies)].whole(instance())

    with (
        tempfile.TemporaryDirectory(prefix="repletion-bench-") as folder,
        Path(os.devnull).open("w") as nowhere,
    ):
        app = application(Path(folder) / "bench.db", nowhere)
        with collector_of_the_product():
            setting.say("profile: beside the floors, without a server")
            beside = _beside_floors(app, body, 300 if setting.quick else 2_000)
            setting.say("profile: stages")
            runs = 60 if setting.quick else 400
            whole = stages.measure(lambda: call(app, body()), _roots(app), runs=runs, depth=8)
            setting.say("profile: functions")
            by_function = _own_time(lambda: call(app, body()), 100 if setting.quick else 400)
        app.extensions["memory"].flush()
        app.extensions["memory"].close()
    rows = tuple(
        (f"{'  ' * (len(s.path) - 1)}{s.path[-1]}", s.us, s.own_us, s.calls) for s in whole
    )
    least = [min(times) for times in beside.values()]
    found.tables += [
        Table(
            "The application without a server, target body: µs",
            ("subject", "least", "median", "least x orjson"),
            tuple(
                (name, least_us, median(times), least_us / least[0])
                for (name, times), least_us in zip(beside.items(), least, strict=True)
            ),
        ),
        Table(
            "One order-select (target body) in the application: µs, least over all runs",
            ("stage", "µs", "own µs", "calls"),
            rows,
        ),
        Table(
            f"The {_TOP} functions with the most time of their own (cProfile, which slows calls)",
            ("function", "own µs a request", "with callees", "calls"),
            tuple(by_function[:_TOP]),
        ),
    ]
    found.raw = {
        "beside_floors_us": beside,
        "stages": [{"path": s.path, "us": s.us, "own_us": s.own_us} for s in whole],
        "functions": by_function[: 3 * _TOP],
    }
    return found


def _beside_floors(app: Any, body: Callable[[], bytes], runs: int) -> dict[str, list[float]]:
    """Microseconds of each call of the floors and of the service, in turn."""
    apps = {
        ORJSON.name: floor(orjson.loads),
        MSGSPEC.name: floor(read),
        SERVICE.name: app,
    }
    spent: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(runs):
        for name, one in apps.items():
            content = body()
            started = time.perf_counter_ns()
            call(one, content)
            spent[name].append((time.perf_counter_ns() - started) / 1000)
    return spent


def _own_time(work: Callable[[], object], runs: int) -> list[tuple[str, float, float, float]]:
    profiler = cProfile.Profile(time.perf_counter)
    for _ in range(runs):
        profiler.enable()
        work()
        profiler.disable()
    rows = []
    # pstats tells the type checkers nothing of this.
    found: dict[tuple[str, int, str], tuple[int, int, float, float, Any]]
    found = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    for (file, line, name), (_, calls, own, cumulative, _) in found.items():
        place = f"{_short(file)}:{line} {name}" if line else name
        rows.append((place, own / runs * 1e6, cumulative / runs * 1e6, calls / runs))
    return sorted(rows, key=lambda row: -row[1])


def _short(file: str) -> str:
    parts = Path(file).parts
    for top in ("site-packages", "cards", "service"):
        if top in parts:
            at = parts.index(top)
            return "/".join(parts[at + 1 if top == "site-packages" else at :])
    return "/".join(parts[-2:])

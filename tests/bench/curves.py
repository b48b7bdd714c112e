"""Curves: what one thing at a time changes, with the target body unless it says otherwise."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cards.evidence import NEEDS
from tests.bench.bodies import TARGET, Size
from tests.bench.findings import Curve, Findings, Table, Target
from tests.bench.hooks import path_of
from tests.bench.load import Plan
from tests.bench.measure import Effort, Measured, compare, difference
from tests.bench.record import record
from tests.bench.setting import Setting
from tests.bench.subjects import MSGSPEC, ORJSON, SERVICE, Recipe, Subject, running
from tests.server import free_port
from tests.tokens import ISSUER, PATIENTS_KEY, ec, signed, write_clients

_FIGURES = ("p50", "p95", "p99", "rate", "cpu_ms")
_HEADS = ("p50 ms", "p95 ms", "p99 ms", "req/s", "CPU ms")
_PATH = path_of("order-select")
_SIZES = (10, 100, 1_000, 10_000)


def _figures(m: Measured) -> tuple[float, ...]:
    return tuple(m.of(figure) for figure in _FIGURES)


def _plan(setting: Setting, subject: Subject, connections: int = 1, **more: object) -> Plan:
    given: dict[str, object] = {"size": TARGET, "now": setting.now, **more}
    return Plan(subject.port, _PATH, connections, **given)  # type: ignore[arg-type]


def measure_observations(setting: Setting) -> Findings:
    """10 to 10,000 Observations over HTTP, beside the floors."""
    found = Findings("observations")
    rows: list[tuple[str | float | int, ...]] = []
    lines: dict[str, list[tuple[str | float | int, float]]] = {}
    with ExitStack() as stack:
        core = setting.machine.server_core
        subjects = [stack.enter_context(running(r, core)) for r in (ORJSON, MSGSPEC, SERVICE)]
        client = stack.enter_context(setting.client())
        for observations in _SIZES[: -1 if setting.quick else None]:
            setting.say(f"observations: {observations}")
            size = Size(str(observations), observations, TARGET.medications)
            count = 4 if observations > 1_000 else 16

            def plan_of(subject: Subject, size: Size = size, count: int = count) -> Plan:
                return _plan(setting, subject, size=size, count=count)

            measured = compare(client, subjects, plan_of, setting.effort())
            found.raw[size.name] = {name: m.as_json() for name, m in measured.items()}
            for name, m in measured.items():
                rows.append((observations, name, *_figures(m)))
                lines.setdefault(name, []).append((observations, m.of("p50")))
    found.tables.append(
        Table("By Observations, one at a time", ("Observations", "subject", *_HEADS), tuple(rows))
    )
    found.curves = [
        Curve("over HTTP: p50 by Observations", name, "Observations", "ms", tuple(points))
        for name, points in lines.items()
    ]
    return found


def measure_workers(setting: Setting) -> Findings:
    """One to four workers, all cores for everybody: the client takes its share."""
    found = Findings("workers")
    rows: list[tuple[str | float | int, ...]] = []
    counts = (1, 2) if setting.quick else (1, 2, 3, 4)
    with ExitStack() as stack:
        client = stack.enter_context(setting.unbound_client())
        recipes = [Recipe(f"service, {n} workers", workers=n) for n in counts]
        recipes += [Recipe(f"floor: orjson, {n} workers", "orjson", n) for n in counts]
        subjects = [stack.enter_context(running(recipe)) for recipe in recipes]
        setting.say("workers: at 32 at once, not bound to a core")
        measured = compare(
            client, subjects, lambda subject: _plan(setting, subject, 32), setting.effort()
        )
        for subject in subjects:
            m = measured[subject.name]
            memory = sum(subject.pss_mb_each())
            rows.append((subject.name, *_figures(m), memory, round(m.of("client_us"))))
            found.raw[subject.name] = {**m.as_json(), "pss_mb": memory}
    found.tables.append(
        Table(
            "By workers, 32 at once, all cores",
            ("subject", *_HEADS, "PSS MB, all workers", "client µs"),
            tuple(rows),
        )
    )
    for kind in ("service", "floor: orjson"):
        points = tuple((n, measured[f"{kind}, {n} workers"].of("rate")) for n in counts)
        found.curves.append(Curve("requests a second by workers", kind, "workers", "req/s", points))
    return found


def measure_classes(setting: Setting) -> Findings:
    """The product's worker beside gunicorn's thread worker and its sync worker.

    sync keeps no connection; the time to make one is not counted.
    """
    found = Findings("classes")
    recipes = [
        SERVICE,
        Recipe("gthread", "service", worker_class="gthread"),
        Recipe("sync (no keep-alive)", "service", worker_class="sync"),
    ]
    rows: list[tuple[str | float | int, ...]] = []
    with ExitStack() as stack:
        core = setting.machine.server_core
        subjects = [stack.enter_context(running(recipe, core)) for recipe in recipes]
        client = stack.enter_context(setting.client())
        for connections in (1, 8):
            setting.say(f"classes: {connections} at once")

            def plan_of(subject: Subject, connections: int = connections) -> Plan:
                return _plan(setting, subject, connections)

            measured = compare(client, subjects, plan_of, setting.effort())
            rows += [(connections, name, *_figures(m)) for name, m in measured.items()]
            found.raw[str(connections)] = {name: m.as_json() for name, m in measured.items()}
    found.tables.append(
        Table("By worker class, one worker", ("at once", "subject", *_HEADS), tuple(rows))
    )
    return found


def measure_store(setting: Setting) -> Findings:
    """With its memory, without the rows of what was shown, and without any store."""
    found = Findings("store")
    recipes = [
        SERVICE,
        Recipe("looks up, keeps no rows", "service-no-rows"),
        Recipe("no store", "service-no-store"),
    ]
    with ExitStack() as stack:
        core = setting.machine.server_core
        subjects = [stack.enter_context(running(recipe, core)) for recipe in recipes]
        client = stack.enter_context(setting.client())
        setting.say("store: on, without rows, off")
        effort = setting.effort(3)
        measured = compare(client, subjects, lambda s: _plan(setting, s), effort)
    whole, *less = measured.values()
    rows = [(whole.name, *_figures(whole), ""), *(
        (m.name, *_figures(m), difference(whole, m, "p50")) for m in less
    )]  # fmt: skip
    found.tables.append(
        Table("By store, one at a time", ("subject", *_HEADS, "saves at p50, ms"), tuple(rows))
    )
    added = difference(whole, less[0], "p50")
    found.targets.append(Target('"shown" rows add at p50', added, 0.1, unit="ms"))
    found.raw = {name: m.as_json() for name, m in measured.items()}
    return found


def measure_fetch(setting: Setting) -> Findings:
    """All in the request, beside all of it fetched from a record that takes 5 ms to answer."""
    found = Findings("fetch")
    with ExitStack() as stack:
        core, other = setting.machine.server_core, setting.machine.client_core
        base = stack.enter_context(record(setting.now, other))
        fetching = Recipe("fetched at 5 ms", settings={"fhir_hosts": "127.0.0.1"})
        subjects = [stack.enter_context(running(recipe, core)) for recipe in (SERVICE, fetching)]
        client = stack.enter_context(setting.client())
        # All but the two that are read singly, which come with the request.
        searches = sum(not need.single for need in NEEDS)
        setting.say(f"fetch: {searches} searches of 5 ms each")

        def plan_of(subject: Subject) -> Plan:
            return _plan(setting, subject, server=base if subject.recipe == fetching else "")

        measured = compare(client, subjects, plan_of, setting.effort())
    sent, fetched = measured.values()
    found.tables.append(
        Table(
            "By where the data comes from, one at a time (the record shares the client's core)",
            ("subject", *_HEADS, "adds at p50, ms"),
            (
                ("all in the request", *_figures(sent), ""),
                (fetched.name, *_figures(fetched), difference(fetched, sent, "p50")),
            ),
        )
    )
    found.raw = {name: m.as_json() for name, m in measured.items()}
    return found


# --- jwt ----------------------------------------------------------------------------------------


@contextmanager
def guarded(core: int | None) -> Iterator[Subject]:
    """The service in jwt mode, as if behind a proxy on this machine."""
    with tempfile.TemporaryDirectory(prefix="repletion-bench-") as folder:
        port = free_port()
        settings = {
            "auth": "jwt",
            "clients": str(write_clients(Path(folder))),
            "base_url": f"http://127.0.0.1:{port}",
            "proxies": "127.0.0.1",
            "secret": PATIENTS_KEY,
            "rate_limit": "0",  # at the default of 200 a second it would be the limit we measure
        }
        with running(Recipe("jwt (ES384)", settings=settings), core, port) as subject:
            yield subject


def tokens(port: int, count: int) -> tuple[str, ...]:
    """So many tokens for one call each."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": f"http://127.0.0.1:{port}{_PATH}", "iat": now, "exp": now + 600}
    header = {"alg": "ES384", "typ": "JWT", "kid": "ehr-ec"}
    return tuple(
        signed(header, {**claims, "jti": secrets.token_hex(12)}, ec("ehr")) for _ in range(count)
    )


def measure_jwt(setting: Setting) -> Findings:
    """Open beside jwt: each call with a token of its own, signed before the round begins."""
    found = Findings("jwt")
    effort = Effort(4, 0.4, 3) if setting.quick else Effort(15, 1.0, 40)
    most = 100 if setting.quick else 300
    with ExitStack() as stack:
        core = setting.machine.server_core
        subjects = [
            stack.enter_context(running(SERVICE, core)),
            stack.enter_context(guarded(core)),
        ]
        client = stack.enter_context(setting.client())
        setting.say("jwt: off and on")

        def plan_of(subject: Subject) -> Plan:
            shown = () if subject.recipe == SERVICE else tokens(subject.port, most)
            return _plan(setting, subject, most=most, tokens=shown)

        measured = compare(client, subjects, plan_of, effort)
    plain, checked = measured.values()
    added = difference(checked, plain, "p50")
    found.tables.append(
        Table(
            "By authentication, one at a time",
            ("subject", *_HEADS, "adds at p50, ms"),
            (("open", *_figures(plain), ""), (checked.name, *_figures(checked), added)),
        )
    )
    found.targets.append(Target("jwt adds at p50", added, 0.6, unit="ms"))
    found.raw = {name: m.as_json() for name, m in measured.items()}
    return found

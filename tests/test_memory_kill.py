"""Feedback that was acknowledged is on the disk, whatever is killed; and what it costs hooks.

20 rounds on each database: 8 clients post feedback while workers, then the whole server, are
killed with SIGKILL. REPLETION_TEST_ROUNDS sets another number.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, inspect, select, text

from service.store import Store, open_store
from service.store.tables import feedback, shown, used_token
from tests import databases
from tests.contract.shapes import body, now_request
from tests.server import Server, free_port, serving

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
ROOT = Path(__file__).resolve().parent.parent
PATH = "/cds-services/magnesium-patient-view/feedback"
ROUNDS = int(os.environ.get("REPLETION_TEST_ROUNDS", "20"))
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
HEADERS = {"Content-Type": "application/json"}


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/store.db"
    else:
        with databases.postgres() as url:
            yield url


def items(count: int) -> list[dict[str, Any]]:
    return [
        {
            "card": str(uuid4()),
            "outcome": "overridden",
            "outcomeTimestamp": "2026-03-01T08:00:00Z",
            "overrideReason": {"userComment": "no"},
        }
        for _ in range(count)
    ]


class Clients:
    """Eight that post until they are told to stop; ``acknowledged`` are the cards of answers
    that came back with 200."""

    def __init__(self, port: int) -> None:
        self.port, self.stop = port, threading.Event()
        self.acknowledged: list[str] = []
        self.statuses: set[int] = set()
        self.threads = [threading.Thread(target=self._run) for _ in range(8)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self.stop.is_set():
            sent = items(random.randint(1, 4))
            try:
                connection.request("POST", PATH, json.dumps({"feedback": sent}), HEADERS)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.01)
                continue
            self.statuses.add(answer.status)
            if answer.status == 200:
                self.acknowledged += [item["card"] for item in sent]
        connection.close()


def workers(server: Server) -> list[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def kept(url: str) -> set[str]:
    store = open_store(url)
    found = set(store.read(lambda c: c.execute(select(feedback.c.card)).scalars().all()))
    store.engine.dispose()
    return found


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_acknowledged_item_is_lost(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    acknowledged: list[str] = []
    with database(kind, tmp_path) as url:
        for _ in range(ROUNDS):
            with (
                serving(tmp_path, 2, port, database_url=url) as server,
                Clients(port) as clients,
            ):
                time.sleep(0.6)
                for pid in workers(server):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.6)
                # The master first: it would replace its workers.
                doomed = [server.process.pid, *workers(server)]
                for pid in doomed:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                server.process.wait()
                clients.stop.set()
            acknowledged += clients.acknowledged
            assert clients.statuses <= {200, 503}
        found = kept(url)
    lost = set(acknowledged) - found
    with capsys.disabled():
        print(f"\n{kind}: {ROUNDS} rounds, {len(acknowledged)} acknowledged, {len(lost)} lost")
    assert len(acknowledged) > 50 * ROUNDS
    assert not lost


def test_what_was_shown_is_stored_before_an_orderly_end(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with serving(tmp_path, 2, database_url=url) as server:
        for _ in range(40):
            value = body(now_request(hookInstance=str(uuid4())))
            assert server.call("POST", "/cds-services/magnesium-patient-view", value)[0] == 200
    store = open_store(url)
    count = store.read(lambda c: c.execute(select(func.count()).select_from(shown)).scalar_one())
    store.engine.dispose()
    assert count == 40


@pytest.mark.parametrize("kind", KINDS)
def test_two_servers_on_one_database(kind: str, tmp_path: Path) -> None:
    """Over HTTP: overridden at one is quiet at the other, both workers of it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with database(kind, tmp_path) as url, ExitStack() as stack:
        given = {"database_url": url, "secret": "the same on both machines"}
        one = stack.enter_context(serving(tmp_path / "a", 2, **given))
        two = stack.enter_context(serving(tmp_path / "b", 2, **given))
        base = now_request()  # once: at another time it is another result

        def cards(server: Server, of: str = "https://a.example.org") -> list[dict[str, Any]]:
            value = body(base | {"hookInstance": str(uuid4()), "fhirServer": of})
            answer = server.call("POST", "/cds-services/magnesium-patient-view", value)
            found: list[dict[str, Any]] = json.loads(answer[1])["cards"]
            return found

        (card,) = cards(one)
        time.sleep(0.5)  # the row is on its way; a clinician takes longer
        item = {"card": card["uuid"], "outcome": "overridden"}
        item["outcomeTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert one.call("POST", PATH, body({"feedback": [item]})) == (200, b"{}")
        assert [cards(two) for _ in range(4)] == [[]] * 4
        assert cards(two, "https://b.example.org")


# --- an older schema ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_migration_that_is_killed_loses_nothing(kind: str, tmp_path: Path) -> None:
    """From the schema of 0001 with data: killed after each of its steps, then run again."""
    code = textwrap.dedent("""
        import os, signal, sys
        from service.store import store
        def counted(real):
            def run(*args, **kwargs):
                global left
                done = real(*args, **kwargs)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return done
            return run
        import alembic.op
        alembic.op.create_table = counted(alembic.op.create_table)
        alembic.op.create_index = counted(alembic.op.create_index)
        for line in sys.stdin:
            left, child = int(line), os.fork()
            if child == 0:
                store.open_store(sys.argv[1])
                os._exit(0)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """)
    with database(kind, tmp_path) as url, ExitStack() as stack:
        # One that has everything imported, and forks for each start.
        starter = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", code, url],
                cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
        )  # fmt: skip
        assert starter.stdin is not None
        assert starter.stdout is not None
        stack.callback(starter.stdin.close)
        old = Store(url)
        old._make_file()
        with old.engine.begin() as connection:
            older_schema(connection)
            rows = [{"key": n.to_bytes(32, "big"), "expires": 2e9} for n in range(5_000)]
            connection.execute(insert(used_token), rows)
        for step in itertools.count(1):
            print(step, file=starter.stdin, flush=True)
            ended = int(starter.stdout.readline())
            tables = set(inspect(old.engine).get_table_names())
            query = select(func.count()).select_from(used_token)
            assert old.read(lambda c, q=query: c.execute(q).scalar_one()) == 5_000
            if ended == 0:
                break
            assert ended == -signal.SIGKILL
            assert tables == {"used_token", "alembic_version"}
        assert step == 12  # three tables, eight indexes: killed at each
        assert {"shown", "feedback", "unrecognised"} <= tables
        old.engine.dispose()


def older_schema(connection: Any) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "service.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"


# --- what feedback costs hooks -----------------------------------------------------------------


def hook_times(port: int, seconds: float) -> list[float]:
    """Milliseconds of calls one after another, 50 a second, some of patients with answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    base, found, end = now_request(), [], time.monotonic() + seconds
    for number in itertools.count():
        if time.monotonic() > end:
            break
        server = f"https://{number % 50}.example.org"
        value = body(base | {"hookInstance": str(UUID(int=number % 50)), "fhirServer": server})
        started = time.perf_counter()
        connection.request("POST", "/cds-services/magnesium-patient-view", value, HEADERS)
        answer = connection.getresponse()
        answer.read()
        found.append((time.perf_counter() - started) * 1000)
        assert answer.status == 200
        time.sleep(max(0.0, 0.02 - (time.perf_counter() - started)))
    connection.close()
    return sorted(found)


FEEDER = """
import http.client, json, sys, time, uuid
port, each, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
start, sent, stored = time.monotonic(), 0, 0
while time.monotonic() - start < seconds:
    item = {"card": str(uuid.uuid4()), "outcome": "overridden",
            "outcomeTimestamp": "2026-03-01T08:00:00Z"}
    connection.request("POST", "/cds-services/magnesium-patient-view/feedback",
                       json.dumps({"feedback": [item]}), {"Content-Type": "application/json"})
    answer = connection.getresponse(); answer.read()
    sent += 1; stored += answer.status == 200
    time.sleep(max(0.0, start + sent / each - time.monotonic()))
print(sent, stored)
"""


@pytest.mark.slow
def test_ten_thousand_feedback_items_a_minute_do_not_slow_hooks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds, clients = 12.0, 4
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path}/store.db"
        server = stack.enter_context(serving(tmp_path, 2, database_url=url))
        hook_times(server.port, 2)  # warm
        alone = hook_times(server.port, seconds)
        command = [sys.executable, "-c", FEEDER, str(server.port)]
        feeders = [
            subprocess.Popen(
                [*command, str(10_000 / 60 / clients), str(seconds)], stdout=subprocess.PIPE
            )
            for _ in range(clients)
        ]
        beside = hook_times(server.port, seconds)
        told = [feeder.communicate()[0].split() for feeder in feeders]
    sent, stored = (sum(int(pair[n]) for pair in told) for n in (0, 1))

    def p99(times: list[float]) -> float:
        return times[int(len(times) * 0.99)]

    with capsys.disabled():
        print(
            f"\nhooks p50 {alone[len(alone) // 2]:.1f} ms, p99 {p99(alone):.1f} ms alone; with"
            f" {stored / seconds * 60:.0f} feedback items a minute p50"
            f" {beside[len(beside) // 2]:.1f} ms, p99 {p99(beside):.1f} ms"
            f" ({len(alone)} and {len(beside)} calls)"
        )
    assert stored == sent
    assert stored > 0.95 * 10_000 / 60 * seconds
    assert p99(beside) < 100

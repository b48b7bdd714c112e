"""The store: its schema, its durability, and what happens when it is not there."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, inspect, make_url, select, text

from service.config.settings import SettingsError
from service.store import Store, StoreDown, metadata, open_store, used_token
from tests import databases
from tests.server import free_port

pytestmark = [pytest.mark.loopback, pytest.mark.real_clock]
ROOT = Path(__file__).resolve().parent.parent
NOW = 1_800_000_000.0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
    else:
        with databases.postgres() as found:
            yield found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.engine.dispose()


def count(store: Store) -> int:
    return store.read(
        lambda c: c.execute(select(func.count()).select_from(used_token)).scalar_one()
    )


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


# --- used tokens ------------------------------------------------------------------------------


def test_a_token_is_used_once(store: Store) -> None:
    assert store.use_token(key(1), NOW + 300, NOW)
    assert not store.use_token(key(1), NOW + 900, NOW)
    assert store.use_token(key(2), NOW + 300, NOW)
    assert count(store) == 2


def test_of_many_threads_one_is_first(store: Store) -> None:
    start = threading.Barrier(16)

    def use(_: int) -> bool:
        start.wait()
        return store.use_token(key(7), NOW + 300, NOW)

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(use, range(16))) == [False] * 15 + [True]


def test_what_has_expired_is_pruned_and_nothing_else(store: Store) -> None:
    for number in range(20):
        store.use_token(key(number), NOW + number, NOW)
    store._pruned = float("-inf")
    store.use_token(key(99), NOW + 300, NOW + 10)
    assert count(store) == 11
    # Once a minute at most: the next one leaves things as they are.
    store.use_token(key(98), NOW + 301, NOW + 1000)
    assert count(store) == 12


# --- the schema -------------------------------------------------------------------------------


def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    """Column by column, so that neither is changed alone."""
    seen = inspect(store.engine)
    assert set(seen.get_table_names()) == {*metadata.tables, "alembic_version"}
    for name, table in metadata.tables.items():
        columns = {c["name"]: c for c in seen.get_columns(name)}
        assert set(columns) == {c.name for c in table.columns}
        for column in table.columns:
            assert columns[column.name]["nullable"] is column.nullable
        assert seen.get_pk_constraint(name)["constrained_columns"] == [
            c.name for c in table.primary_key.columns
        ]
        assert {i["name"] for i in seen.get_indexes(name)} == {i.name for i in table.indexes}


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.use_token(key(1), NOW + 300, NOW)
    store.migrate()
    assert count(store) == 1


def test_many_processes_start_at_once(url: str) -> None:
    code = "import sys; from service.store import open_store; print(open_store(sys.argv[1]).ping())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    assert [p.communicate(timeout=60) for p in started] == [("True\n", "")] * 6


def test_a_start_that_is_killed_in_the_middle_leaves_the_old_schema(url: str) -> None:
    """The process dies inside the transaction, after the tables were made."""
    code = textwrap.dedent("""
        import os, signal, sys
        from service.store import store
        real = store._upgrade
        def die(connection):
            real(connection)
            os.kill(os.getpid(), signal.SIGKILL)
        store._upgrade = die
        store.open_store(sys.argv[1])
    """)
    killed = subprocess.run([sys.executable, "-c", code, url], cwd=ROOT, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    store = Store(url)
    assert inspect(store.engine).get_table_names() == []
    store.migrate()
    assert store.use_token(key(1), NOW + 300, NOW)
    store.engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(store: Store, url: str) -> None:
    store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SettingsError, match="newer version"):
        open_store(url)


# --- SQLite -----------------------------------------------------------------------------------


def test_the_pragmas_hold_and_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = open_store(f"sqlite:///{path}")
    for pragma, value in [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("temp_store", 2),
        ("trusted_schema", 0),
        ("busy_timeout", 2000),
    ]:
        found = store.read(lambda c, p=pragma: c.execute(text(f"PRAGMA {p}")).scalar_one())
        assert found == value, pragma
    store.use_token(key(1), NOW, NOW)
    assert {oct(p.stat().st_mode & 0o777) for p in tmp_path.iterdir()} == {"0o600"}
    store.engine.dispose()


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.use_token(key(1), NOW, NOW)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert count(store) == 1
    assert time.monotonic() - started < 0.5
    with pytest.raises(StoreDown):  # a writer does, for two seconds
        store.use_token(key(2), NOW, NOW)
    assert 1.5 < time.monotonic() - started < 4
    other.execute("ROLLBACK")
    assert store.use_token(key(2), NOW, NOW)
    other.close()
    store.engine.dispose()


def test_an_acknowledged_token_survives_a_kill(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        import sys
        from service.store import open_store
        store = open_store(sys.argv[1])
        for n in range(10_000):
            store.use_token(n.to_bytes(32, "big"), 2e9, 1e9)
            print(n, flush=True)
    """)
    url = f"sqlite:///{tmp_path}/store.db"
    process = subprocess.Popen(
        [sys.executable, "-c", code, url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = -1
    for line in process.stdout:
        told = int(line)
        if told == 300:
            os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = open_store(url)
    assert told >= 300
    assert not any(store.use_token(key(n), NOW, 1e9) for n in range(told + 1))
    store.engine.dispose()


# --- not there --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is not a database URL"),
        ("sqlite://", "expected sqlite:///FILE"),
        ("sqlite:///:memory:", "expected sqlite:///FILE"),
        ("mysql://root@127.0.0.1/x", "expected sqlite:///FILE or postgresql://"),
        ("sqlite:////nowhere/at/all/store.db", "No such file"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "//127.0.0.1:1/x: cannot be used: nobody listens"),
        ("postgresql://u:s3cret@127.0.0.1:1/x", "set REPLETION_DATABASE_URL=postgresql://USER"),
        ("postgresql://u:s3cret@no.such.host.invalid/x", "the host's name is not known here"),
    ],
)
def test_it_does_not_start_and_says_why(url: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(url)
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_server_that_hangs_costs_seconds_only() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", free_port()))
        mute.listen()
        store = Store(f"postgresql://u@127.0.0.1:{mute.getsockname()[1]}/x")
        started = time.monotonic()
        with pytest.raises(StoreDown):
            store.use_token(key(1), NOW, NOW)
        assert time.monotonic() - started < 5
        # And once: who comes next does not wait for it again.
        started = time.monotonic()
        with pytest.raises(StoreDown):
            store.use_token(key(1), NOW, NOW)
        assert not store.ping()
        assert time.monotonic() - started < 0.1


@pytest.mark.postgres
def test_a_connection_that_the_server_closed_is_replaced() -> None:
    with databases.postgres() as url:
        store = open_store(url)
        assert store.use_token(key(1), NOW, NOW)
        killer = open_store(url)
        killer.read(
            lambda c: c.execute(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        )
        assert store.use_token(key(2), NOW, NOW)
        store.engine.dispose()
        killer.engine.dispose()


class Relay:
    """Between us and the server: frozen, it takes what is sent and says no more."""

    def __init__(self, host: str, port: int) -> None:
        self.to, self.frozen = (host, port), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.to)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if not self.frozen.is_set():
                    other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)


@pytest.mark.postgres
def test_a_server_that_hangs_in_the_middle_is_cut_off() -> None:
    with databases.postgres() as url:
        real = make_url(url)
        relay = Relay(real.host or "127.0.0.1", real.port or 5432)
        store = open_store(
            real.set(host="127.0.0.1", port=relay.port).render_as_string(hide_password=False)
        )
        assert store.use_token(key(1), NOW, NOW)
        relay.frozen.set()
        started = time.monotonic()
        with pytest.raises(StoreDown):
            store.use_token(key(2), NOW, NOW)
        assert time.monotonic() - started < 4
        relay.frozen.clear()
        store._rests_until = float("-inf")
        assert store.use_token(key(3), NOW, NOW)
        store.engine.dispose()
        relay.listener.close()


def test_an_error_tells_its_kind_only(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(StoreDown) as caught:
        store.write(lambda c: c.execute(text("INSERT INTO none VALUES (:v)"), {"v": "s3cret"}))
    assert str(caught.value) == "OperationalError"
    store.engine.dispose()
